--- An event's bytes -> the objects that it speaks of. Knows S3's own notification.
-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
--
-- A record that cannot be read fails alone: its entry says what is wrong where. Records are
-- counted from 0, as JSON and jq count them.
local cjson = require "cjson"

local char, find, gsub = string.char, string.find, string.gsub

local envelope = {}

local json = cjson.new() -- the shared instance is not ours to set up
json.decode_invalid_numbers(false)
json.decode_max_depth(64)

local function unescape(digits)
  return char(tonumber(digits, 16))
end

-- application/x-www-form-urlencoded; a bad escape stays as it is.
local function form_decode(key)
  if not find(key, "[+%%]") then return key end
  return (gsub(gsub(key, "%+", " "), "%%(%x%x)", unescape))
end

local function json_type(value)
  if value == cjson.null then return "null" end
  local kind = type(value)
  if kind == "table" then return type(next(value)) == "number" and "a list" or "an object" end
  return "a " .. kind
end

-- The place and what stands there instead of what was expected; raised as a table, so that it
-- cannot be taken for a mistake in this file.
local function wrong(place, value, expected)
  if value == nil then error({ place .. " is missing" }, 0) end
  error({ ("%s is %s, and should be %s"):format(place, json_type(value), expected) }, 0)
end

local function object_at(parent, name, place)
  local value = parent[name]
  if type(value) ~= "table" then wrong(place .. "." .. name, value, "an object") end
  return value
end

local function string_at(parent, name, place)
  local value = parent[name]
  if type(value) ~= "string" then wrong(place .. "." .. name, value, "a string") end
  if value == "" then error({ place .. "." .. name .. " is empty" }, 0) end
  return value
end

-- What may be missing or null.
local function optional(parent, name, place, expected)
  local value = parent[name]
  if value == nil or value == cjson.null then return nil end
  if type(value) ~= expected then wrong(place .. "." .. name, value, "a " .. expected) end
  return value
end

local function read_s3(record, place)
  local s3 = object_at(record, "s3", place)
  local at = place .. ".s3"
  local bucket, object = object_at(s3, "bucket", at), object_at(s3, "object", at)
  local size = optional(object, "size", at .. ".object", "number")
  return {
    bucket = string_at(bucket, "name", at .. ".bucket"),
    key = form_decode(string_at(object, "key", at .. ".object")),
    event_name = gsub(string_at(record, "eventName", place), "^s3:", "", 1),
    time = optional(record, "eventTime", place, "string"),
    size = math.tointeger(size) or size, -- cjson's numbers are floats
    region = optional(record, "awsRegion", place, "string"),
    version_id = optional(object, "versionId", at .. ".object", "string"),
    sequencer = optional(object, "sequencer", at .. ".object", "string"),
    source = record.eventSource,
  }
end

-- The object, or nil for a record of another source.
local function read_record(record, place)
  if type(record) ~= "table" then wrong(place, record, "an object") end
  if type(record.EventSource) == "string" then return nil end -- SNS writes it so
  if string_at(record, "eventSource", place) ~= "aws:s3" then return nil end
  return read_s3(record, place)
end

local function read_entry(record, place)
  local read, object = pcall(read_record, record, place)
  if not read then
    if type(object) ~= "table" then error(object, 0) end -- out of memory, or our own mistake
    return { label = place, problem = object[1] }
  end
  if not object then return { label = place, skipped = "a record of another source" } end
  return { label = object.key, object = object }
end

--- An event's bytes -> a list of entries, each with a label and one of: object (bucket, key,
-- event_name, time, size, region, version_id, sequencer, source), problem (what is wrong
-- where), skipped (why it is none of ours). Returns nil and what is wrong with the event.
function envelope.read(input)
  local decoded, event = pcall(json.decode, input)
  if not decoded then
    if event == "not enough memory" then error(event, 0) end -- that is not the event's fault
    return nil, "the event is not JSON: " .. event
  end
  if type(event) ~= "table" then
    return nil, "the event is " .. json_type(event) .. ", and should be an object with Records"
  end
  local records = event.Records
  if records == nil then return nil, "the event has no Records" end
  if type(records) ~= "table" or type(next(records)) == "string" then
    return nil, "the event's Records is " .. json_type(records) .. ", and should be a list"
  end
  local entries = {}
  for i, record in ipairs(records) do
    entries[i] = read_entry(record, ("Records[%d]"):format(i - 1))
  end
  return entries
end

return envelope
