--- A setting that is a comma list, with white space around the entries dropped.
local text = require "pigeon.text"

local list = {}

--- A value as messages show it.
function list.quote(value)
  return '"' .. text.clean(value, 300) .. '"'
end

--- A text without the white space around it.
function list.trim(value)
  local first = value:find("%S")
  return first and value:match("^.*%S", first) or ""
end

--- The variable's name, its value, and what makes an entry of its text: a table with a name, or
-- nil and what is wrong -> the entries, whose names are all different, or nil and what is wrong,
-- with the entry's position and the value. `noun` is what an entry is.
function list.parse(variable, setting, noun, parse_entry)
  local entries, position_of = {}, {}
  for value in (setting .. ","):gmatch("([^,]*),") do
    local position = #entries + 1
    local at = ("%s: entry %d"):format(variable, position)
    value = list.trim(value)
    if value == "" then return nil, ("%s of %s is empty"):format(at, list.quote(setting)) end
    local entry, problem = parse_entry(value)
    if not entry then return nil, ("%s, %s, %s"):format(at, list.quote(value), problem) end
    local before = position_of[entry.name]
    if before then
      return nil, ("%s, %s, names the %s of entry %d again"):format(at, list.quote(value), noun, before)
    end
    position_of[entry.name] = position
    entries[position] = entry
  end
  return entries
end

return list
