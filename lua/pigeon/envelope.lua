--- An event's bytes -> the objects that it speaks of, whatever S3's news came in: as it is,
-- from EventBridge, in SQS, in SNS, in the record of an invocation that failed, or in several
-- of these. Each is known by its shape.
--
-- What cannot be read fails alone: its entry says what is wrong where. Lists are counted from
-- 0, as JSON and jq count them.
local document = require "pigeon.document"
local eventbridge = require "pigeon.eventbridge"
local notification = require "pigeon.notification"

local envelope = {}

-- A failed SNS event, whose record came by SNS through SQS, is in four.
local MOST_ENVELOPES = 4

local read_document

local function add(batch, entry)
  entry.message = batch.message
  batch.entries[#batch.entries + 1] = entry
end

local function attempt(batch, place, read, ...)
  local ok, problem = document.attempt(read, ...)
  if not ok then add(batch, { label = document.name(place), problem = problem }) end
end

local function add_object(batch, object)
  add(batch, { label = object.key, object = object })
end

-- One envelope further in.
local function unwrap(content, place, depth, batch)
  if depth == MOST_ENVELOPES then
    document.fail("%s is in more than %d envelopes", place, MOST_ENVELOPES)
  end
  if type(content) == "string" then content = document.decode(content, place) end
  read_document(content, place, depth + 1, batch)
end

-- ------------------------------------------------------------------------ records

local function read_s3(record, place, _, batch)
  add_object(batch, notification.read(record, place))
end

local function read_sqs(record, place, depth, batch)
  unwrap(document.string(record, "body", place), place .. ".body", depth, batch)
end

local function read_sns(record, place, depth, batch)
  local sns = document.object(record, "Sns", place)
  unwrap(document.string(sns, "Message", place .. ".Sns"), place .. ".Sns.Message", depth, batch)
end

local SOURCES = {
  ["aws:s3"] = read_s3, ["minio:s3"] = read_s3, ["aws:sqs"] = read_sqs, ["aws:sns"] = read_sns,
}

local function read_record(record, place, depth, batch)
  if type(record) ~= "table" then document.wrong(record, place, "an object") end
  local source = record.EventSource -- SNS writes it so
  if type(source) ~= "string" then source = document.string(record, "eventSource", place) end
  local read = SOURCES[source]
  if read then return read(record, place, depth, batch) end
  add(batch, { label = place, skipped = "a record of another source", source = source })
end

local function is_named(value)
  return type(value) == "string" and value ~= ""
end

-- The ARN of the queue that a record of SQS came from, where its message has an id.
local function arn_of(record)
  if type(record) ~= "table" or record.eventSource ~= "aws:sqs" or not is_named(record.messageId) then
    return nil
  end
  return is_named(record.eventSourceARN) and record.eventSourceARN or nil
end

-- The name of the one queue that all records are messages of, or nil.
local function queue_of(records)
  local arn = arn_of(records[1])
  for i = 2, #records do
    if arn_of(records[i]) ~= arn then return nil end
  end
  return arn and arn:match("[^:]*$")
end

local function read_records(event, place, depth, batch)
  local records, at = event.Records, document.member(place, "Records")
  if type(records) ~= "table" or not document.is_list(records) then
    document.wrong(records, document.name(place) .. "'s Records", "a list")
  end
  local outermost = depth == 0 -- what AWS can be told of
  if outermost then batch.queue = queue_of(records) end
  for i = 1, #records do
    local here = ("%s[%d]"):format(at, i - 1)
    if outermost and batch.queue then batch.message = records[i].messageId end
    attempt(batch, here, read_record, records[i], here, depth, batch)
  end
end

-- ------------------------------------------------------------------------ other shapes

local function read_eventbridge(event, place, batch)
  if type(event) ~= "table" or not eventbridge.knows(event) then
    document.fail("%s is no event from EventBridge, and nothing else comes in a list", place)
  end
  add_object(batch, eventbridge.read(event, place))
end

local function read_list(events, place, batch)
  for i = 1, #events do
    local here = ("%s[%d]"):format(place, i - 1)
    attempt(batch, here, read_eventbridge, events[i], here, batch)
  end
end

local function is_sns(content)
  return type(content.Type) == "string" and type(content.TopicArn) == "string" and type(content.Message) == "string"
end

-- What an on-failure destination gets of an asynchronous invocation.
local function is_failure(content)
  return type(content.requestContext) == "table" and content.requestContext.condition ~= nil
end

local function read_failure(content, place, depth, batch)
  local at = document.member(place, "requestPayload")
  local payload = content.requestPayload
  if document.is_missing(payload) then
    document.fail("%s is missing: SNS drops one over 256 KB; what failed there has to be found and sent again", at)
  end
  unwrap(payload, at, depth, batch)
end

function read_document(content, place, depth, batch)
  if type(content) ~= "table" then document.wrong(content, place, "an object with Records") end
  if content.Records ~= nil then return read_records(content, place, depth, batch) end
  if content[1] ~= nil then return read_list(content, place, batch) end
  if content.Event == "s3:TestEvent" then -- S3 tries a notification that was set up
    return add(batch, { label = document.name(place), skipped = "s3:TestEvent" })
  end
  if eventbridge.knows(content) then return attempt(batch, place, read_eventbridge, content, place, batch) end
  if is_sns(content) then return unwrap(content.Message, document.member(place, "Message"), depth, batch) end
  if is_failure(content) then return read_failure(content, place, depth, batch) end
  document.fail("%s has no Records, and is no other event of S3", document.name(place))
end

--- An event's bytes -> {entries, queue}. An entry has a label and one of: object (bucket, key,
-- event_name, time, size, region, version_id, sequencer, source), problem (what is wrong
-- where), skipped (why it is none of ours, and its source where that is another one). queue is
-- the name of the SQS queue whose batch this is; each entry then has the id of its message.
-- Returns nil and what is wrong with the event.
function envelope.read(input)
  local batch = { entries = {} }
  local ok, problem = document.attempt(function()
    read_document(document.decode(input, ""), "", 0, batch)
  end)
  if not ok then return nil, problem end
  return batch
end

return envelope
