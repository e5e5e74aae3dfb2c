--- Writes JSON: the same value gives the same bytes in every process. Members are sorted, strings
-- are valid UTF-8, and a list stays a list. event/checked.lua reads JSON.
local text = require "pigeon.text"

local byte, find, format, gsub = string.byte, string.find, string.format, string.gsub
local concat, sort = table.concat, table.sort
local error, getmetatable, math_type, next, tostring, type = error, getmetatable, math.type, next, tostring, type

local json = {}

local LIST = {} -- a metatable

--- A list -> the same list, which is written as "[]" where it is empty. A table that has no
-- element 1 is an object otherwise.
function json.list(list)
  return setmetatable(list, LIST)
end

local function escape(character)
  if character == '"' or character == "\\" then return "\\" .. character end
  return format("\\u%04x", byte(character))
end

local function quote(bytes)
  if find(bytes, "^[]-~ !#-[]*$") then return '"' .. bytes .. '"' end -- all of ASCII that needs no escape
  return '"' .. gsub(text.valid(bytes), '[%c"\\]', escape) .. '"'
end

local function encode_number(value)
  if math_type(value) == "integer" then return value .. "" end
  if value - value ~= 0 then error("json: " .. value .. " is not a number of JSON") end
  return format("%.14g", value)
end

local encode

local function encode_list(list)
  local parts, count = {}, 0
  for _ in next, list do count = count + 1 end
  for i = 1, count do parts[i] = encode(list[i]) end -- one is nil where there is a hole, or another key
  return "[" .. concat(parts, ",") .. "]"
end

local function encode_object(object)
  local parts, count = {}, 0 -- the names, and then the members
  for name in next, object do
    if type(name) ~= "string" then error(("json: the name of a member is a %s"):format(type(name))) end
    count = count + 1
    parts[count] = name
  end
  sort(parts)
  for i = 1, count do parts[i] = quote(parts[i]) .. ":" .. encode(object[parts[i]]) end
  return "{" .. concat(parts, ",") .. "}"
end

local function encode_table(value)
  if getmetatable(value) == LIST or value[1] ~= nil then return encode_list(value) end
  return encode_object(value)
end

local ENCODERS = { string = quote, number = encode_number, boolean = tostring, table = encode_table }

function encode(value)
  local encoder = ENCODERS[type(value)] or error(("json: a %s cannot be written"):format(type(value)))
  return encoder(value)
end

--- A string, number, boolean, list or object -> its JSON. Bytes that are not UTF-8 become U+FFFD.
-- Raises where a value is something else, or a number has no end.
json.encode = encode

return json
