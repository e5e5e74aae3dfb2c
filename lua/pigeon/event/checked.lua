--- JSON of other programs, decoded and read member by member: each function takes a value and its
-- place, and raises an error that names both where the value is not what it must be.
--
-- A place is a path as jq writes it, "Records[3].body"; "" is the event as a whole. A place that
-- begins with a dot is within a record: checked.at() puts the record's place before it, which is
-- computed only for an error. Such errors are raised as a table, so that they cannot be confused
-- with errors in our own code.
local cjson = require("cjson").new()

local error, find, pcall, tointeger, type = error, string.find, pcall, math.tointeger, type

local checked = {}

local MOST_LEVELS = 64

local null = cjson.null
local decode = cjson.decode

cjson.decode_max_depth(MOST_LEVELS)
cjson.decode_invalid_numbers(false) -- such as NaN and 0x10

--- A place -> its name in messages.
function checked.name(place)
  return place == "" and "the event" or place
end

--- The place of an object, and a member's name -> the place of that member.
function checked.member(place, name)
  return place == "" and name or place .. "." .. name
end

--- The place of a record, and what is wrong within it -> the same with the whole place.
function checked.at(place, problem)
  if problem:sub(1, 1) ~= "." then return problem end
  return place == "" and problem:sub(2) or place .. problem
end

--- Raises what is wrong with the document: a format and its values.
function checked.fail(message, ...)
  error({ message:format(...) }, 0)
end

--- What pcall() caught -> what is wrong with the document. Raises other errors again: a lack of
-- memory, a mistake in our own code.
function checked.problem(raised)
  if type(raised) ~= "table" then error(raised, 0) end
  return raised[1]
end

--- Calls read(...) -> true, or false and what is wrong with the document. Raises other errors.
function checked.attempt(read, ...)
  local ok, raised = pcall(read, ...)
  if ok then return true end
  return false, checked.problem(raised)
end

local function kind_of(value)
  if value == null then return "null" end
  local kind = type(value)
  if kind == "table" then return type(next(value)) == "number" and "a list" or "an object" end
  return "a " .. kind
end

--- Raises that the value at a place is missing or is not what is expected.
function checked.wrong(value, place, expected)
  if value == nil then checked.fail("%s is missing", place) end
  checked.fail("%s is %s, but must be %s", checked.name(place), kind_of(value), expected)
end

--- Bytes and their place -> the value that they are in JSON. Numbers are floats; of members with the
-- same name the last counts; strings may have any bytes. Raises where the bytes are not JSON.
function checked.decode(bytes, place)
  local zero = find(bytes, "\0", 1, true) -- which cjson takes for the end
  if zero then checked.fail("%s is not JSON: a zero byte at character %d", checked.name(place), zero) end
  local ok, value = pcall(decode, bytes)
  if ok then return value end
  if value == "not enough memory" then error(value, 0) end
  checked.fail("%s is not JSON: %s", checked.name(place), value)
end

--- Whether a member is missing, null or empty. MinIO writes an empty region where it has none.
function checked.is_missing(value)
  return value == nil or value == null or value == ""
end

--- Returns an object (or a list); raises where the value is something else.
function checked.object(value, place)
  if type(value) ~= "table" then checked.wrong(value, place, "an object") end
  return value
end

--- Returns a string that is not empty; raises where the value is something else.
function checked.string(value, place)
  if type(value) ~= "string" then checked.wrong(value, place, "a string") end
  if value == "" then checked.fail("%s is empty", place) end
  return value
end

--- Returns a string or a number (kind), or nil where it is missing; raises for something else.
function checked.optional(value, place, kind)
  if type(value) == kind and value ~= "" then return value end
  if not checked.is_missing(value) then checked.wrong(value, place, "a " .. kind) end
  return nil
end

--- The same for a whole number, as an integer: decoded numbers are floats.
function checked.whole(value, place)
  local number = checked.optional(value, place, "number")
  if not number then return nil end
  return tointeger(number) or checked.fail("%s is %.14g, but must be a whole number", checked.name(place), number)
end

return checked
