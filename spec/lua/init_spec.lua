local cjson = require "cjson"
local facts_of = require "spec.support.facts"
local pigeon = require "pigeon"
local walk = require "spec.support.walk"

local settings, event, receive, conclude = walk.settings, walk.event, walk.receive, walk.conclude
local error_of, id_of, key_of, read = walk.error_of, walk.id_of, walk.key_of, walk.read

local ID = "00007bd0-2d1c-4865-af09-80bc01180313"

describe("pigeon.open", function()
  it("gives the queues' names", function()
    assert.equal("normal,submitter", pigeon.open(settings("normal, 15:submitter")))
  end)

  it("takes the queues whose trigger understands a partial answer", function()
    local all = settings("normal")
    all.PIGEON_BATCH_FAILURES = "crashes, more"
    assert.equal("normal", pigeon.open(all))
    all.PIGEON_BATCH_FAILURES = "crashes,,more"
    assert.same({ nil,
      'PIGEON_BATCH_FAILURES: entry 2 of "crashes,,more" is empty; name a queue there, or drop the comma' },
      { pigeon.open(all) })
  end)

  for _, case in ipairs {
    { "a bad queue", settings("a,,b"),
      'PIGEON_QUEUE: entry 2 of "a,,b" is empty; name a queue there, or drop the comma' },
    { "a space in PIGEON_ENV", settings("a", nil, "a b"),
      'PIGEON_ENV: "a b" has a space at position 2; only letters and digits are allowed' },
    { "punctuation in PIGEON_ENV", settings("a", nil, "prod-1"),
      'PIGEON_ENV: "prod-1" has "-" at position 5; only letters and digits are allowed' },
    { "a letter that is not ASCII in PIGEON_ENV", settings("a", nil, "é"),
      'PIGEON_ENV: "é" has "\u{FFFD}" at position 1; only letters and digits are allowed' },
  } do
    it("returns what is wrong with " .. case[1], function()
      assert.same({ nil, case[3] }, { pigeon.open(case[2]) })
    end)
  end

  for _, case in ipairs {
    { "a syntax error", settings("a", "\nreturn funktion() end"), "rules.lua:2: " },
    { "an error while loading", settings("a", "\n\nerror('boom')"), "rules.lua:3: boom" },
    { "rules that return no function", settings("a", "return 7"), "rules.lua:1: the script returns a number" },
  } do
    it("raises for " .. case[1], function()
      local ok, why = pcall(pigeon.open, case[2])
      assert.is_false(ok)
      assert.equal(case[3], why:sub(1, #case[3]))
    end)
  end

  it("gives the rules the environment's name, or nil", function()
    local source = "return function() return ignore('env ' .. (env or 'none')) end"
    for env, reason in pairs { prod1 = "env prod1", [""] = "env none" } do
      pigeon.open(settings("a", source, env))
      receive(event("x"))
      pigeon.decide(1)
      local _, _, lines = conclude({}, { confirmed = 0 })
      assert.matches(reason, lines[1].message)
    end
  end)
end)

describe("an event", function()
  before_each(function() pigeon.open(settings("normal,submitter")) end)

  it("becomes messages, and then an answer", function()
    assert.same({ key_of(1) }, receive(event(key_of(1))))
    assert.same({
      { { exchange = "", routing_key = "normal" }, { exchange = "", routing_key = "submitter" } }, id_of(1),
    }, { pigeon.decide(1) })
    local body, error_type, lines, metrics = conclude({}, { confirmed = 2 })
    assert.equal("null", body)
    assert.is_nil(error_type)
    assert.equal(1, #lines)
    assert.same({ "published", id_of(1) }, { lines[1].message, lines[1].facts[2] })
    assert.same({}, metrics)
  end)

  it("may hold no object at all", function()
    assert.same({}, receive('{"Records":[]}'))
    assert.equal("null", (conclude({}, { confirmed = 0 })))
  end)

  it("that is not JSON is told by conclude", function()
    assert.same({}, receive("{"))
    local body, error_type, lines = conclude({}, { confirmed = 0 })
    assert.equal("Function.EventInvalid", error_type)
    assert.matches("^the event is not JSON: ", error_of(body))
    assert.equal("error", lines[1].level)
  end)

  it("is published but for its bad records", function()
    assert.same({ "v2/raw_crash/000/20180313/" .. ID, "Records[1]",
      "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc00180313", "Records[3]",
      "v2/dump_names/" .. ID }, receive(read("spec/fixtures/s3_mixed.json")))
    local counts = {}
    for i = 1, 5 do
      local messages = pigeon.decide(i)
      counts[i] = messages and #messages or "failed"
    end
    assert.same({ 2, "failed", 0, 0, 0 }, counts)
    local body, error_type, lines = conclude({}, { confirmed = 2 })
    assert.equal("Function.EventInvalid", error_type)
    assert.matches("^1 of 5 objects failed: Records%[1%]%.s3%.object%.key is missing; next", error_of(body))
    local levels = {}
    for i, line in ipairs(lines) do
      levels[i] = line.level
    end
    assert.same({ "info", "error", "debug", "debug", "debug" }, levels)
  end)

  it("fails where its rule does, and the others go on", function()
    pigeon.open(settings("normal", [[
      return function(object)
        if object.key == "bad" then error("boom") end
        return accept(object.key, { "normal", exchange("crashes", "new") })
      end]]))
    receive(event("one", "bad", "two"))
    assert.equal(2, #pigeon.decide(1))
    assert.is_nil(pigeon.decide(2))
    assert.equal("crashes", pigeon.decide(3)[2].exchange)
    local body, error_type, lines = conclude({ [4] = { fate = "unknown", text = "x" } }, { confirmed = 3 })
    assert.equal("Function.RulesFailed", error_type)
    assert.matches("2 of 3 objects failed: bad: rules%.lua:2: boom | two to crashes/new: unknown: x",
      error_of(body))
    assert.same({ "published", { "normal", "crashes/new" } }, { lines[1].message, lines[1].facts[6] })
  end)

  it("is decided where a word gets more than it takes, and a WARN line counts that once", function()
    pigeon.open(settings("normal", [[
      return function(object)
        if object.key == "fine" then return ignore("fine") end
        return accept(crash_id(object.key, 1), { "normal" }, "more")
      end]]))
    receive(event(key_of(1), "fine", key_of(2)))
    assert.equal(1, #pigeon.decide(1))
    assert.same({}, pigeon.decide(2))
    assert.equal(1, #pigeon.decide(3))
    local body, error_type, lines = conclude({}, { confirmed = 2 })
    assert.equal("null", body)
    assert.is_nil(error_type)
    assert.equal(4, #lines)
    assert.equal("warn", lines[1].level)
    assert.equal("the rules called accept with more arguments than it takes, for 2 objects; the rest was dropped: "
      .. "bin/pigeon check names the line", lines[1].message)
    receive(event("fine"))
    pigeon.decide(1)
    local _, _, rest = conclude({}, { confirmed = 0 })
    assert.equal(1, #rest)
  end)

  it("has no line of the words that a shadow script gave too much", function()
    pigeon.open(settings("normal"))
    pigeon.open_shadow { name = "s.lua", hash = "0", source = "return function() return ignore('a', 'b') end" }
    receive(event(key_of(1)))
    pigeon.decide(1)
    pigeon.decide(1, true)
    local _, _, lines = conclude({}, { confirmed = 1 })
    for _, line in ipairs(lines) do assert.is_not.equal("warn", line.level) end
  end)

  it("leaves nothing for the next one", function()
    receive(event(key_of(1), "bad"))
    pigeon.decide(1)
    conclude({}, { confirmed = 2 })
    assert.has_error(function() pigeon.conclude({}, { confirmed = 2 }) end)
    assert.has_error(pigeon.tell)
    receive(event(key_of(2)))
    pigeon.decide(1)
    assert.equal("null", (conclude({}, { confirmed = 2 })))
  end)

  for what, free in pairs {
    ["told"] = pigeon.tell,
    ["followed by another, though it was never told"] = function() receive(event("x")) end,
    ["followed by another that cannot be read"] = function()
      pcall(pigeon.receive, "", { kind = "none" })
    end,
  } do
    it("is forgotten once it is " .. what, function()
      receive(event(key_of(1)))
      pigeon.decide(1)
      local kept = setmetatable({ { confirmed = 2 } }, { __mode = "v" })
      pigeon.conclude({}, kept[1])
      collectgarbage()
      assert.is_table(kept[1])
      free()
      collectgarbage()
      assert.is_nil(kept[1])
    end)
  end

  it("does no harm with a hostile key", function()
    for _, key in ipairs { "a\nb", "\0", ("\xff"):rep(1024), ("/"):rep(1024), "v2/raw_crash/" .. ID .. "\n",
      "v2/raw_crash/" .. ID .. "\0", "%", "%00", "v2/raw_crash/\u{85}" } do
      receive(event(key))
      assert.same({}, pigeon.decide(1))
      local body, error_type, lines = conclude({}, { confirmed = 0 })
      assert.equal("null", body)
      assert.is_nil(error_type)
      assert.equal(1, #lines)
    end
  end)
end)

describe("metrics and the log's level", function()
  it("are settings of open", function()
    local all = settings("normal", nil, "prod")
    all.PIGEON_METRICS, all.AWS_LAMBDA_FUNCTION_NAME, all.AWS_LAMBDA_LOG_LEVEL = "emf", "pigeon-prod", "ERROR"
    pigeon.open(all)
    receive(event(key_of(1)))
    pigeon.decide(1)
    local _, _, lines, metrics = conclude({}, {
      confirmed = 1, now_ms = 1520942400000, decide_us = 1, publish_us = 1, connect_us = 0, reconnects = 0,
    })
    assert.same({}, lines)
    local metric = cjson.decode(metrics[1])
    assert.same({ 1, "pigeon-prod", "prod" }, { metric["Published.normal"], metric.FunctionName, metric.Environment })
    assert.is_nil(metric.Version)
  end)

  for version, told in pairs { ["12"] = "12", ["$LATEST"] = false } do
    it(("tell version %s: %s"):format(version, told), function()
      local all = settings("normal")
      all.PIGEON_METRICS, all.AWS_LAMBDA_FUNCTION_VERSION = "emf", version
      pigeon.open(all)
      receive("{}")
      local _, _, _, metrics = conclude({}, {
        confirmed = 0, now_ms = 1520942400000, decide_us = 1, publish_us = 1, connect_us = 0, reconnects = 0,
      })
      assert.equal(told or nil, cjson.decode(metrics[1]).Version)
    end)
  end

  it("refuse a kind of metrics that there is not", function()
    local all = settings("normal")
    all.PIGEON_METRICS = "emf,statsd"
    assert.same({ nil, 'PIGEON_METRICS: entry 2, "statsd", is not emf, monitoring or off' }, { pigeon.open(all) })
  end)
end)

describe("an SQS batch", function()
  local RULES_BY_KEY = [[
    return function(object)
      if object.key == "raises" then error("boom") end
      if object.key == "ignored" then return ignore("not wanted") end
      return accept(object.key, { "normal" })
    end]]

  local function open(batch_failures)
    local all = settings("normal", RULES_BY_KEY)
    all.PIGEON_BATCH_FAILURES = batch_failures
    pigeon.open(all)
  end

  -- A message for each body, m1 and so on.
  local function batch(queue, ...)
    local records = {}
    for i, body in ipairs { ... } do
      records[i] = { eventSource = "aws:sqs", messageId = "m" .. i, body = body,
        eventSourceARN = "arn:aws:sqs:us-west-2:123456789012:" .. queue }
    end
    return cjson.encode { Records = records }
  end

  -- Decides all; every message is confirmed, except those in `fates`.
  local function answer_to(input, fates, facts)
    local published = 0
    for i = 1, #receive(input) do published = published + #(pigeon.decide(i) or {}) end
    facts = facts or {}
    facts.confirmed = published
    for _ in pairs(fates or {}) do facts.confirmed = facts.confirmed - 1 end
    return conclude(fates or {}, facts)
  end

  local MIXED = { event("one"), "{", event("two", "raises"), event("three", "four"), event("ignored") }
  local FATES = { [4] = { fate = "returned", stage = "publish", code = 312, text = "NO_ROUTE" } }
  local FAILED = '{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m3"},{"itemIdentifier":"m4"}]}'

  it("is answered with what failed, where its queue is listed", function()
    open("other,crashes")
    local body, error_type = answer_to(batch("crashes", table.unpack(MIXED)), FATES)
    assert.equal(FAILED, body)
    assert.is_nil(error_type)
  end)

  it("is answered with an empty list where nothing failed", function()
    open("crashes")
    assert.equal('{"batchItemFailures":[]}', (answer_to(batch("crashes", event("one"), event("ignored")))))
  end)

  it("says in the log what the answer does not: why, and of which message", function()
    open("crashes")
    local _, _, lines = answer_to(batch("crashes", table.unpack(MIXED)), FATES)
    local said = {}
    for _, line in ipairs(lines) do
      if line.level == "error" then
        said[#said + 1] = line.message .. " " .. facts_of(line).sqs_message_id
      end
    end
    assert.same(3, #said)
    assert.matches("^failed: message m2: Records%[1%]%.body is not JSON: .* m2$", said[1])
    assert.matches("^failed: raises: rules%.lua:2: boom m3$", said[2])
    assert.matches("^failed: four to normal: returned at publish: 312 NO_ROUTE m4$", said[3])
  end)

  for what, case in pairs {
    ["is not listed"] = { "other", "crashes" },
    ["is in no list"] = { nil, "crashes" },
    ["is FIFO, though listed"] = { "crashes.fifo,crashes", "crashes.fifo" },
    ["is listed by a part of its name"] = { "crashes", "crashes-2" },
  } do
    it("fails as a whole where its queue " .. what, function()
      open(case[1])
      local body, error_type = answer_to(batch(case[2], table.unpack(MIXED)), FATES)
      assert.is_string(error_type)
      assert.matches("^3 of 7 objects failed: message m2: Records%[1%]%.body is not JSON: .* | "
        .. "raises: rules%.lua:2: boom | four to normal: returned at publish: 312 NO_ROUTE; next: ", error_of(body))
      assert.equal("null", (answer_to(batch(case[2], event("one")))))
    end)
  end

  it("fails as a whole where nothing could be published", function()
    open("crashes")
    local fate = { fate = "unknown", stage = "connect", text = "refused" }
    local body, error_type = answer_to(batch("crashes", event("one"), event("two"), "{"), { fate, fate },
      { broker_wide = "connect: refused" })
    assert.equal("Function.BrokerUnavailable", error_type)
    assert.matches("^3 of 3 objects failed: ", error_of(body))
  end)

  it("is partial where it was not decided in time", function()
    open("crashes")
    receive(batch("crashes", event("one"), event("two")))
    pigeon.decide(1)
    assert.equal('{"batchItemFailures":[{"itemIdentifier":"m2"}]}', (conclude({}, { confirmed = 1 })))
  end)

  it("leaves nothing for the event after it", function()
    open("crashes")
    answer_to(batch("crashes", event("one")))
    assert.equal("null", (answer_to(event("one"))))
  end)
end)

describe("an event of S3 Batch Operations", function()
  before_each(function() pigeon.open(settings("normal,submitter")) end)

  local function tasks(...)
    local list = {}
    for i, key in ipairs { ... } do
      list[i] = { taskId = "t" .. i, s3Key = key, s3BucketArn = "arn:aws:s3:::crashes" }
    end
    return cjson.encode { invocationSchemaVersion = "1.0", invocationId = "i", tasks = list }
  end

  local function results_of(body)
    local list = {}
    for i, result in ipairs(cjson.decode(body).results) do
      list[i] = ("%s %s %s"):format(result.taskId, result.resultCode, result.resultString)
    end
    return list
  end

  it("is answered with a result for each task, and logged as any other", function()
    receive(tasks(key_of(1), "", "v2/dump_names/x", key_of(2)))
    for i = 1, 4 do pigeon.decide(i) end
    local body, error_type, lines = conclude({
      [4] = { fate = "returned", stage = "publish", code = 312, text = "NO_ROUTE" },
    }, { confirmed = 3 })
    assert.is_nil(error_type)
    assert.same({
      "t1 Succeeded accept: normal, submitter", "t2 PermanentFailure tasks[1].s3Key is empty",
      "t3 Succeeded ignore: not a raw crash", "t4 PermanentFailure submitter: returned at publish: 312 NO_ROUTE",
    }, results_of(body))
    local levels = {}
    for i, line in ipairs(lines) do levels[i] = line.level end
    assert.same({ "info", "error", "debug", "error", "info" }, levels)
  end)

  it("is tried again where it was not decided in time", function()
    receive(tasks(key_of(1), key_of(2), ""))
    pigeon.decide(1)
    local body = conclude({}, { confirmed = 2 })
    assert.same({ "t1 Succeeded accept: normal, submitter", "t2 TemporaryFailure not decided: out of time",
      "t3 TemporaryFailure not decided: out of time" }, results_of(body))
  end)

  it("is tried again where the broker took nothing", function()
    local fate = { fate = "unknown", stage = "connect", text = "Connection refused" }
    receive(tasks(key_of(1)))
    pigeon.decide(1)
    local body, error_type = conclude({ fate, fate }, { confirmed = 0, broker_wide = "connect: Connection refused" })
    assert.is_nil(error_type)
    assert.same({ "t1 TemporaryFailure normal: unknown at connect: Connection refused"
      .. " | submitter: unknown at connect: Connection refused" }, results_of(body))
  end)

  it("leaves nothing for the event after it", function()
    receive(tasks(key_of(1)))
    pigeon.decide(1)
    conclude({}, { confirmed = 2 })
    receive(event(key_of(1)))
    pigeon.decide(1)
    assert.equal("null", (conclude({}, { confirmed = 2 })))
  end)
end)

describe("a test event", function()
  for _, name in ipairs { "test_event", "sqs_test_event", "sns_test_event", "sqs_sns_test_event" } do
    it("is a success with one debug line, as " .. name, function()
      pigeon.open(settings("normal"))
      assert.equal(1, #receive(read("spec/fixtures/" .. name .. ".json")))
      assert.same({}, pigeon.decide(1))
      local body, error_type, lines = conclude({}, { confirmed = 0 })
      assert.equal("null", body)
      assert.is_nil(error_type)
      assert.equal(1, #lines)
      assert.equal("debug", lines[1].level)
      assert.matches("s3:TestEvent", lines[1].message)
    end)
  end
end)

describe("reload", function()
  local HOARDER = "local seen = {}\n" .. [[
    return function(object)
      seen[#seen + 1] = object.key
      return accept("seen-" .. #seen, { "normal" })
    end]]

  local function ids()
    local list = {}
    for i = 1, 3 do
      list[i] = select(2, pigeon.decide(i))
      if i == 2 then pigeon.reload(i, false, 9, 64) end
    end
    return list
  end

  it("begins the script anew and fails the object, whatever was decided of it", function()
    pigeon.open(settings("normal", HOARDER))
    receive(event("one", "two", "three"))
    assert.same({ "seen-1", "seen-2", "seen-1" }, ids())
    local body, error_type, lines = conclude({}, { confirmed = 2 })
    assert.equal("Function.RulesFailed", error_type)
    assert.matches("^1 of 3 objects failed: two: rules%.lua:9: out of memory: used the 64 MB that an object may have: "
      .. "does a string or table grow in a loop%?", error_of(body))
    assert.equal(3, #lines)
  end)

  it("says once why an object failed", function()
    pigeon.open(settings("normal", "return function() error('boom') end"))
    receive(event("one"))
    assert.is_nil(pigeon.decide(1))
    pigeon.reload(1, false, nil, 64)
    local body, _, lines = conclude({}, { confirmed = 0 })
    assert.equal(1, #lines)
    assert.matches("one: rules%.lua: out of memory: used the 64 MB", error_of(body))
    assert.is_nil(error_of(body):find("boom", 1, true))
  end)

  it("frees what the script hoarded", function()
    pigeon.open(settings("normal", "local s = ('x')\nreturn function() s = s .. s return ignore('x') end"))
    receive(event("one"))
    for _ = 1, 24 do
      pigeon.decide(1)
    end
    collectgarbage()
    local before = collectgarbage("count")
    pigeon.reload(1, false, 2, 64)
    assert.is_true(collectgarbage("count") < before - 15000)
    assert.matches("^1 of 1 objects failed: one: rules%.lua:2: out of memory: the script itself keeps 16 MB above its "
      .. "function, from object to object; keep only constants there", error_of(conclude({}, { confirmed = 0 })))
  end)
end)
