local cjson = require "cjson"
local envelope = require "pigeon.event.envelope"
local event = require "pigeon.desk.event"
local fixtures = require "spec.support.fixtures"

local KEY = 'v2/raw_crash/a+b %2B"\\é/\n%KEY%'
local KINDS = { "s3", "sqs", "sns", "sns-sqs", "eventbridge" }
local OF_TASKS = { "s3-batch", "s3-batch-2" } -- they carry neither an event's name nor a time nor a size

local function made(...)
  local status, text = event.run { ... }
  assert.equal(0, status, text)
  assert.matches("^[^\n]+\n$", text)
  return text
end

-- The names of all members at any depth; a list counts as its first element, and a string of
-- JSON as its value.
local function members(value, place, names)
  if type(value) == "string" and value:find("^{") then value = cjson.decode(value) end
  if type(value) ~= "table" then return names end
  for name, inner in pairs(value) do
    if type(name) == "string" then names[place .. name] = type(inner) end
    if name == 1 or type(name) == "string" then members(inner, place .. name .. ".", names) end
  end
  return names
end

describe("pigeon event", function()
  for _, kind in ipairs(KINDS) do
    it("makes a valid event: " .. kind, function()
      local text = made(kind, "--key", KEY, "--bucket", 'b"%', "--eventname", "ObjectCreated:Copy")
      local batch = assert(envelope.read(text))
      assert.equal(1, #batch.entries)
      local object = batch.entries[1].object
      assert.equal(KEY, object.key)
      assert.equal('b"%', object.bucket)
      assert.equal("ObjectCreated:Copy", object.event_name)
      assert.equal(1024, object.size)
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[.0]*Z$", object.time)
    end)

    it("makes the objects of each key so often: " .. kind, function()
      local batch = assert(envelope.read(made(kind, "--key", "a", "--key", "b", "--count", "3")))
      local keys = {}
      for i, entry in ipairs(batch.entries) do keys[i] = entry.object.key end
      assert.same({ "a", "b", "a", "b", "a", "b" }, keys)
    end)
  end

  for kind, name in pairs { s3 = "s3_put", sqs = "sqs_s3", sns = "sns_s3", ["sns-sqs"] = "sqs_sns_s3",
    eventbridge = "eventbridge", ["s3-batch"] = "s3_batch", ["s3-batch-2"] = "s3_batch_2" } do
    it("has every member of a real one: " .. kind, function()
      assert.same(members(fixtures.event(name), "", {}), members(cjson.decode(made(kind, "--key", "k")), "", {}))
    end)
  end

  for _, kind in ipairs(OF_TASKS) do
    it("makes a task for each key, so often: " .. kind, function()
      local batch = assert(envelope.read(made(kind, "--key", KEY, "--key", "b", "--count", "2", "--bucket", "b.2")))
      local keys, ids = {}, {}
      for i, entry in ipairs(batch.entries) do
        assert.same({ "b.2", "ObjectCreated:Put" }, { entry.object.bucket, entry.object.event_name })
        assert.is_nil(ids[entry.task])
        keys[i], ids[entry.task] = entry.object.key, true
      end
      assert.same({ KEY, "b", KEY, "b" }, keys)
    end)
  end

  it("has the members of today's schemas, 2.6 of S3 and 1.2 of EventBridge", function()
    for name, annotated in pairs { Put = cjson.null, Copy = false } do
      local record = cjson.decode(made("s3", "--key", "k", "--eventname", "ObjectCreated:" .. name)).Records[1]
      local detail = cjson.decode(made("eventbridge", "--key", "k", "--eventname", "ObjectCreated:" .. name)).detail
      assert.same({ "2.6", "1.2" }, { record.eventVersion, detail["event-version"] })
      assert.equal("Crashes", record.s3.bucket.awsGeneratedTags["aws:cloudformation:logical-id"])
      assert.same(record.s3.bucket.awsGeneratedTags, detail.bucket["aws-generated-tags"])
      local function or_null(value) return value == nil and cjson.null or value end
      assert.equal(annotated, or_null(record.s3.object.hasObjectAnnotation))
      assert.equal(annotated, or_null(detail.object["has-object-annotation"]))
    end
  end)

  it("gives each message of a batch an id of its own", function()
    local seen = {}
    for _, record in ipairs(cjson.decode(made("sqs", "--key", KEY, "--count", "20")).Records) do
      assert.is_nil(seen[record.messageId])
      seen[record.messageId] = true
      assert.equal(("0"):rep(32), record.md5OfBody)
    end
  end)

  it("sorts the members, so that an event differs from another only by its times", function()
    local function timeless(kind)
      return (made(kind, "--key", KEY):gsub("%d+%-%d%d%-%d%dT[%d:.]+Z", ""):gsub('Timestamp\\?":\\?"%d+', ""))
    end
    for _, kind in ipairs(KINDS) do assert.equal(timeless(kind), timeless(kind)) end
    assert.matches('^{"Records":%[{"awsRegion":"us%-west%-2","eventName":', timeless("s3"))
  end)

  it("has one record of SNS, however many objects", function()
    assert.equal(1, #cjson.decode(made("sns", "--key", "a", "--count", "5")).Records)
  end)

  for problem, arguments in pairs {
    ["KIND is missing"] = {},
    ["unknown kind: kafka"] = { "kafka", "--key", "k" },
    ["--key is missing"] = { "s3" },
    ["--key has no value"] = { "s3", "--key" },
    ["--bucket has no value"] = { "s3", "--key", "k", "--bucket", "" },
    ["unknown argument: --nonsense"] = { "s3", "--key", "k", "--nonsense", "x" },
    ["unknown argument: x"] = { "s3", "x", "--key" },
    ["--count is 0, but must be a whole number from 1, and make at most 10000 objects in all"] =
      { "s3", "--key", "k", "--count", "0" },
    ["--count is -1, but must be a whole number from 1, and make at most 10000 objects in all"] =
      { "s3", "--key", "k", "--count", "-1" },
    ["--count is 1.0, but must be a whole number from 1, and make at most 10000 objects in all"] =
      { "s3", "--key", "k", "--count", "1.0" },
    ["--count is 10001, but must be a whole number from 1, and make at most 10000 objects in all"] =
      { "s3", "--key", "k", "--count", "10001" },
    ["--count is 99999999999999999999, but must be a whole number from 1, and make at most 10000 objects in all"] =
      { "s3", "--key", "k", "--count", "99999999999999999999" },
    ["--count is 9223372036854775807, but must be a whole number from 1, and make at most 10000 objects in all"] =
      { "s3", "--key", "k", "--key", "k", "--count", "9223372036854775807" },
    ["EventBridge has no creation event named ObjectRemoved:Delete"] =
      { "eventbridge", "--key", "k", "--eventname", "ObjectRemoved:Delete" },
    ["S3 Batch Operations has no event names, and Pigeon takes each task for an ObjectCreated:Put"] =
      { "s3-batch", "--key", "k", "--eventname", "ObjectCreated:Copy" },
  } do
    it("refuses what it cannot do: " .. problem, function()
      local status, text = event.run(arguments)
      assert.equal(2, status)
      assert.equal("pigeon event: " .. problem .. "\n\n" .. event.usage, text)
    end)
  end
end)
