--- The throttle's hash: a number in [0, 100) that is always the same for the same two strings.
-- 64-bit FNV-1a over the id, a zero byte and the salt, then murmur3's fmix64: without that
-- step the samples of one id for two queues would rise and fall together.
local byte = string.byte

local BASIS <const>, PRIME <const> = 0xcbf29ce484222325, 0x100000001b3
local SCALE <const> = 100 / (1 << 53)

local function fnv1a(hash, text)
  local length = #text
  local whole = length - length % 6
  for i = 1, whole, 6 do -- six bytes a call: byte() is most of the time, and an id has 36
    local a, b, c, d, e, f = byte(text, i, i + 5)
    hash = ((((((hash ~ a) * PRIME ~ b) * PRIME ~ c) * PRIME ~ d) * PRIME ~ e) * PRIME ~ f) * PRIME
  end
  for i = whole + 1, length do
    hash = (hash ~ byte(text, i)) * PRIME
  end
  return hash
end

local sample = {}

--- The id's half of the hash, which is the same for every salt.
function sample.begin(id)
  return fnv1a(BASIS, id) * PRIME -- xor with a zero byte changes nothing
end

--- The other half: what begin() returned, and the salt -> a number from 0 to below 100.
function sample.finish(hash, salt)
  hash = fnv1a(hash, salt)
  hash = (hash ~ hash >> 33) * 0xff51afd7ed558ccd
  hash = (hash ~ hash >> 33) * 0xc4ceb9fe1a85ec53
  hash = hash ~ hash >> 33
  return (hash >> 11) * SCALE
end

--- Two strings -> a number from 0 to below 100.
function sample.of(id, salt)
  return sample.finish(sample.begin(id), salt)
end

return sample
