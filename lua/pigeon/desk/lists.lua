--- Reads the desk's lists of objects: lines, each a key, a row of an S3 inventory or an event; or
-- keys alone. Returns a batch as envelope.read() does for one event.
local envelope = require "pigeon.event.envelope"
local s3 = require "pigeon.event.s3"

local byte, find, sub = string.byte, string.find, string.sub

local lists = {}

local BRACE, BRACKET, QUOTE = byte('{["', 1, 3)

local function object_of(bucket, key)
  return { bucket = bucket, key = key, event_name = "ObjectCreated:Put", source = "aws:s3" }
end

-- '"bucket","key",...' -> the bucket and the key, or nil. S3 quotes every field and form-encodes the key.
local function inventory_row(line)
  local bucket, key = line:match('^"([^"]*)","([^"]*)"')
  return bucket, key and s3.form_decode(key)
end

local function add_key(entries, number, bucket, key)
  entries[#entries + 1] = { label = key, object = object_of(bucket, key), line = number }
end

local function read_event(line, number, entries)
  local event, problem = envelope.read(line)
  if not event then event = { entries = { { label = line, problem = problem } } } end
  for _, entry in ipairs(event.entries) do
    entry.line = number
    entries[#entries + 1] = entry
  end
end

local function read_line(line, number, entries)
  local first = byte(line)
  if first == BRACE or first == BRACKET then return read_event(line, number, entries) end
  local bucket, key
  if first == QUOTE then bucket, key = inventory_row(line) end
  add_key(entries, number, bucket or "-", key or line)
end

--- Bytes, and the number of their first line -> {entries}, each with the number of its line. A key
-- stands for an object that was put into the bucket "-"; empty lines are skipped.
function lists.read(input, number)
  local entries, start = {}, 1
  while start <= #input do
    local stop = find(input, "\n", start, true) or #input + 1
    if stop > start then read_line(sub(input, start, stop - 1), number, entries) end
    start, number = stop + 1, number + 1
  end
  return { entries = entries }
end

--- Keys as they were typed, a zero byte after each -> the same. A key is never read as an event or a row.
function lists.keys(input)
  local entries = {}
  for key in input:gmatch("([^\0]*)\0") do
    add_key(entries, #entries + 1, "-", key)
  end
  return { entries = entries }
end

return lists
