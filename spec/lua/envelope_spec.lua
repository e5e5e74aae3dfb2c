local cjson = require "cjson"
local envelope = require "pigeon.envelope"

local function fixture(name)
  local file = assert(io.open("spec/fixtures/" .. name))
  local text = file:read("a")
  file:close()
  return text
end

-- An event with one good S3 record, changed by `change`.
local function event_with(change)
  local event = cjson.decode(fixture("s3_put.json"))
  change(event.Records[1], event)
  return cjson.encode(event)
end

local function only_entry(input)
  local entries = assert(envelope.read(input))
  assert.equal(1, #entries)
  return entries[1]
end

describe("envelope.read", function()
  it("reads S3's own notification", function()
    assert.same({ {
      label = "v2/raw_crash/de1/20160918/de1bb258-cbbf-4589-a673-34f801160918",
      object = {
        bucket = "crashes", key = "v2/raw_crash/de1/20160918/de1bb258-cbbf-4589-a673-34f801160918",
        event_name = "ObjectCreated:Put", time = "2016-09-18T12:34:56.789Z", size = 1024,
        region = "us-west-2", version_id = "096fKKXTRTtl3on89fVO.nfljtsv6qko",
        sequencer = "0055AED6DCD90281E5", source = "aws:s3",
      },
    } }, (envelope.read(fixture("s3_put.json"))))
  end)

  it("gives a size as an integer", function()
    assert.equal("integer", math.type(only_entry(fixture("s3_put.json")).object.size))
  end)

  it("takes a deletion, which has no size", function()
    local object = only_entry(fixture("s3_deleted.json")).object
    assert.equal("ObjectRemoved:Delete", object.event_name)
    assert.is_nil(object.size)
  end)

  it("drops the prefix s3: of an event name", function()
    local entry = only_entry(event_with(function(record) record.eventName = "s3:ObjectCreated:Put" end))
    assert.equal("ObjectCreated:Put", entry.object.event_name)
  end)

  it("takes null for what may be missing", function()
    local entry = only_entry(event_with(function(record)
      record.eventTime, record.awsRegion = cjson.null, cjson.null
      record.s3.object.versionId, record.s3.object.size = cjson.null, cjson.null
    end))
    assert.is_nil(entry.object.version_id)
    assert.is_nil(entry.object.size)
    assert.is_nil(entry.object.time)
  end)

  for encoded, key in pairs {
    ["plain/key"] = "plain/key",
    ["my+file%2B1%C3%A9.txt"] = "my file+1é.txt",
    ["v2%2Fraw_crash%2fx"] = "v2/raw_crash/x",
    ["a%20b%2Bc"] = "a b+c",
    ["100%zz"] = "100%zz",
    ["100%"] = "100%",
    ["100%4"] = "100%4",
    ["%25%32%35"] = "%25",
    ["a%0Ab%00c"] = "a\nb\0c",
    ["%FF%FE"] = "\xff\xfe",
  } do
    it(("decodes the key %s"):format(encoded), function()
      local entry = only_entry(event_with(function(record) record.s3.object.key = encoded end))
      assert.equal(key, entry.object.key)
      assert.equal(key, entry.label)
    end)
  end

  for _, case in ipairs {
    { "a missing key", "Records[0].s3.object.key is missing", function(r) r.s3.object.key = nil end },
    { "a key of null", "Records[0].s3.object.key is null, and should be a string",
      function(r) r.s3.object.key = cjson.null end },
    { "an empty key", "Records[0].s3.object.key is empty", function(r) r.s3.object.key = "" end },
    { "a number as key", "Records[0].s3.object.key is a number, and should be a string",
      function(r) r.s3.object.key = 7 end },
    { "a list as object", "Records[0].s3.object.key is missing", function(r) r.s3.object = { "x" } end },
    { "a string as object", "Records[0].s3.object is a string, and should be an object",
      function(r) r.s3.object = "x" end },
    { "a missing object", "Records[0].s3.object is missing", function(r) r.s3.object = nil end },
    { "a missing bucket", "Records[0].s3.bucket is missing", function(r) r.s3.bucket = nil end },
    { "a bucket without a name", "Records[0].s3.bucket.name is missing", function(r) r.s3.bucket.name = nil end },
    { "an object as bucket's name", "Records[0].s3.bucket.name is an object, and should be a string",
      function(r) r.s3.bucket.name = { a = 1 } end },
    { "a missing s3", "Records[0].s3 is missing", function(r) r.s3 = nil end },
    { "s3 of null", "Records[0].s3 is null, and should be an object", function(r) r.s3 = cjson.null end },
    { "a missing event name", "Records[0].eventName is missing", function(r) r.eventName = nil end },
    { "a boolean as event name", "Records[0].eventName is a boolean, and should be a string",
      function(r) r.eventName = true end },
    { "a string as size", "Records[0].s3.object.size is a string, and should be a number",
      function(r) r.s3.object.size = "1" end },
    { "a list as time", "Records[0].eventTime is a list, and should be a string",
      function(r) r.eventTime = { 1 } end },
    { "a number as version", "Records[0].s3.object.versionId is a number, and should be a string",
      function(r) r.s3.object.versionId = 1 end },
    { "a missing source", "Records[0].eventSource is missing", function(r) r.eventSource = nil end },
    { "a number as source", "Records[0].eventSource is a number, and should be a string",
      function(r) r.eventSource = 3 end },
  } do
    it("says where there is " .. case[1], function()
      local entry = only_entry(event_with(case[3]))
      assert.same({ label = "Records[0]", problem = case[2] }, entry)
    end)
  end

  for _, record in ipairs { "null", "1", '"x"', "true" } do
    it("says that a record is " .. record, function()
      local entry = only_entry('{"Records":[' .. record .. "]}")
      assert.matches("^Records%[0%] is .*, and should be an object$", entry.problem)
    end)
  end

  it("lets a bad record fail alone", function()
    local entries = envelope.read(fixture("s3_mixed.json"))
    assert.equal(5, #entries)
    assert.equal("v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", entries[1].object.key)
    assert.same({ label = "Records[1]", problem = "Records[1].s3.object.key is missing" }, entries[2])
    assert.same({ label = "Records[3]", skipped = "a record of another source" }, entries[4])
    assert.equal("v2/dump_names/00007bd0-2d1c-4865-af09-80bc01180313", entries[5].object.key)
  end)

  it("leaves records of other sources alone, with SNS's capital letter too", function()
    local entries = envelope.read('{"Records":[{"EventSource":"aws:sns"},{"eventSource":"aws:ses"}]}')
    assert.equal(2, #entries)
    assert.is_truthy(entries[1].skipped)
    assert.is_truthy(entries[2].skipped)
  end)

  it("finds no objects in an empty list", function()
    assert.same({}, (envelope.read('{"Records":[]}')))
  end)

  for input, problem in pairs {
    [""] = "the event is not JSON: ",
    ["{"] = "the event is not JSON: ",
    ["\xff\xfe"] = "the event is not JSON: ",
    ['{"Records":[NaN]}'] = "the event is not JSON: ",
    ['{"Records":[]} x'] = "the event is not JSON: ",
    ['{"Records":' .. ("["):rep(65) .. ("]"):rep(65) .. "}"] = "the event is not JSON: Found too many nested",
    ["null"] = "the event is null, and should be an object with Records",
    ["7"] = "the event is a number, and should be an object with Records",
    ['"Records"'] = "the event is a string, and should be an object with Records",
    ["[]"] = "the event has no Records",
    ["{}"] = "the event has no Records",
    ['{"records":[]}'] = "the event has no Records",
    ['{"Records":null}'] = "the event's Records is null, and should be a list",
    ['{"Records":"x"}'] = "the event's Records is a string, and should be a list",
    ['{"Records":{"a":1}}'] = "the event's Records is an object, and should be a list",
  } do
    it(("refuses the event %q"):format(input:sub(1, 40)), function()
      local entries, why = envelope.read(input)
      assert.is_nil(entries)
      assert.equal(problem, why:sub(1, #problem))
    end)
  end

  it("reads an event of 6 MB", function()
    local record = cjson.encode(cjson.decode(fixture("s3_put.json")).Records[1])
    local count = 6000000 // (#record + 1)
    local entries = envelope.read('{"Records":[' .. (record .. ","):rep(count - 1) .. record .. "]}")
    assert.equal(count, #entries)
    assert.equal("crashes", entries[count].object.bucket)
  end)
end)
