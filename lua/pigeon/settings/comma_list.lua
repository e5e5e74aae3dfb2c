--- Parses a setting that is a list with commas; white space around the entries is dropped.
local text = require "pigeon.text"

local comma_list = {}

--- A value -> the same in quotes, for messages.
function comma_list.quote(value)
  return '"' .. text.clean(value, 300) .. '"'
end

--- The variable's name, its value, the noun for an entry, and a function from an entry's text to a
-- table with a name (or nil and what is wrong) -> these tables, no two with the same name. Returns
-- nil and what is wrong, with the entry's position and the value.
function comma_list.parse(variable, setting, noun, parse_entry)
  local entries, position_of = {}, {}
  for value in (setting .. ","):gmatch("([^,]*),") do
    local position = #entries + 1
    local at = ("%s: entry %d"):format(variable, position)
    value = text.trim(value)
    if value == "" then
      return nil, ("%s of %s is empty; name a %s there, or drop the comma"):format(at, comma_list.quote(setting), noun)
    end
    local entry, problem = parse_entry(value)
    if not entry then return nil, ("%s, %s, %s"):format(at, comma_list.quote(value), problem) end
    local before = position_of[entry.name]
    if before then
      return nil, ("%s, %s, names the %s of entry %d again"):format(at, comma_list.quote(value), noun, before)
    end
    position_of[entry.name] = position
    entries[position] = entry
  end
  return entries
end

return comma_list
