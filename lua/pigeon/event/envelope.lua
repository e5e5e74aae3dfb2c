--- An event's bytes -> the objects that it speaks of, whatever S3's news came in: as it is,
-- from EventBridge, in SQS, in SNS, in the record of an invocation that failed, or in several
-- of these. Each is known by its shape.
--
-- What cannot be read fails alone: its entry says what is wrong where. Lists are counted from
-- 0, as JSON and jq count them.
local document = require "pigeon.event.checked"
local eventbridge = require "pigeon.event.eventbridge"
local notification = require "pigeon.event.s3"

local next, pcall, type = next, pcall, type

local envelope = {}

-- What is read of an event, here and in the modules above; what else is in it costs nothing.
local decode = document.decoder {
  "Records", "eventSource", "EventSource", -- of S3, and of SQS and SNS around it
  "eventVersion", "eventName", "eventTime", "awsRegion", "s3", "bucket", "name", "object", "key", "size", "versionId",
  "sequencer",
  "messageId", "eventSourceARN", "body", -- SQS
  "Sns", "Type", "TopicArn", "Message", -- SNS
  "source", "detail-type", "detail", "time", "region", "reason", "deletion-type", "version-id", -- EventBridge
  "requestContext", "condition", "requestPayload", -- an invocation that failed
  "Event", -- a notification that was set up
}

-- A failed SNS event, whose record came by SNS through SQS, is in four.
local MOST_ENVELOPES = 4

-- Of a list, that are told one by one: 3 bytes of an event can be a record that is wrong.
local MOST_PROBLEMS = 100

local read_document

