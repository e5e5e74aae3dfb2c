--- JSON that somebody else wrote: each member is asked for with what it should be, and the
-- error says what stands where instead.
--
-- A place is a path as jq writes it, "Records[3].body"; "" is the event as a whole. Such
-- errors are raised as a table, so that none can be taken for a mistake of ours.
local cjson = require "cjson"

local document = {}

local json = cjson.new() -- the shared instance is not ours to set up
json.decode_invalid_numbers(false)
json.decode_max_depth(64)

--- How messages call a place.
function document.name(place)
  return place == "" and "the event" or place
end

--- The place of a member.
function document.member(place, name)
  return place == "" and name or place .. "." .. name
end

--- Raises what is wrong.
function document.fail(message, ...)
  error({ message:format(...) }, 0)
end

--- Calls read(...) -> true, or false and what it failed with. Raises what is no fault of the
-- document: a lack of memory, our own mistakes.
function document.attempt(read, ...)
  local ok, problem = pcall(read, ...)
  if ok then return true end
  if type(problem) ~= "table" then error(problem, 0) end
  return false, problem[1]
end

local function kind_of(value)
  if value == cjson.null then return "null" end
  local kind = type(value)
  if kind == "table" then return type(next(value)) == "number" and "a list" or "an object" end
  return "a " .. kind
end

--- Raises that there is something else at a place, or nothing.
function document.wrong(value, place, expected)
  if value == nil then document.fail("%s is missing", place) end
  document.fail("%s is %s, and should be %s", document.name(place), kind_of(value), expected)
end

--- Bytes -> what they say.
function document.decode(bytes, place)
  local ok, value = pcall(json.decode, bytes)
  if ok then return value end
  if value == "not enough memory" then error(value, 0) end -- that is not the bytes' fault
  document.fail("%s is not JSON: %s", document.name(place), value)
end

--- Whether a member is not there, null or empty, as MinIO writes a region that it has not.
function document.is_missing(value)
  return value == nil or value == cjson.null or value == ""
end

--- Whether a table is a list; an empty one may be.
function document.is_list(value)
  return type(next(value)) ~= "string"
end

--- A member that is an object (or a list), or an error.
function document.object(parent, name, place)
  local value = parent[name]
  if type(value) ~= "table" then document.wrong(value, document.member(place, name), "an object") end
  return value
end

--- A member that is a string with something in it, or an error.
function document.string(parent, name, place)
  local value = parent[name]
  if type(value) ~= "string" then document.wrong(value, document.member(place, name), "a string") end
  if value == "" then document.fail("%s is empty", document.member(place, name)) end
  return value
end

--- A string or number that may be missing: then nil.
function document.optional(parent, name, place, kind)
  local value = parent[name]
  if document.is_missing(value) then return nil end
  if type(value) ~= kind then document.wrong(value, document.member(place, name), "a " .. kind) end
  return value
end

--- The same for a whole number, as an integer: those of cjson are floats.
function document.whole(parent, name, place)
  local value = document.optional(parent, name, place, "number")
  if not value then return nil end
  return math.tointeger(value) or document.wrong(value, document.member(place, name), "a whole one")
end

return document
