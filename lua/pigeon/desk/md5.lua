--- MD5 (RFC 1321): a message of SQS has that of its body. Not for secrets.
local md5 = {}

local SHIFTS = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } }
local SINES = {}
for i = 1, 64 do
  SINES[i] = math.floor(math.abs(math.sin(i)) * 2 ^ 32)
end

-- For each round: a function of three words, and the index of the block's word for step i.
local ROUNDS = {
  function(b, c, d, i) return b & c | ~b & d, i end,
  function(b, c, d, i) return d & b | ~d & c, (5 * i + 1) % 16 end,
  function(b, c, d, i) return b ~ c ~ d, (3 * i + 5) % 16 end,
  function(b, c, d, i) return c ~ (b | ~d & 0xffffffff), 7 * i % 16 end,
}

local function rotate(word, by)
  word = word & 0xffffffff
  return word << by | word >> 32 - by
end

local function digest_block(state, block)
  local words = { ("<" .. ("I4"):rep(16)):unpack(block) }
  local a, b, c, d = table.unpack(state)
  for i = 0, 63 do
    local round = i // 16 + 1
    local mixed, word = ROUNDS[round](b, c, d, i)
    mixed = a + mixed + SINES[i + 1] + words[word + 1]
    a, d, c, b = d, c, b, b + rotate(mixed, SHIFTS[round][i % 4 + 1]) & 0xffffffff
  end
  for i, value in ipairs { a, b, c, d } do
    state[i] = state[i] + value & 0xffffffff
  end
end

--- A string -> its digest, 32 hex digits.
function md5.of(bytes)
  local padded = bytes .. "\x80" .. ("\0"):rep(-(#bytes + 9) % 64) .. ("<I8"):pack(#bytes * 8)
  local state = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 }
  for start = 1, #padded, 64 do
    digest_block(state, padded:sub(start, start + 63))
  end
  return (("<I4I4I4I4"):pack(table.unpack(state)):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

return md5