local function add(batch, entry)
  entry.message = batch.message
  batch.entries[#batch.entries + 1] = entry
end

local function add_problem(batch, place, problem)
  add(batch, { label = document.name(place), problem = document.at(place, problem) })
end

local function attempt(batch, place, read, ...)
  local ok, problem = document.attempt(read, ...)
  if not ok then add_problem(batch, place, problem) end
end

-- Those of a list at a place that are wrong and have no entry of their own.
local function add_rest(batch, place, count)
  if count <= 0 then return end
  add(batch, { label = document.name(place), problem = ("%d more entries of %s cannot be read"):format(
    count, document.name(place)) })
end

local function add_object(batch, object)
  local entries = batch.entries
  entries[#entries + 1] = {
    label = object.key, object = object, message = batch.message,
    verdict = nil, first = nil, destinations = nil, -- room for what is found out later
  }
end

-- One envelope further in.
local function unwrap(content, place, depth, batch)
  if depth == MOST_ENVELOPES then
    document.fail("%s is in more than %d envelopes", place, MOST_ENVELOPES)
  end
  if type(content) == "string" then content = decode(content, place) end
  read_document(content, place, depth + 1, batch)
end

-- ------------------------------------------------------------------------ records

-- The place of one of a document's records.
local function place_of(place, i)
  return document.member(place, "Records") .. "[" .. i - 1 .. "]"
end

local function read_sns(record, i, place, depth, batch)
  local sns = document.object(record.Sns, ".Sns")
  local message = document.string(sns.Message, ".Sns.Message")
  unwrap(message, place_of(place, i) .. ".Sns.Message", depth, batch)
end

local function read_other(record, source, i, place, batch)
  if type(record.EventSource) ~= "string" then document.string(source, ".eventSource") end
  add(batch, { label = place_of(place, i), skipped = "a record of another source", source = source })
end

local function read_record(record, i, place, depth, batch)
  if type(record) ~= "table" then document.wrong(record, place_of(place, i), "an object") end
  local source = record.EventSource -- SNS writes it so
  if source == nil or type(source) ~= "string" then source = record.eventSource end
  if source == "aws:s3" or source == "minio:s3" then
    add_object(batch, notification.read(record))
  elseif source == "aws:sqs" then
    unwrap(document.string(record.body, ".body"), place_of(place, i) .. ".body", depth, batch)
  elseif source == "aws:sns" then
    read_sns(record, i, place, depth, batch)
  else
    read_other(record, source, i, place, batch)
  end
end

local function is_named(value)
  return type(value) == "string" and value ~= ""
end

-- The answer names a message by its id, and is JSON.
local function is_id(value)
  return is_named(value) and utf8.len(value)
end

-- The name of the one queue that all records are messages of, each with an id; or nil.
local function queue_of(records)
  local arn = type(records[1]) == "table" and records[1].eventSourceARN
  for i = 1, #records do
    local record = records[i]
    if type(record) ~= "table" or record.eventSource ~= "aws:sqs" or record.eventSourceARN ~= arn
      or not is_id(record.messageId) then return nil end
  end
  return is_named(arn) and (arn:match("^.*:(.*)") or arn) or nil
end

local function read_records(records, place, depth, batch)
  if type(records) ~= "table" or records[1] == nil and next(records) then
    document.wrong(records, document.name(place) .. "'s Records", "a list")
  end
  local outermost = depth == 0 -- what AWS can be told of
  if outermost then batch.queue = queue_of(records) end
  local messages = outermost and batch.queue -- of which the answer names each that failed
  local problems = 0
  for i = 1, #records do
    local record = records[i]
    if messages then batch.message = record.messageId end
    if problems >= MOST_PROBLEMS and type(record) ~= "table" then
      problems = problems + 1
    else
      local ok, raised = pcall(read_record, record, i, place, depth, batch)
      local problem = not ok and document.problem(raised)
      problems = problems + (problem and 1 or 0)
      if problem and (problems <= MOST_PROBLEMS or messages) then add_problem(batch, place_of(place, i), problem) end
    end
  end
  if not messages then add_rest(batch, document.member(place, "Records"), problems - MOST_PROBLEMS) end
end

-- ------------------------------------------------------------------------ other shapes

local function read_eventbridge(event, place, batch)
  if type(event) ~= "table" or not eventbridge.knows(event) then
    document.fail("%s is no event from EventBridge, and nothing else comes in a list", place)
  end
  add_object(batch, eventbridge.read(event))
end

local function read_list(events, place, batch)
  local problems = 0
  for i = 1, #events do
    local here = ("%s[%d]"):format(place, i - 1)
    local ok, problem = document.attempt(read_eventbridge, events[i], here, batch)
    problems = problems + (ok and 0 or 1)
    if not ok and problems <= MOST_PROBLEMS then add_problem(batch, here, problem) end
  end
  add_rest(batch, place, problems - MOST_PROBLEMS)
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
  local records = content.Records
  if records ~= nil then return read_records(records, place, depth, batch) end
  if content[1] ~= nil then return read_list(content, place, batch) end
  if content.Event == "s3:TestEvent" then -- S3 tries a notification that was set up
    return add(batch, { label = document.name(place), skipped = "s3:TestEvent" })
  end
  if eventbridge.knows(content) then return attempt(batch, place, read_eventbridge, content, place, batch) end
  if is_sns(content) then return unwrap(content.Message, document.member(place, "Message"), depth, batch) end
  if is_failure(content) then return read_failure(content, place, depth, batch) end
  document.fail("%s has no Records, and is no other event of S3", document.name(place))
end

local function read_event(input, batch)
  read_document(decode(input, ""), "", 0, batch)
end

--- An event's bytes -> {entries, queue}. An entry has a label and one of: object (bucket, key,
-- event_name, time, size, region, version_id, sequencer, source), problem (what is wrong
-- where), skipped (why it is none of ours, and its source where that is another one). queue is
-- the name of the SQS queue whose batch this is; each entry then has the id of its message.
-- Returns nil and what is wrong with the event.
function envelope.read(input)
  local batch = { entries = {}, queue = nil, message = nil }
  local ok, problem = document.attempt(read_event, input, batch)
  if not ok then return nil, problem end
  return batch
end

return envelope
