--- An event's bytes -> the objects that it reports, whichever way S3's notification took: direct,
-- by EventBridge, SQS, SNS, the record of a failed invocation, or several of these in each other.
-- Each envelope is recognized by its shape.
--
-- What cannot be read fails alone: its entry has what is wrong and where. Lists are counted from
-- 0, as JSON and jq count them.
local checked = require "pigeon.event.checked"
local eventbridge = require "pigeon.event.eventbridge"
local s3 = require "pigeon.event.s3"

local next, pcall, type = next, pcall, type

local envelope = {}

-- The record of a failed SNS event, sent by SNS through SQS, has four.
local MOST_ENVELOPES = 4

-- Of a list, that are told one by one: 3 bytes of an event can be a record that is wrong.
local MOST_PROBLEMS = 100

local read_document

local function add(batch, entry)
  entry.message = batch.message
  batch.entries[#batch.entries + 1] = entry
end

local function add_problem(batch, place, problem)
  add(batch, { label = checked.name(place), problem = checked.at(place, problem) })
end

local function attempt(batch, place, read, ...)
  local ok, problem = checked.attempt(read, ...)
  if not ok then add_problem(batch, place, problem) end
end

-- Those of a list at a place that are wrong and have no entry of their own.
local function add_rest(batch, place, count)
  if count <= 0 then return end
  add(batch, { label = checked.name(place), problem = ("%d more entries of %s cannot be read"):format(
    count, checked.name(place)) })
end

local function add_object(batch, object)
  local entries = batch.entries
  entries[#entries + 1] = {
    label = object.key, object = object, message = batch.message,
    verdict = nil, first = nil, destinations = nil, -- room for later results
  }
end

-- Reads the content of an envelope, one level deeper.
local function unwrap(content, place, depth, batch)
  if depth == MOST_ENVELOPES then
    checked.fail("%s is in more than %d envelopes", place, MOST_ENVELOPES)
  end
  if type(content) == "string" then content = checked.decode(content, place) end
  read_document(content, place, depth + 1, batch)
end

-- ------------------------------------------------------------------------ records

-- The place of the i-th record of a checked.
local function place_of(place, i)
  return checked.member(place, "Records") .. "[" .. i - 1 .. "]"
end

local function read_sns(record, i, place, depth, batch)
  local sns = checked.object(record.Sns, ".Sns")
  local message = checked.string(sns.Message, ".Sns.Message")
  unwrap(message, place_of(place, i) .. ".Sns.Message", depth, batch)
end

local function read_other(record, source, i, place, batch)
  if type(record.EventSource) ~= "string" then checked.string(source, ".eventSource") end
  add(batch, { label = place_of(place, i), skipped = "a record of another source", source = source })
end

local function read_record(record, i, place, depth, batch)
  if type(record) ~= "table" then checked.wrong(record, place_of(place, i), "an object") end
  local source = record.EventSource -- SNS writes it with a capital
  if source == nil or type(source) ~= "string" then source = record.eventSource end
  if source == "aws:s3" or source == "minio:s3" then
    add_object(batch, s3.read(record))
  elseif source == "aws:sqs" then
    unwrap(checked.string(record.body, ".body"), place_of(place, i) .. ".body", depth, batch)
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

-- The name of the SQS queue, where all records are messages of one queue and have ids; or nil.
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
    checked.wrong(records, checked.name(place) .. "'s Records", "a list")
  end
  local outermost = depth == 0 -- only the outermost messages can be reported to AWS
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
      local problem = not ok and checked.problem(raised)
      problems = problems + (problem and 1 or 0)
      if problem and (problems <= MOST_PROBLEMS or messages) then add_problem(batch, place_of(place, i), problem) end
    end
  end
  if not messages then add_rest(batch, checked.member(place, "Records"), problems - MOST_PROBLEMS) end
end

-- ------------------------------------------------------------------------ other shapes

local function read_eventbridge(event, place, batch)
  if type(event) ~= "table" or not eventbridge.knows(event) then
    checked.fail("%s is not an event from EventBridge, and a list may hold only those", place)
  end
  add_object(batch, eventbridge.read(event))
end

local function read_list(events, place, batch)
  local problems = 0
  for i = 1, #events do
    local here = ("%s[%d]"):format(place, i - 1)
    local ok, problem = checked.attempt(read_eventbridge, events[i], here, batch)
    problems = problems + (ok and 0 or 1)
    if not ok and problems <= MOST_PROBLEMS then add_problem(batch, here, problem) end
  end
  add_rest(batch, place, problems - MOST_PROBLEMS)
end

local function is_sns(content)
  return type(content.Type) == "string" and type(content.TopicArn) == "string" and type(content.Message) == "string"
end

-- The record of a failed asynchronous invocation that Lambda sends to an on-failure destination.
local function is_failure(content)
  return type(content.requestContext) == "table" and content.requestContext.condition ~= nil
end

local function read_failure(content, place, depth, batch)
  local at = checked.member(place, "requestPayload")
  local payload = content.requestPayload
  if checked.is_missing(payload) then
    checked.fail("%s is missing: SNS drops a payload over 256 KB; find out what failed and send it again", at)
  end
  unwrap(payload, at, depth, batch)
end

function read_document(content, place, depth, batch)
  if type(content) ~= "table" then checked.wrong(content, place, "an object with Records") end
  local records = content.Records
  if records ~= nil then return read_records(records, place, depth, batch) end
  if content[1] ~= nil then return read_list(content, place, batch) end
  if content.Event == "s3:TestEvent" then -- S3 sends it when a notification is set up
    return add(batch, { label = checked.name(place), skipped = "s3:TestEvent" })
  end
  if eventbridge.knows(content) then return attempt(batch, place, read_eventbridge, content, place, batch) end
  if is_sns(content) then return unwrap(content.Message, checked.member(place, "Message"), depth, batch) end
  if is_failure(content) then return read_failure(content, place, depth, batch) end
  checked.fail("%s has no Records, and is not another event of S3", checked.name(place))
end

local function read_event(input, batch)
  read_document(checked.decode(input, ""), "", 0, batch)
end

--- An event's bytes -> {entries, queue}. An entry has a label and one of: object (bucket, key,
-- event_name, time, size, region, version_id, sequencer, source), problem (what is wrong and
-- where), skipped (why Pigeon leaves it out; with source where that is not S3). queue is the name
-- of the SQS queue whose batch this is; each entry then has `message`, the id of its message.
-- Returns nil and what is wrong with the event.
function envelope.read(input)
  local batch = { entries = {}, queue = nil, message = nil }
  local ok, problem = checked.attempt(read_event, input, batch)
  if not ok then return nil, problem end
  return batch
end

--- An event that is decoded already -> the same.
function envelope.of(content)
  local batch = { entries = {}, queue = nil, message = nil }
  local ok, problem = checked.attempt(read_document, content, "", 0, batch)
  if not ok then return nil, problem end
  return batch
end

return envelope
