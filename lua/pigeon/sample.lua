--- The throttle's hash: a number in [0, 100) that is always the same for the same two strings.
-- 64-bit FNV-1a over the id, a zero byte and the salt, then murmur3's fmix64: without that
-- step the samples of one id for two queues would rise and fall together.
local byte = string.byte

local BASIS, PRIME = 0xcbf29ce484222325, 0x100000001b3
local SCALE = 100 / (1 << 53)

local function fnv1a(hash, text)
  local length = #text
  local whole = length - length % 4
  for i = 1, whole, 4 do -- four bytes a call: byte() is most of the time
    local a, b, c, d = byte(text, i, i + 3)
    hash = ((((hash ~ a) * PRIME ~ b) * PRIME ~ c) * PRIME ~ d) * PRIME
  end
  for i = whole + 1, length do
    hash = (hash ~ byte(text, i)) * PRIME
  end
  return hash
end

local sample = {}

--- Two strings -> a number from 0 to below 100.
function sample.of(id, salt)
  local hash = fnv1a(fnv1a(BASIS, id) * PRIME, salt) -- xor with a zero byte changes nothing
  hash = (hash ~ hash >> 33) * 0xff51afd7ed558ccd
  hash = (hash ~ hash >> 33) * 0xc4ceb9fe1a85ec53
  hash = hash ~ hash >> 33
  return (hash >> 11) * SCALE
end

return sample
