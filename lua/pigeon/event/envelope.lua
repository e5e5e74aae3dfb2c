--- An event's bytes -> the objects that it reports, whichever way S3's notification took: direct,
-- by EventBridge, a pipe, SQS, SNS, the record of a failed invocation, or several in each other; or
-- those of S3 Batch Operations' tasks.
-- Each envelope is recognized by its shape.
--
-- What cannot be read fails alone: its entry has what is wrong and where. Lists are counted from
-- 0, as JSON and jq count them.
local checked = require "pigeon.event.checked"
local eventbridge = require "pigeon.event.eventbridge"
local s3 = require "pigeon.event.s3"
local text = require "pigeon.text"

local next, pcall, type = next, pcall, type

local envelope = {}

-- SQS, SNS, EventBridge, a failed invocation's record, SNS again: five, and room for a record that
-- failed itself.
local MOST_ENVELOPES = 8

-- Of an event, that are told one by one: 3 bytes of it can be a record that is wrong.
local MOST_PROBLEMS = 100

local read_document

local function add(batch, entry)
  entry.message = batch.message
  batch.entries[#batch.entries + 1] = entry
end

local function add_problem(batch, place, problem)
  batch.bad = (batch.bad or 0) + 1
  add(batch, { label = checked.name(place), problem = checked.at(place, problem) })
end

local function attempt(batch, place, read, ...)
  local ok, problem = checked.attempt(read, ...)
  if not ok then add_problem(batch, place, problem) end
end

local function add_skipped(batch, label, why, source)
  add(batch, { label = label, skipped = why, source = source })
end

-- What is wrong at a place of a list, and which of that list have no entry of their own, {count, first}, or
-- nil -> the same after it has an entry, as `always`, or is one of them.
local function note_problem(batch, rest, place, problem, always)
  if always or (batch.bad or 0) < MOST_PROBLEMS then
    add_problem(batch, place, problem)
  else
    rest = rest or { count = 0, first = checked.at(place, problem) }
    rest.count = rest.count + 1
  end
  return rest
end

-- Each list with such ones has an entry for them, so that its message of SQS fails.
local function add_rest(batch, place, rest)
  if not rest then return end
  add(batch, { label = checked.name(place), problem = rest.count == 1 and rest.first
    or ("%d more entries of %s cannot be read"):format(rest.count, checked.name(place)) })
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

-- ------------------------------------------------------------------------ one in the other

-- What SNS sends to an endpoint, or to a function as Records[].Sns; the other types of message are
-- about the subscription.
local function check_is_notification(sns, place)
  local kind = checked.optional(sns.Type, checked.member(place, "Type"), "string")
  if kind == nil or kind == "Notification" then return end
  checked.fail('%s is a "%s" from SNS, but must be a "Notification"%s', checked.name(place), text.clean(kind, 100),
    kind == "SubscriptionConfirmation" and "; open its SubscribeURL to confirm the subscription" or "")
end

local function is_sns(content)
  return type(content.Type) == "string" and type(content.TopicArn) == "string" and type(content.Message) == "string"
end

local function read_sns(sns, place, depth, batch)
  check_is_notification(sns, place)
  unwrap(sns.Message, checked.member(place, "Message"), depth, batch)
end

-- The record of an asynchronous invocation that Lambda sends to a destination.
local function is_record_of_invocation(content)
  return type(content) == "table" and type(content.requestContext) == "table"
    and content.requestContext.condition ~= nil
end

local function read_invocation(content, place, depth, batch)
  if content.requestContext.condition == "Success" then
    return add_skipped(batch, checked.name(place), "the record of an invocation that succeeded")
  end
  local at = checked.member(place, "requestPayload")
  local payload = content.requestPayload
  if checked.is_missing(payload) then
    checked.fail("%s is missing (SNS drops one over 256 KB); find out what failed and send it again", at)
  end
  unwrap(payload, at, depth, batch)
end

local function read_eventbridge(event, place, depth, batch)
  local why = eventbridge.why_not(event)
  if not why then return add_object(batch, eventbridge.read(event)) end
  if is_record_of_invocation(event.detail) then -- a bus is one of Lambda's destinations
    return unwrap(event.detail, checked.member(place, "detail"), depth, batch)
  end
  local label = ('%s, "%s"'):format(checked.name(place), text.clean(event["detail-type"], 100))
  add_skipped(batch, label, why, event.source)
end

-- ------------------------------------------------------------------------ records

-- The place of the i-th record of a list.
local function place_of(list_place, i)
  return list_place .. "[" .. i - 1 .. "]"
end

-- An object of an unknown source may have an encoding of its keys that Pigeon does not know, and a
-- record of Kinesis may hold an event of S3 (EventBridge has streams as targets).
local function read_other(record, source, i, list_place, batch)
  local name = type(record.EventSource) == "string" and ".EventSource" or ".eventSource"
  if name == ".eventSource" then checked.string(source, name) end
  if source == "aws:kinesis" or type(record.s3) == "table" and record.s3.bucket and record.s3.object then
    checked.fail('%s is "%s", which Pigeon does not read', name, text.clean(source, 100))
  end
  add_skipped(batch, place_of(list_place, i), "a record of another source", source)
end

local function read_record(record, i, list_place, depth, batch)
  if type(record) ~= "table" then checked.wrong(record, place_of(list_place, i), "an object") end
  local source = record.EventSource -- SNS writes it with a capital
  if source == nil or type(source) ~= "string" then source = record.eventSource end
  if source == "aws:s3" or source == "minio:s3" then
    add_object(batch, s3.read(record))
  elseif source == "aws:sqs" then
    unwrap(checked.string(record.body, ".body"), place_of(list_place, i) .. ".body", depth, batch)
  elseif source == "aws:sns" then
    checked.string(checked.object(record.Sns, ".Sns").Message, ".Sns.Message")
    read_sns(record.Sns, place_of(list_place, i) .. ".Sns", depth, batch)
  else
    read_other(record, source, i, list_place, batch)
  end
end

-- In a list without Records: from a pipe, which sends records, or from EventBridge.
local function read_item(item, i, list_place, depth, batch)
  if type(item) == "table" then
    if eventbridge.knows(item) then return read_eventbridge(item, place_of(list_place, i), depth, batch) end
    if item.eventSource ~= nil or item.EventSource ~= nil then
      return read_record(item, i, list_place, depth, batch)
    end
  end
  checked.fail("%s is neither a record nor an event from EventBridge, and a list may hold only those",
    place_of(list_place, i))
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

-- Calls read for each of a list; those that it cannot read fail alone.
local function read_each(list, list_place, read, depth, batch)
  local outermost = depth == 0 -- only the outermost messages can be reported to AWS
  if outermost then batch.queue = queue_of(list) end
  local messages = outermost and batch.queue -- of which the answer names each that failed
  local rest
  for i = 1, #list do
    local record = list[i]
    if messages then batch.message = record.messageId end
    if rest and type(record) ~= "table" then
      rest.count = rest.count + 1
    else
      local ok, raised = pcall(read, record, i, list_place, depth, batch)
      if not ok then
        rest = note_problem(batch, rest, place_of(list_place, i), checked.problem(raised), messages)
      end
    end
  end
  add_rest(batch, list_place, rest)
end

local function read_records(records, place, depth, batch)
  if type(records) ~= "table" or records[1] == nil and next(records) then
    checked.wrong(records, checked.name(place) .. "'s Records", "a list")
  end
  read_each(records, checked.member(place, "Records"), read_record, depth, batch)
end

-- ------------------------------------------------------------------------ S3 Batch Operations

local function read_task(read, task, version, place)
  if type(task) ~= "table" then checked.wrong(task, place, "an object") end
  return read(task, version)
end

-- What S3 Batch Operations sends. A task that cannot be read fails alone. Where nothing is around the
-- event each task can be answered, and its entry has the task's id.
local function read_tasks(event, place, depth, batch)
  local batch_operations = require "pigeon.event.batch_operations"
  local tasks, job = batch_operations.open(event, place)
  local list_place, rest = checked.member(place, "tasks"), nil
  if depth == 0 then batch.job = job end
  for i = 1, #tasks do
    local task = tasks[i]
    local id = batch.job and batch_operations.id(task)
    local ok, read = pcall(read_task, batch_operations.read, task, job.version, place_of(list_place, i))
    if ok then
      add_object(batch, read)
    else
      rest = note_problem(batch, rest, place_of(list_place, i), checked.problem(read), id)
    end
    if ok or id then batch.entries[#batch.entries].task = id end
  end
  add_rest(batch, list_place, rest)
end

-- ------------------------------------------------------------------------ all of it

function read_document(content, place, depth, batch)
  if type(content) ~= "table" then checked.wrong(content, place, "an object with Records") end
  local records = content.Records
  if records ~= nil then return read_records(records, place, depth, batch) end
  if content[1] ~= nil then return read_each(content, place, read_item, depth, batch) end
  if content.Event == "s3:TestEvent" then -- S3 sends it when a notification is set up
    return add_skipped(batch, checked.name(place), "s3:TestEvent")
  end
  if eventbridge.knows(content) then
    return attempt(batch, place, read_eventbridge, content, place, depth, batch)
  end
  if is_sns(content) then return read_sns(content, place, depth, batch) end
  if is_record_of_invocation(content) then return read_invocation(content, place, depth, batch) end
  if content.invocationSchemaVersion ~= nil and content.tasks ~= nil then
    return read_tasks(content, place, depth, batch)
  end
  checked.fail("%s has no Records, and is not another event of S3", checked.name(place))
end

local function read_event(input, batch)
  read_document(checked.decode(input, ""), "", 0, batch)
end

--- An event's bytes -> {entries, queue, job}. An entry has a label and one of: object (bucket, key,
-- event_name, time, size, region, version_id, sequencer, source), problem (what is wrong and
-- where), skipped (why Pigeon leaves it out; with source where that is not S3). queue is the name
-- of the SQS queue whose batch this is; each entry then has `message`, the id of its message. job is
-- that of S3 Batch Operations, {version, invocation}; each entry then has `task`, the id of its task,
-- where that has one.
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
