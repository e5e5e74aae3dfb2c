--- What to write in place of a word or a function that other languages have, and rules have not.
local values = require "pigeon.source.values"

local instead = {}

local NO_TRY = "a rule cannot catch an error: check before"
local OBJECT = "the object is called object"
local WORDS = {
  print = "remove it; pigeon explain --trace shows which lines ran",
  next = "write pairs", pcall = NO_TRY, xpcall = NO_TRY, try = NO_TRY, catch = NO_TRY,
  require = "a rules script is one file", os = "a retry must decide the same: object.time is the event's time",
  null = "write nil", None = "write nil", NULL = "write nil", undefined = "write nil", elif = "write elseif",
  this = "write object", PIGEON_ENV = "write env", PIGEON_QUEUE = "write queues",
  event = OBJECT, record = OBJECT, obj = OBJECT, item = OBJECT, s3 = OBJECT, file = OBJECT,
  True = "write true", TRUE = "write true", False = "write false", FALSE = "write false",
}
local VERDICTS = {
  drop = "ignore", discard = "ignore", skip = "ignore", reject = "ignore", deny = "ignore", exclude = "ignore",
  junk = "ignore", allow = "accept", publish = "accept", send = "accept", postpone = "defer", delay = "defer",
}
local EXAMPLES = { ignore = 'ignore("why")', accept = "accept(id, destinations)", defer = 'defer("why")' }
local FUNCTIONS = { str = "tostring", int = "tonumber", float = "tonumber", parseInt = "tonumber", Number = "tonumber",
  String = "tostring", range = "for i = 1, 10 do", enumerate = "ipairs", typeof = "type" }

-- Names that other systems have for fields of the object.
local FIELDS = {
  bucket_name = "bucket", bucketname = "bucket", name = "key", filename = "key", path = "key", event = "event_name",
  eventname = "event_name", event_type = "event_name", type = "event_name", date = "time", timestamp = "time",
  event_time = "time", eventtime = "time", length = "size", bytes = "size", aws_region = "region",
  versionid = "version_id",
}

--- A field that an object does not have, and the object's name -> "write object.key", or nil.
function instead.of_field(name, object)
  if name == "id" or name == "crash_id" then return ("write crash_id(%s.key)"):format(object) end
  local field = FIELDS[name:lower()]
  return field and ("write %s.%s"):format(object, field)
end

-- For an operator before or after it: (a .. b)
local function closed(shown)
  local is_closed = not shown:find("[^%w_.:()\"]") or shown:find("^%b()$")
  return is_closed and shown or "(" .. shown .. ")"
end

--- A name that is not a word, the node it stands in, and facts.show -> "write ...", or nil.
function instead.of_word(name, parent, show)
  if WORDS[name] then return WORDS[name] end
  if parent.kind ~= "Call" or parent.callee.name ~= name then return nil end
  local given = parent.arguments[1]
  if name == "len" and given then return "write #" .. closed(show(given)) end
  if VERDICTS[name] then return "the verdicts are accept, defer and ignore: write " .. EXAMPLES[VERDICTS[name]] end
  return FUNCTIONS[name] and "write " .. FUNCTIONS[name] or nil
end

-- Each is given the text before the colon, the argument as a text in quotes, and how many bytes it has.
local function starts(object, quoted, length) return ("%s:sub(1, %s) == %s"):format(object, length, quoted) end
local function ends(object, quoted, length) return ("%s:sub(-%s) == %s"):format(object, length, quoted) end
local function contains(object, quoted) return ("%s:find(%s, 1, true)"):format(object, quoted) end
local function cut(object) return object .. ":sub(first, last)" end
local function pattern(object) return object .. ':match("pattern")' end

local STRING_FUNCTIONS = {
  startswith = starts, hasprefix = starts, beginswith = starts, endswith = ends, hassuffix = ends,
  contains = contains, includes = contains, has = contains, indexof = contains, index = contains,
  substring = cut, substr = cut, slice = cut, test = pattern, matches = pattern, search = pattern,
  split = function(object) return ('%s:gmatch("[^/]+")'):format(object) end,
  replace = function(object) return ("%s:gsub(pattern, replacement)"):format(object) end,
  trim = function(object) return ('%s:match("^%%s*(.-)%%s*$")'):format(object) end,
  tolowercase = function(object) return object .. ":lower()" end,
  touppercase = function(object) return object .. ":upper()" end,
  length = function(object) return "#" .. object end,
}
STRING_FUNCTIONS.strip = STRING_FUNCTIONS.trim
STRING_FUNCTIONS.casefold, STRING_FUNCTIONS.tolower = STRING_FUNCTIONS.tolowercase, STRING_FUNCTIONS.tolowercase
STRING_FUNCTIONS.toupper, STRING_FUNCTIONS.size = STRING_FUNCTIONS.touppercase, STRING_FUNCTIONS.length

--- A function that string does not have, the text it is called for as it is written, and the node of its
-- argument -> "write ...", or nil.
function instead.of_string_function(name, object, given)
  local make = STRING_FUNCTIONS[name:lower():gsub("_", "")]
  if not make then return nil end
  local value = given and values.constant(given)
  if type(value) ~= "string" or value:find('[%c"\\]') or #value > 40 then
    return "write " .. make(closed(object or "x"), '"text"', "4")
  end
  return "write " .. make(closed(object or "x"), '"' .. value .. '"', #value)
end

return instead
