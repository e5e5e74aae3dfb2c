local cjson = require "cjson"
local envelope = require "pigeon.event.envelope"
local fixtures = require "spec.support.fixtures"

local KEY = "v2/raw_crash/de1/20160918/de1bb258-cbbf-4589-a673-34f801160918"

local function changed(table, changes)
  local copy = {}
  for name, value in pairs(table) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value or nil end
  return copy
end

-- The object in each fixture: this one, with the changes of its line.
local OBJECT = {
  bucket = "crashes", key = KEY, event_name = "ObjectCreated:Put", time = "2016-09-18T12:34:56.789Z",
  size = 1024, region = "us-west-2", version_id = "096fKKXTRTtl3on89fVO.nfljtsv6qko",
  sequencer = "0055AED6DCD90281E5", source = "aws:s3",
}
local EVENTBRIDGE = changed(OBJECT, { time = "2016-09-18T12:34:56Z" })

local SHAPES = {
  s3_put = { OBJECT },
  s3_deleted = { changed(OBJECT, {
    event_name = "ObjectRemoved:Delete", size = false, version_id = false, sequencer = "0055AED6DCD90281E6",
    time = "2016-09-18T12:40:00.000Z" }) },
  sns_s3 = { OBJECT },
  sqs_s3 = { OBJECT },
  sqs_sns_s3 = { OBJECT },
  sqs_raw_sns_s3 = { OBJECT },
  eventbridge = { EVENTBRIDGE },
  eventbridge_list = { EVENTBRIDGE, changed(EVENTBRIDGE, {
    key = "100%25/a+b c", event_name = "ObjectCreated:CompleteMultipartUpload" }) },
  sqs_eventbridge = { EVENTBRIDGE },
  test_event = {}, sqs_test_event = {}, sns_test_event = {}, sqs_sns_test_event = {},
  failure_s3 = { OBJECT },
  sqs_failure_s3 = { OBJECT },
  sqs_failure_eventbridge = { EVENTBRIDGE },
  sqs_sns_failure_sns_s3 = { OBJECT },
  sqs_dead_letter_s3 = { OBJECT },
  eventbridge_replay = { EVENTBRIDGE },
  sns_eventbridge = { EVENTBRIDGE },
  sqs_sns_eventbridge = { EVENTBRIDGE },
  pipes_sqs = { OBJECT },
  -- a failed invocation's record: from a Lambda destination, a bus, a topic; what aged; a record that failed
  failure_aged_s3 = { OBJECT },
  failure_failure_s3 = { OBJECT },
  eventbridge_failure_s3 = { OBJECT },
  sqs_eventbridge_failure_s3 = { OBJECT },
  sns_failure_s3 = { OBJECT },
  sqs_sns_eventbridge_failure_sns_eventbridge = { EVENTBRIDGE },
  -- dead letters: of a function by SNS, of a rule's target, of a topic's subscription, of a queue
  sns_dead_letter_s3 = { OBJECT },
  sqs_dead_letter_eventbridge = { EVENTBRIDGE },
  sqs_dead_letter_sns = { OBJECT },
  sqs_dead_letter_sqs = { OBJECT },
  minio = { changed(OBJECT, { region = false, version_id = false, sequencer = "175F2B6B8F0E3C1A" }) },
  localstack = { changed(OBJECT, { key = "a b+c", region = "us-east-1", version_id = false }) },
  s3_batch = { changed(OBJECT, { time = false, size = false, region = false, sequencer = false }) },
  s3_batch_2 = { changed(OBJECT, { time = false, size = false, region = false, sequencer = false }),
    { bucket = "crashes", key = "v2/dump_names/a b+c d", event_name = "ObjectCreated:Put", source = "aws:s3" } },
}

-- Fixtures that are left out as a whole: the label, why, and the source.
local SKIPPED = {
  success_s3 = { "the event", "the record of an invocation that succeeded" },
  eventbridge_success_s3 = { "detail", "the record of an invocation that succeeded" },
  eventbridge_cloudtrail = { 'the event, "AWS API Call via CloudTrail"',
    "an event from EventBridge that is not one of S3's \"Object ...\" events", "aws.s3" },
  eventbridge_ec2 = { 'the event, "EC2 Instance State-change Notification"',
    "an event from EventBridge of another source", "aws.ec2" },
}

