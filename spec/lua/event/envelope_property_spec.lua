--- Random objects in random envelopes: the same objects are read from each.
-- A failure names its round n; SEED=n busted ... begins with it.
local cjson = require "cjson"
local envelope = require "pigeon.event.envelope"

local ROUNDS = 2000
local PIECES = { "a", "Z", "0", "/", ".", "+", "%", "%2B", "%zz", " ", "\n", '"', "\\", "é", "\u{1F4A5}", "&", "=",
  "v2/raw_crash/" }
-- S3's name and EventBridge's reason
local NAMES = {
  { "ObjectCreated:Put", "PutObject" }, { "ObjectCreated:Post", "POST Object" },
  { "ObjectCreated:Copy", "CopyObject" }, { "ObjectCreated:CompleteMultipartUpload", "CompleteMultipartUpload" },
}

local random = math.random

local function one_of(list)
  return list[random(#list)]
end

local function maybe(value)
  if random(4) > 1 then return value end
end

local function random_object()
  local key = {}
  for i = 1, random(12) do key[i] = one_of(PIECES) end
  return {
    bucket = one_of { "crashes", "b.2" }, key = table.concat(key), event_name = one_of(NAMES)[1],
    time = maybe("2016-09-18T12:34:56Z"), size = maybe(random(0, 1 << 40)), region = maybe("us-west-2"),
    version_id = maybe("096fKKXTRTtl3on89fVO.nfljtsv6qko"), sequencer = maybe("0055AED6DCD90281E5"),
    source = "aws:s3",
  }
end

-- ------------------------------------------------------------------------ S3's own texts

local function percent(byte)
  return ("%%%02X"):format(byte:byte())
end

-- As S3, MinIO and LocalStack write it.
local ENCODERS = {
  function(key) return (key:gsub("[^%w%-%._*/ ]", percent):gsub(" ", "+")) end,
  function(key) return (key:gsub("[^%w%-%._~ ]", percent):gsub(" ", "+")) end,
  function(key) return (key:gsub("[^%w%-%._~/]", percent)) end,
}

local function notification(objects)
  local minio = random(3) == 1
  local records = {}
  for i, object in ipairs(objects) do
    records[i] = {
      eventVersion = one_of { "2.0", "2.1", "2.6" }, eventSource = minio and "minio:s3" or "aws:s3",
      eventName = (minio and "s3:" or "") .. object.event_name, eventTime = object.time,
      awsRegion = object.region or minio and "" or nil, another = { member = true },
      s3 = {
        bucket = { name = object.bucket, arn = "arn:aws:s3:::" .. object.bucket },
        object = {
          key = one_of(ENCODERS)(object.key), size = object.size, sequencer = object.sequencer,
          versionId = object.version_id or maybe(cjson.null),
        },
      },
    }
  end
  return { Records = records }
end

local function eventbridge(object)
  local reason
  for _, row in ipairs(NAMES) do
    if row[1] == object.event_name then reason = row[2] end
  end
  return {
    source = "aws.s3", ["detail-type"] = "Object Created", time = object.time, region = object.region,
    detail = {
      reason = reason, bucket = { name = object.bucket },
      object = { key = object.key, size = object.size, ["version-id"] = object.version_id,
        sequencer = object.sequencer },
    },
  }
end

local function bare(objects)
  if random(2) == 1 then return notification(objects) end
  if #objects == 1 and random(2) == 1 then return eventbridge(objects[1]) end
  local events = {}
  for i, object in ipairs(objects) do events[i] = eventbridge(object) end
  return events
end

-- ------------------------------------------------------------------------ envelopes

local wrap

local function split(objects)
  local parts, part = {}, {}
  for i, object in ipairs(objects) do
    part[#part + 1] = object
    if random(3) == 1 or i == #objects then parts[#parts + 1], part = part, {} end
  end
  return parts
end

local WRAPPERS = {
  function(objects, depth) -- SQS, sometimes with a test event between
    local records = {}
    local function message(content)
      records[#records + 1] = { eventSource = "aws:sqs", messageId = "m" .. #records, body = cjson.encode(content),
        eventSourceARN = "arn:aws:sqs:us-west-2:123456789012:crashes" }
    end
    for _, part in ipairs(split(objects)) do
      if random(5) == 1 then message { Event = "s3:TestEvent", Bucket = "crashes" } end
      message(wrap(part, depth))
    end
    return { Records = records }
  end,
  function(objects, depth) -- SNS, where it calls a function
    return { Records = { { EventSource = "aws:sns", Sns = { Message = cjson.encode(wrap(objects, depth)) } } } }
  end,
  function(objects, depth) -- SNS elsewhere
    return { Type = "Notification", TopicArn = "arn:aws:sns:us-west-2:1:t",
      Message = cjson.encode(wrap(objects, depth)) }
  end,
  function(objects, depth) -- a failed invocation
    return { requestContext = { condition = "RetriesExhausted" }, requestPayload = wrap(objects, depth) }
  end,
  function(objects, depth) -- the same by EventBridge, which counts as two
    if depth == 0 then return bare(objects) end
    return { source = "lambda", ["detail-type"] = "Lambda Function Invocation Result - Failure", detail = {
      requestContext = { condition = "EventAgeExceeded" }, requestPayload = wrap(objects, depth - 1) } }
  end,
}

function wrap(objects, depth)
  if depth == 0 then return bare(objects) end
  return one_of(WRAPPERS)(objects, depth - 1)
end

describe("any envelope", function()
  it(("gives back what was put into it, in %d rounds"):format(ROUNDS), function()
    local first = tonumber(os.getenv("SEED")) or os.time()
    for seed = first, first + ROUNDS - 1 do
      math.randomseed(seed)
      local objects, read = {}, {}
      for i = 1, random(6) do objects[i] = random_object() end
      local input = cjson.encode(wrap(objects, random(0, 8)))
      local batch, problem = envelope.read(input)
      assert(batch, ("SEED=%d: %s: %s"):format(seed, problem, input))
      for _, entry in ipairs(batch.entries) do
        read[#read + 1] = entry.object or not entry.skipped and entry or nil
      end
      assert.same(objects, read, ("SEED=%d: %s"):format(seed, input))
    end
  end)
end)
