--- What a crash id looks like, and where it stands in a key.
local byte, find, lower, rep, sub = string.byte, string.find, string.lower, string.rep, string.sub

local crash_id = {}

local LENGTH = 36
local SLASH = byte("/")

local function hex(count)
  return rep("%x", count)
end

-- Lower-case hex 8-4-4-4-12; the last six characters are a date, YYMMDD. %x takes capitals too,
-- but lower() and it together are faster than [0-9a-f].
local PATTERN = "^" .. hex(8) .. "%-" .. hex(4) .. "%-" .. hex(4) .. "%-" .. hex(4) .. "%-"
  .. hex(6) .. rep("%d", 6) .. "$"

--- A key (a string) -> its last path element where that is a crash id, or nil.
-- Looks at the key's end alone, so a long key costs no more than a short one.
function crash_id.of_key(key)
  local id = sub(key, -LENGTH)
  if #key > LENGTH and byte(key, -LENGTH - 1) ~= SLASH then return nil end
  return find(id, PATTERN) and lower(id) == id and id or nil
end

return crash_id
