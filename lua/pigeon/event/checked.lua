--- JSON that somebody else wrote: each member is asked for with what it should be, and the
-- error says what stands where instead.
--
-- A place is a path as jq writes it, "Records[3].body"; "" is the event as a whole. One that
-- begins with a dot is within a record, and document.at() puts the record's own before it, which
-- is made only for what is wrong. Such errors are raised as a table, so that none can be taken
-- for a mistake of ours.
local null = require "cjson".null -- and that of decode()
local open_decoder = require "pigeon.decode" -- host/lua/decode.c

local pcall, tointeger, type = pcall, math.tointeger, type

local document = {}

--- How messages call a place.
function document.name(place)
  return place == "" and "the event" or place
end

--- The place of a member.
function document.member(place, name)
  return place == "" and name or place .. "." .. name
end

--- What is wrong with a record at a place, with that place.
function document.at(place, problem)
  if problem:sub(1, 1) ~= "." then return problem end
  return place == "" and problem:sub(2) or place .. problem
end

--- Raises what is wrong.
function document.fail(message, ...)
  error({ message:format(...) }, 0)
end

--- What pcall() caught -> what is wrong. Raises what is no fault of the document: a
-- lack of memory, our own mistakes.
function document.problem(raised)
  if type(raised) ~= "table" then error(raised, 0) end
  return raised[1]
end

--- Calls read(...) -> true, or false and what is wrong.
function document.attempt(read, ...)
  local ok, raised = pcall(read, ...)
  if ok then return true end
  return false, document.problem(raised)
end

local function kind_of(value)
  if value == null then return "null" end
  local kind = type(value)
  if kind == "table" then return type(next(value)) == "number" and "a list" or "an object" end
  return "a " .. kind
end

--- Raises that there is something else at a place, or nothing.
function document.wrong(value, place, expected)
  if value == nil then document.fail("%s is missing", place) end
  document.fail("%s is %s, and should be %s", document.name(place), kind_of(value), expected)
end

--- The names of all members that are read -> decode: bytes and their place -> what they say,
-- without any other member.
function document.decoder(names)
  local decode = open_decoder(names)
  return function(bytes, place)
    local value, problem = decode(bytes)
    if value == nil then document.fail("%s is not JSON: %s", document.name(place), problem) end
    return value
  end
end

--- Whether a member is not there, null or empty, as MinIO writes a region that it has not.
function document.is_missing(value)
  return value == nil or value == null or value == ""
end

--- A member that is an object (or a list), or an error.
function document.object(value, place)
  if type(value) ~= "table" then document.wrong(value, place, "an object") end
  return value
end

--- A member that is a string with something in it, or an error.
function document.string(value, place)
  if type(value) ~= "string" then document.wrong(value, place, "a string") end
  if value == "" then document.fail("%s is empty", place) end
  return value
end

--- A string or number that may be missing: then nil.
function document.optional(value, place, kind)
  if type(value) == kind and value ~= "" then return value end
  if not document.is_missing(value) then document.wrong(value, place, "a " .. kind) end
  return nil
end

--- The same for a whole number, as an integer: decoded ones are floats.
function document.whole(value, place)
  value = document.optional(value, place, "number")
  return value and (tointeger(value) or document.wrong(value, place, "a whole one"))
end

return document
