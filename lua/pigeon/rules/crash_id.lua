--- The form of a crash id, and its place in a key.
local find, rep, sub = string.find, string.rep, string.sub

local crash_id = {}

local LENGTH <const> = 36

local function hex(count)
  return rep("[0-9a-f]", count)
end

-- Lower-case hex 8-4-4-4-12; the last six characters are a date, YYMMDD.
local PATTERN = hex(8) .. "%-" .. hex(4) .. "%-" .. hex(4) .. "%-" .. hex(4) .. "%-"
  .. hex(6) .. rep("%d", 6) .. "$"
local WHOLE, LAST = "^" .. PATTERN, "^/" .. PATTERN

--- A key (a string) -> its last path element where that is a crash id, or nil. Reads only the end
-- of the key, so a long key costs no more than a short one.
function crash_id.of_key(key)
  return find(key, #key > LENGTH and LAST or WHOLE, -LENGTH - 1) and sub(key, -LENGTH) or nil
end

return crash_id