-- Fixtures that Pigeon must not take for a success: what is wrong with their only record.
local REFUSED = {
  ceph = 'Records[0].eventSource is "ceph:s3", which Pigeon does not read',
  rustfs = 'Records[0].eventSource is "rustfs:s3", which Pigeon does not read',
  sqs_sns_confirmation = 'Records[0].body is a "SubscriptionConfirmation" from SNS, but must be a "Notification"; '
    .. "open its SubscribeURL to confirm the subscription",
  sqs_failure_without_payload = "Records[0].body.requestPayload is missing (SNS drops one over 256 KB); "
    .. "find out what failed and send it again",
}

-- This fixture has a spec of its own.
local NOT_HERE = { s3_mixed = true }

local function only_entry(input)
  local entries = assert(envelope.read(input)).entries
  assert.equal(1, #entries)
  return entries[1]
end

-- Messages of SQS with these bodies.
local function batch(...)
  local records = {}
  for i, body in ipairs { ... } do
    records[i] = { eventSource = "aws:sqs", messageId = "m" .. i, body = body,
      eventSourceARN = "arn:aws:sqs:us-west-2:123456789012:crashes" }
  end
  return { Records = records }
end

local function in_sqs(...)
  return cjson.encode(batch(...))
end

local function in_sns(message)
  return cjson.encode { Type = "Notification", TopicArn = "arn:aws:sns:us-west-2:1:t", Message = message }
end

describe("a fixture", function()
  for name, objects in pairs(SHAPES) do
    it(("called %s holds %d objects"):format(name, #objects), function()
      local read, entries = {}, assert(envelope.read(fixtures.text(name))).entries
      for _, entry in ipairs(entries) do
        assert.is_nil(entry.problem)
        if entry.object then
          read[#read + 1] = entry.object
          assert.equal(entry.object.key, entry.label)
          assert.equal(entry.object.size and "integer", entry.object.size and math.type(entry.object.size))
        else
          assert.equal("s3:TestEvent", entry.skipped)
        end
      end
      assert.same(objects, read)
      assert.equal(math.max(1, #objects) + (name == "pipes_sqs" and 1 or 0), #entries)
    end)
  end

  for name, expected in pairs(SKIPPED) do
    it(("called %s is left out, and why is known"):format(name), function()
      local entry = only_entry(fixtures.text(name))
      assert.same(expected, { entry.label, entry.skipped, entry.source })
      assert.is_nil(entry.problem)
    end)
  end

  for name, problem in pairs(REFUSED) do
    it(("called %s is an error that names what it is"):format(name), function()
      local entry = only_entry(fixtures.text(name))
      assert.equal(problem, entry.problem)
      assert.is_nil(entry.skipped)
    end)
  end

  it("is not forgotten here", function()
    local pipe = io.popen("ls spec/fixtures/*.json")
    local found = 0
    for path in pipe:lines() do
      local name = path:match("([^/]+)%.json$")
      assert.is_true((SHAPES[name] or SKIPPED[name] or REFUSED[name] or NOT_HERE[name]) ~= nil, name)
      found = found + 1
    end
    pipe:close()
    assert.is_true(found > 40)
  end)
end)

describe("an SQS batch", function()
  it("has the name of its queue, and its messages' ids with what was in them", function()
    local read = envelope.read(in_sqs(fixtures.text("s3_put"), "{", fixtures.text("test_event"),
      fixtures.text("s3_mixed")))
    assert.equal("crashes", read.queue)
    local ids = {}
    for i, entry in ipairs(read.entries) do ids[i] = entry.message end
    assert.same({ "m1", "m2", "m3", "m4", "m4", "m4", "m4", "m4" }, ids)
  end)

  for _, case in ipairs {
    { "not JSON", "not JSON", "Records[0].body is not JSON: " },
    { "empty", "", "Records[0].body is empty" },
    { "a number", "7", "Records[0].body is a number, but must be an object with Records" },
    { "no S3 event", '{"hello":"world"}', "Records[0].body has no Records, and is not another event of S3" },
    { "a bad notification", '{"Records":[{"eventSource":"aws:s3"}]}', "Records[0].body.Records[0].s3 is missing" },
    { "SNS without JSON", in_sns("hello"), "Records[0].body.Message is not JSON: " },
    { "a list of others", '[{"a":1}]',
      "Records[0].body[0] is neither a record nor an event from EventBridge, and a list may hold only those" },
    { "a list of no objects", "[7]", "Records[0].body[0] is neither a record nor an event from EventBridge" },
    { "a confirmation of SNS that ended", '{"Type":"UnsubscribeConfirmation","TopicArn":"t","Message":"m"}',
      'Records[0].body is a "UnsubscribeConfirmation" from SNS, but must be a "Notification"' },
    { "a failure without its event", fixtures.event("sqs_failure_without_payload").Records[1].body,
      "Records[0].body.requestPayload is missing (SNS drops one over 256 KB)" },
    { "a failure whose event is null", '{"requestContext":{"condition":"x"},"requestPayload":null}',
      "Records[0].body.requestPayload is missing" },
    { "a failure whose event is a number", '{"requestContext":{"condition":"x"},"requestPayload":7}',
      "Records[0].body.requestPayload is a number, but must be an object with Records" },
  } do
    it("with a body that is " .. case[1] .. " fails in that message alone", function()
      local entries = envelope.read(in_sqs(case[2], fixtures.text("s3_put"))).entries
      assert.equal(2, #entries)
      assert.equal("m1", entries[1].message)
      assert.equal(case[3], entries[1].problem:sub(1, #case[3]))
      assert.equal(KEY, entries[2].object.key)
    end)
  end

  it("from a pipe, a list of messages, has the name of its queue and its messages' ids too", function()
    local read = envelope.read(cjson.encode(batch(fixtures.text("s3_put"), "{", fixtures.text("test_event")).Records))
    assert.equal("crashes", read.queue)
    local ids = {}
    for i, entry in ipairs(read.entries) do ids[i] = entry.message end
    assert.same({ "m1", "m2", "m3" }, ids)
    assert.equal(KEY, read.entries[1].object.key)
    assert.equal("[1].body is not JSON: ", read.entries[2].problem:sub(1, 22))
    assert.equal("s3:TestEvent", read.entries[3].skipped)
  end)

  it("without a body fails in that message alone", function()
    local event = batch("x", fixtures.text("s3_put"))
    event.Records[1].body = nil
    local entries = envelope.read(cjson.encode(event)).entries
    assert.equal("Records[0].body is missing", entries[1].problem)
    assert.equal(KEY, entries[2].object.key)
  end)

  for what, change in pairs {
    ["a message without an id"] = function(records) records[2].messageId = nil end,
    ["an empty id"] = function(records) records[1].messageId = "" end,
    ["an id that is not UTF-8"] = function(records) records[1].messageId = "m\xFF" end,
    ["a message without an ARN"] = function(records) records[2].eventSourceARN = nil end,
    ["messages of two queues"] = function(records) records[2].eventSourceARN = "arn:aws:sqs:us-west-2:1:crashes" end,
    ["a record that is not a message"] = function(records) records[3] = { eventSource = "aws:s3" } end,
    ["null between"] = function(records) records[3] = cjson.null end,
  } do
    it("with " .. what .. " has no queue: nothing in it can be told apart", function()
      local event = batch(fixtures.text("s3_put"), "{")
      change(event.Records)
      local read = envelope.read(cjson.encode(event))
      assert.is_nil(read.queue)
      for _, entry in ipairs(read.entries) do assert.is_nil(entry.message) end
    end)
  end

  it("has an ARN without a colon, and of any length", function()
    local start = os.clock()
    local event = batch(fixtures.text("s3_put"))
    for _, case in ipairs { { ("a"):rep(100000) }, { ("a:"):rep(50000) .. "q", "q" } } do
      event.Records[1].eventSourceARN = case[1]
      assert.equal(case[2] or case[1], envelope.read(cjson.encode(event)).queue)
    end
    assert.is_true(os.clock() - start < 5) -- of CPU; it was 50 s
  end)

  it("of more than 100 that cannot be read has an entry for each", function()
    local bodies = {}
    for i = 1, 150 do bodies[i] = "{" end
    local entries = envelope.read(in_sqs(table.unpack(bodies))).entries
    assert.equal(150, #entries)
    assert.equal("m150", entries[150].message)
  end)

  it("has 100 entries for what is wrong in all its messages, and then one for each message", function()
    local entries = envelope.read(in_sqs('{"Records":[' .. ("0,"):rep(59) .. "0]}",
      '{"Records":[' .. ("0,"):rep(59) .. "0]}", '{"Records":[{"eventSource":"aws:s3"}]}', "{")).entries
    local ids = {}
    for _, entry in ipairs(entries) do ids[entry.message] = (ids[entry.message] or 0) + 1 end
    assert.same({ m1 = 60, m2 = 41, m3 = 1, m4 = 1 }, ids)
    assert.equal("20 more entries of Records[1].body.Records cannot be read", entries[101].problem)
    assert.equal("Records[2].body.Records[0].s3 is missing", entries[102].problem)
    assert.matches("^Records%[3%]%.body is not JSON: ", entries[103].problem)
  end)

  it("inside something else has no queue either", function()
    local read = envelope.read(cjson.encode {
      requestContext = { condition = "RetriesExhausted" }, requestPayload = batch(fixtures.text("s3_put")) })
    assert.is_nil(read.queue)
    assert.is_nil(read.entries[1].message)
    assert.equal(KEY, read.entries[1].object.key)
  end)
end)

describe("a member of a record", function()
  -- JSON, and its name in errors
  local VALUES = { ["null"] = "null", ["7"] = "a number", ["true"] = "a boolean", ['"x"'] = "a string",
    ['""'] = "a string", ["{}"] = "an object", ["[7]"] = "a list" }

  local function record_with(path, json)
    local record = fixtures.event("s3_put").Records[1]
    local parent, last = record, path:match("[^.]*$")
    for name in path:gmatch("(%w+)%.") do parent = parent[name] end
    parent[last] = json and "THIS"
    return (cjson.encode(record):gsub('"THIS"', json or ""))
  end

  -- The place of the second record, and the entries of an event with a good record on each side.
  local WAYS = {
    { "Records[1]", function(record)
      local good = cjson.encode(fixtures.event("s3_put").Records[1])
      return ('{"Records":[%s,%s,%s]}'):format(good, record, good)
    end },
    { "Records[1].body.Records[0]", function(record)
      return in_sqs(fixtures.text("s3_put"), ('{"Records":[%s]}'):format(record), fixtures.text("s3_put"))
    end },
    { "Records[0].Sns.Message.Records[1]", function(record)
      local good = cjson.encode(fixtures.event("s3_put").Records[1])
      return cjson.encode { Records = { { EventSource = "aws:sns", Sns = {
        Message = ('{"Records":[%s,%s,%s]}'):format(good, record, good) } } } }
    end },
  }

  local function check(path, json, problem)
    for _, way in ipairs(WAYS) do
      local entries = assert(envelope.read(way[2](record_with(path, json)))).entries
      assert.equal(3, #entries)
      assert.same(OBJECT, entries[1].object)
      assert.same(OBJECT, entries[3].object)
      assert.equal(problem and ("%s.%s%s"):format(way[1], path, problem), entries[2].problem)
      assert.equal(problem and way[1] or KEY, entries[2].label)
      assert.equal(problem ~= nil, entries[2].object == nil)
    end
  end

  for _, member in ipairs {
    { "s3", "an object", true }, { "s3.bucket", "an object", true }, { "s3.object", "an object", true },
    { "s3.bucket.name", "a string", true }, { "s3.object.key", "a string", true },
    { "eventName", "a string", true }, { "eventVersion", "a string" }, { "eventTime", "a string" },
    { "awsRegion", "a string" }, { "s3.object.size", "a number" }, { "s3.object.versionId", "a string" },
    { "s3.object.sequencer", "a string" },
  } do
    local path, kind, due = table.unpack(member)
    it(("%s, where it is something else, is called so, and its record fails alone"):format(path), function()
      check(path, nil, due and " is missing")
      for json, name in pairs(VALUES) do
        local fits = name == kind or kind == "an object" and name == "a list"
        local missing = not due and (json == "null" or json == '""')
        if not fits and not missing then check(path, json, (" is %s, but must be %s"):format(name, kind)) end
        if missing then check(path, json) end
      end
      if due and kind == "a string" then check(path, '""', " is empty") end
    end)
  end

  it("eventSource, where it is something else, is called so, unless EventSource says what the record is", function()
    check("eventSource", nil, " is missing")
    check("eventSource", "null", " is null, but must be a string")
    check("eventSource", '""', " is empty")
    check("eventSource", "{}", " is an object, but must be a string")
    check("EventSource", "7")
    check("EventSource", '"aws:s3"')
    assert.equal("", only_entry('{"Records":[{"EventSource":"","eventSource":7}]}').source)
  end)
end)

describe("envelopes in each other", function()
  local function nested(depth)
    local inner = fixtures.text("s3_put")
    for _ = 2, depth do inner = in_sns(inner) end
    return in_sqs(inner)
  end

  it("are unwrapped to a depth of 8", function()
    for depth = 1, 8 do assert.equal(KEY, only_entry(nested(depth)).object.key) end
  end)

  it("are a problem where there are more", function()
    assert.equal("Records[0].body" .. (".Message"):rep(8) .. " is in more than 8 envelopes",
      only_entry(nested(9)).problem)
    assert.matches("in more than 8 envelopes$", only_entry(nested(13)).problem)
  end)
end)

describe("a failure without its event", function()
  it("is an error where it came alone", function()
    local read, problem = envelope.read(fixtures.event("sqs_failure_without_payload").Records[1].body)
    assert.is_nil(read)
    assert.matches("^requestPayload is missing", problem)
  end)
end)

describe("envelope.read", function()
  for _, record in ipairs { "null", "1", '"x"', "true" } do
    it("says that a record is " .. record, function()
      local entry = only_entry('{"Records":[' .. record .. "]}")
      assert.matches("^Records%[0%] is .*, but must be an object$", entry.problem)
    end)
  end

  it("lets a bad record fail alone", function()
    local entries = envelope.read(fixtures.text("s3_mixed")).entries
    assert.equal(5, #entries)
    assert.equal("v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", entries[1].object.key)
    assert.same({ label = "Records[1]", problem = "Records[1].s3.object.key is missing" }, entries[2])
    assert.same({ label = "Records[3]", skipped = "a record of another source", source = "aws:dynamodb" }, entries[4])
    assert.equal("v2/dump_names/00007bd0-2d1c-4865-af09-80bc01180313", entries[5].object.key)
  end)

  for what, case in pairs {
    ["that is not an object"] = { "[0,", "0,", "0]", '{"Records":%s}', "201 more entries of Records cannot be read" },
    ["without a source"] = { "[{},", "{},", "{}]", '{"Records":%s}', "201 more entries of Records cannot be read" },
    ["that is not an event of EventBridge"] = { "[0,", "0,", "0]", "%s",
      "201 more entries of the event cannot be read" },
    ["in a list, without a source"] = { '[{"eventSource":7},', '{"eventSource":7},', '{"eventSource":7}]', "%s",
      "201 more entries of the event cannot be read" },
  } do
    it("says of 100 records " .. what .. " that they are wrong, and how many more there are", function()
      local list = case[1] .. case[2]:rep(299) .. case[3]
      local entries = envelope.read((case[4]:gsub("%%s", function() return list end))).entries
      assert.equal(101, #entries)
      assert.equal(case[5], entries[101].problem)
    end)
  end

  it("says what is wrong with an event of EventBridge that came alone", function()
    assert.same({ label = "the event", problem = "detail is missing" },
      only_entry('{"source":"aws.s3","detail-type":"Object Created"}'))
  end)

  it("names the source of an object that it does not read, unless there is no object", function()
    local function problem_of(source, s3)
      return only_entry(('{"Records":[{%s,"s3":%s}]}'):format(source, s3)).problem
    end
    assert.equal('Records[0].eventSource is "x y", which Pigeon does not read',
      problem_of('"eventSource":"x\\ny"', '{"bucket":{},"object":{}}'))
    assert.equal('Records[0].EventSource is "ceph:s3", which Pigeon does not read',
      problem_of('"EventSource":"ceph:s3"', '{"bucket":{},"object":{}}'))
    for _, s3 in ipairs { "7", "{}", '{"bucket":{}}', '{"object":{}}', '[1]' } do
      assert.is_nil(problem_of('"eventSource":"aws:x"', s3))
    end
  end)

  it("leaves out events from EventBridge of others, in a list and in a queue too", function()
    local list = fixtures.event("eventbridge_list")
    list[2] = fixtures.event("eventbridge_cloudtrail")
    local entries = envelope.read(cjson.encode(list)).entries
    assert.equal(KEY, entries[1].object.key)
    assert.equal('[1], "AWS API Call via CloudTrail"', entries[2].label)
    assert.is_truthy(entries[2].skipped)
    entries = envelope.read(in_sqs(fixtures.text("eventbridge_ec2"))).entries
    assert.equal("m1", entries[1].message)
    assert.equal("aws.ec2", entries[1].source)
    assert.matches('^Records%[0%].body, "EC2', entries[1].label)
  end)

  it("takes a message of SNS without a type for a notification, and names another type", function()
    local event = fixtures.event("sns_s3")
    event.Records[1].Sns.Type = nil
    assert.equal(KEY, only_entry(cjson.encode(event)).object.key)
    event.Records[1].Sns.Type = "SubscriptionConfirmation"
    assert.equal('Records[0].Sns is a "SubscriptionConfirmation" from SNS, but must be a "Notification"; '
      .. "open its SubscribeURL to confirm the subscription", only_entry(cjson.encode(event)).problem)
    event.Records[1].Sns.Type = cjson.null
    assert.equal(KEY, only_entry(cjson.encode(event)).object.key)
    event.Records[1].Sns.Type = {}
    assert.equal("Records[0].Sns.Type is an object, but must be a string", only_entry(cjson.encode(event)).problem)
  end)

  it("names a record of Kinesis, which may hold an event of S3", function()
    assert.equal('Records[0].eventSource is "aws:kinesis", which Pigeon does not read',
      only_entry('{"Records":[{"eventSource":"aws:kinesis","kinesis":{"data":"e30="}}]}').problem)
    assert.equal('[0].eventSource is "aws:kinesis", which Pigeon does not read',
      only_entry('[{"eventSource":"aws:kinesis","kinesis":{"data":"e30="}}]').problem)
  end)

  it("leaves records of other sources alone, with a capital letter too", function()
    local entries = envelope.read('{"Records":[{"EventSource":"aws:x"},{"eventSource":"aws:ses"}]}').entries
    assert.equal(2, #entries)
    assert.is_truthy(entries[1].skipped)
    assert.is_truthy(entries[2].skipped)
  end)

  it("finds no objects in an empty list", function()
    assert.same({ entries = {} }, envelope.read('{"Records":[]}'))
  end)

  for input, problem in pairs {
    [""] = "the event is not JSON: ",
    ["{"] = "the event is not JSON: ",
    ["\xff\xfe"] = "the event is not JSON: ",
    ['{"Records":[NaN]}'] = "the event is not JSON: ",
    ['{"Records":[]} x'] = "the event is not JSON: ",
    ['{"Records":' .. ("["):rep(65) .. ("]"):rep(65) .. "}"] = "the event is not JSON: Found too many nested",
    ["null"] = "the event is null, but must be an object with Records",
    ["7"] = "the event is a number, but must be an object with Records",
    ['"Records"'] = "the event is a string, but must be an object with Records",
    ["[]"] = "the event has no Records",
    ["{}"] = "the event has no Records",
    ['{"records":[]}'] = "the event has no Records",
    ['{"Records":null}'] = "the event's Records is null, but must be a list",
    ['{"Records":"x"}'] = "the event's Records is a string, but must be a list",
    ['{"Records":{"a":1}}'] = "the event's Records is an object, but must be a list",
  } do
    it(("refuses the event %q"):format(input:sub(1, 40)), function()
      local read, why = envelope.read(input)
      assert.is_nil(read)
      assert.equal(problem, why:sub(1, #problem))
    end)
  end

  it("reads an event of 6 MB", function()
    local record = cjson.encode(fixtures.event("s3_put").Records[1])
    local count = 6000000 // (#record + 1)
    local entries = envelope.read('{"Records":[' .. (record .. ","):rep(count - 1) .. record .. "]}").entries
    assert.equal(count, #entries)
    assert.equal("crashes", entries[count].object.bucket)
  end)
end)
