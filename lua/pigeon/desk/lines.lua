--- What the desk reads a list of objects from: lines, each a key, a row of an S3 inventory or
-- an event. The batch is what envelope.read makes of one event.
local envelope = require "pigeon.envelope"
local notification = require "pigeon.notification"

local lines = {}

local function object_of(bucket, key)
  return { bucket = bucket, key = key, event_name = "ObjectCreated:Put", source = "aws:s3" }
end

-- '"bucket","key",...' -> the two, or nil. S3 quotes every field and form-encodes the key.
local function inventory_row(line)
  local bucket, key = line:match('^"([^"]*)","([^"]*)"')
  return bucket, key and notification.form_decode(key)
end

local function read_line(line)
  local first = line:sub(1, 1)
  if first == "{" or first == "[" then
    local event, problem = envelope.read(line)
    return event and event.entries or { { label = line, problem = problem } }
  end
  local bucket, key = inventory_row(line)
  if bucket then return { { label = key, object = object_of(bucket, key) } } end
  return { { label = line, object = object_of("-", line) } }
end

--- Bytes, and the number of their first line -> {entries}, each entry with the number of its
-- line. A key is an object of the bucket "-" that was put; an empty line is none.
function lines.read(input, number)
  local batch = { entries = {} }
  for line in input:gmatch("([^\n]*)\n?") do
    if line ~= "" then
      for _, entry in ipairs(read_line(line)) do
        entry.line, entry.message = number, nil
        batch.entries[#batch.entries + 1] = entry
      end
    end
    number = number + 1
  end
  return batch
end

return lines
