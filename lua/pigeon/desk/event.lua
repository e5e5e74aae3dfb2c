--- `pigeon event`: prints an event as AWS sends it, on one line. Requires other modules only where a
-- kind needs them, so that bin/generate_event runs it without the program.
local json = require "pigeon.json"

local event = {}

event.usage = [[
Usage: pigeon event KIND --key KEY... [--count N] [--bucket BUCKET]
                         [--eventname NAME]
  KIND    the form of the event:
            s3           S3's own notification, direct
            sqs, sns     the same in a message of SQS, of SNS
            sns-sqs      the same in SNS in SQS
            eventbridge  EventBridge's event, direct; a list for several keys
            s3-batch     S3 Batch Operations, schema 1.0: a task for each key
            s3-batch-2   the same in schema 2.0
  KEY     such as v2/raw_crash/000/20180313/00007bd0-...; --key once for each
  N       how often each key is used (default: 1); at most 10000 objects in all
  BUCKET  default: crashes
  NAME    default: ObjectCreated:Put
The key is encoded as the kind requires. Ids, digests and signatures are
examples.
]]

local MOST = 10000 -- the longest batch of SQS

local function form_encode(text)
  return (text:gsub("[^%w%-%._*/ ]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end):gsub(" ", "+"))
end

-- The last part of an id.
local function serial(i)
  return ("%012x"):format(i)
end

-- Records with what make(i) returns for each key.
local function records(order, make)
  local list = {}
  for i, key in ipairs(order.keys) do list[i] = make(key, i) end
  return { Records = list }
end

-- Of a bucket that a stack made.
local function generated_tags()
  return {
    ["aws:cloudformation:stack-id"] =
      "arn:aws:cloudformation:us-west-2:123456789012:stack/crashes/51af3dc0-da77-11e4-872e-1234567db123",
    ["aws:cloudformation:logical-id"] = "Crashes", ["aws:cloudformation:stack-name"] = "crashes",
  }
end

-- Whether a copy took the annotations of its source along; nil for what is not a copy.
local function annotated(order)
  if order.event_name == "ObjectCreated:Copy" then return false end
end

-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
local function s3_record(order, key)
  return {
    eventVersion = "2.6", eventSource = "aws:s3", awsRegion = "us-west-2", eventTime = order.second .. ".000Z",
    eventName = order.event_name, userIdentity = { principalId = "AWS:AIDAJDPLRKLG7UEXAMPLE" },
    requestParameters = { sourceIPAddress = "203.0.113.7" },
    responseElements = {
      ["x-amz-request-id"] = "C3D13FE58DE4C810",
      ["x-amz-id-2"] = "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD",
    },
    s3 = {
      s3SchemaVersion = "1.0", configurationId = "pigeon",
      bucket = {
        name = order.bucket, ownerIdentity = { principalId = "A3NL1KOZZKExample" },
        arn = "arn:aws:s3:::" .. order.bucket, awsGeneratedTags = generated_tags(),
      },
      object = {
        key = form_encode(key), size = 1024, eTag = "d41d8cd98f00b204e9800998ecf8427e",
        versionId = "096fKKXTRTtl3on89fVO.nfljtsv6qko", sequencer = "0055AED6DCD90281E5",
        hasObjectAnnotation = annotated(order),
      },
    },
  }
end

-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
local function eventbridge_event(order, key, i, kind, reason)
  return {
    version = "0", id = "17793124-05d4-b198-2fde-" .. serial(i), ["detail-type"] = kind, source = "aws.s3",
    account = "123456789012", time = order.second .. "Z", region = "us-west-2",
    resources = { "arn:aws:s3:::" .. order.bucket },
    detail = {
      version = "0", ["event-version"] = "1.2",
      bucket = { name = order.bucket, ["aws-generated-tags"] = generated_tags() },
      object = {
        key = key, size = 1024, etag = "d41d8cd98f00b204e9800998ecf8427e",
        ["version-id"] = "096fKKXTRTtl3on89fVO.nfljtsv6qko", sequencer = "0055AED6DCD90281E5",
        ["has-object-annotation"] = annotated(order),
      },
      ["request-id"] = "C3D13FE58DE4C810", requester = "123456789012", ["source-ip-address"] = "203.0.113.7",
      reason = reason,
    },
  }
end

-- Two members have other names where SNS calls a function itself: url is "Url" there, and "URL" in SQS.
local function notification(order, content, i, url)
  return {
    Type = "Notification", MessageId = "95df01b4-ee98-5cb9-9903-" .. serial(i),
    TopicArn = "arn:aws:sns:us-west-2:123456789012:crashes", Subject = "Amazon S3 Notification",
    Message = json.encode(content), Timestamp = order.second .. ".000Z", SignatureVersion = "1", Signature = "EXAMPLE",
    ["SigningCert" .. url] = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0000.pem",
    ["Unsubscribe" .. url] = "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
  }
end

local function sns_record(message)
  message.MessageAttributes = {}
  return {
    EventSource = "aws:sns", EventVersion = "1.0", Sns = message,
    EventSubscriptionArn = "arn:aws:sns:us-west-2:123456789012:crashes:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55",
  }
end

local function sqs_record(order, content, i)
  local ms = order.time .. "000"
  return {
    messageId = "059f36b4-87a3-44ab-83d2-" .. serial(i), receiptHandle = "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
    body = json.encode(content),
    attributes = {
      ApproximateReceiveCount = "1", SentTimestamp = ms, SenderId = "AIDAIENQZJOLO23YVJ4VO",
      ApproximateFirstReceiveTimestamp = ms,
    },
    messageAttributes = {}, md5OfBody = ("0"):rep(32), -- made up, as the signature of SNS is
    eventSource = "aws:sqs", eventSourceARN = "arn:aws:sqs:us-west-2:123456789012:crashes", awsRegion = "us-west-2",
  }
end

-- A message for each key; wrap(event, i) puts S3's event into what SQS carries.
local function in_sqs(order, wrap)
  return records(order, function(key, i)
    return sqs_record(order, wrap({ Records = { s3_record(order, key) } }, i), i)
  end)
end

-- What S3 Batch Operations sends; `name` and `value` make the member of the bucket.
local function job(order, version, name, value)
  if order.event_name ~= "ObjectCreated:Put" then
    return nil, "S3 Batch Operations has no event names, and Pigeon takes each task for an ObjectCreated:Put"
  end
  local tasks = {}
  for i, key in ipairs(order.keys) do
    tasks[i] = {
      taskId = "AAAAAAAAAAEcd4iZkTrc01j6cE" .. serial(i), s3Key = form_encode(key),
      s3VersionId = "096fKKXTRTtl3on89fVO.nfljtsv6qko", [name] = value,
    }
  end
  return {
    invocationSchemaVersion = version, invocationId = "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
    job = { id = "f3cc4f60-61f6-4a2b-8a21-d07600c373ce" }, tasks = tasks,
  }
end

-- For each kind: an order -> the event, or nil and why that is not possible.
local kinds = {}

function kinds.s3(order)
  return records(order, function(key) return s3_record(order, key) end)
end

function kinds.sqs(order)
  return in_sqs(order, function(content) return content end)
end

function kinds.sns(order)
  return { Records = { sns_record(notification(order, kinds.s3(order), 1, "Url")) } }
end

kinds["sns-sqs"] = function(order)
  return in_sqs(order, function(content, i) return notification(order, content, i, "URL") end)
end

function kinds.eventbridge(order)
  for _, row in ipairs(require("pigeon.event.eventbridge").names) do
    local kind, reason, name = table.unpack(row)
    if name == order.event_name and kind == "Object Created" then
      local list = {}
      for i, key in ipairs(order.keys) do list[i] = eventbridge_event(order, key, i, kind, reason) end
      return #list == 1 and list[1] or list
    end
  end
  return nil, "EventBridge has no creation event named " .. order.event_name
end

kinds["s3-batch"] = function(order)
  return job(order, "1.0", "s3BucketArn", "arn:aws:s3:::" .. order.bucket)
end

kinds["s3-batch-2"] = function(order)
  local made, problem = job(order, "2.0", "s3Bucket", order.bucket)
  if made then made.job.userArguments = { why = "backfill" } end
  return made, problem
end

-- The arguments after KIND -> the options, or nil and what is wrong.
local function read_options(arguments)
  local keys, given = {}, { ["--count"] = "1", ["--bucket"] = "crashes", ["--eventname"] = "ObjectCreated:Put" }
  for i = 2, #arguments, 2 do
    local name, value = arguments[i], arguments[i + 1]
    if name ~= "--key" and not given[name] then return nil, "unknown argument: " .. name end
    if not value or value == "" then return nil, name .. " has no value" end
    if name == "--key" then keys[#keys + 1] = value else given[name] = value end
  end
  if #keys == 0 then return nil, "--key is missing" end
  local count = given["--count"]:find("^%d+$") and math.tointeger(tonumber(given["--count"]))
  if not count or count < 1 or count > MOST // #keys then
    return nil, ("--count is %s, but must be a whole number from 1, and make at most %d objects in all"):format(
      given["--count"], MOST)
  end
  return { keys = keys, count = count, bucket = given["--bucket"], event_name = given["--eventname"] }
end

local function make_order(options)
  local now = os.time()
  local order = {
    keys = {}, bucket = options.bucket, event_name = options.event_name, time = now,
    second = os.date("!%Y-%m-%dT%H:%M:%S", now),
  }
  for i = 1, options.count * #options.keys do
    order.keys[i] = options.keys[(i - 1) % #options.keys + 1]
  end
  return order
end

--- The arguments after "event" -> the exit status, and the text: for stdout where the status is 0,
-- otherwise for stderr.
function event.run(arguments)
  local kind = arguments[1]
  local options, problem, made
  if not kinds[kind] then
    problem = kind and "unknown kind: " .. kind or "KIND is missing"
  else
    options, problem = read_options(arguments)
  end
  if options then made, problem = kinds[kind](make_order(options)) end
  if made then return 0, json.encode(made) .. "\n" end
  return 2, "pigeon event: " .. problem .. "\n\n" .. event.usage
end

--- {arguments} -> the report: finish() returns all of it.
function event.open(settings)
  return {
    finish = function()
      local status, text = event.run(settings.arguments)
      return text, status
    end,
  }
end

return event
