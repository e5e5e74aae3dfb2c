--- The whole program and S3 Batch Operations: which result each task has, and what is published.
local cjson = require "cjson"
local fixtures = require "spec.support.fixtures"
local system = require "spec.support.system"

local id, key = system.id, system.key

local RAISING, LOST, THROTTLED = id(5), id(7), id(9)
local RULES = ([[
  return function(object)
    local id = crash_id(object.key)
    if not id then return ignore("not a crash id") end
    if id == "%s" then error("boom") end
    if id == "%s" then return accept(id, { "normal", "nowhere" }) end
    if id == "%s" and sample(id, "normal") < 100 then return accept(id, {}) end
    return accept(id, { "normal" })
  end]]):format(RAISING, LOST, THROTTLED)

-- A task for each key; the first has the id t1.
local function event(version, ...)
  local tasks = {}
  for i, one in ipairs { ... } do
    tasks[i] = { taskId = "t" .. i, s3Key = one, s3VersionId = cjson.null }
    if version == "1.0" then tasks[i].s3BucketArn = "arn:aws:s3:::crashes" else tasks[i].s3Bucket = "crashes" end
  end
  return { invocationSchemaVersion = version, invocationId = "i", job = { id = "j" }, tasks = tasks }
end

-- "id code words" for each result of an answer.
local function results_of(decoded)
  local list = {}
  for i, result in ipairs(decoded.results) do
    list[i] = ("%s %s %s"):format(result.taskId, result.resultCode, result.resultString)
  end
  return list
end

describe("S3 Batch Operations", function()
  local env
  setup(function() env = system.vhost({ "normal" }, RULES) end)
  teardown(function() system.drop(env) end)

  -- Always a success of the invocation.
  local function send(events, options, port)
    local outcome = system.invoke({ env = system.with(env, { PIGEON_PORT = port }), events = events,
      options = options })
    assert.equal(0, outcome.status)
    return outcome, system.consume(env)
  end

  for _, version in ipairs { "1.0", "2.0" } do
    it("has a result for each task, in schema " .. version, function()
      local outcome, arrived = send { event(version, key(id(1)), key(RAISING), key(LOST), "v2/dump_names/x", "",
        key(THROTTLED), (key(id(2)):gsub("/", "%%2F"))) }
      local answer = outcome.decoded[1]
      assert.same({ version, "i", "PermanentFailure" },
        { answer.invocationSchemaVersion, answer.invocationId, answer.treatMissingKeysAs })
      local results = results_of(answer)
      assert.matches("^t3 PermanentFailure nowhere: returned at publish: 312 NO_ROUTE; next: declare the queue",
        table.remove(results, 3))
      assert.same({
        "t1 Succeeded accept: normal", "t2 PermanentFailure rules.lua:4: boom", "t4 Succeeded ignore: not a crash id",
        "t5 PermanentFailure tasks[4].s3Key is empty", "t6 Succeeded accept: no queue (throttled: normal)",
        "t7 Succeeded accept: normal",
      }, results)
      assert.same({ id(1), LOST, id(2) }, arrived)
    end)
  end

  it("is logged and counted as any other event", function()
    local outcome = send { event("1.0", key(id(1)), "", key(RAISING)) }
    local published = system.said(outcome.log, "^published$")
    assert.same({ 1, id(1) }, { #published, published[1].crash_id })
    local failed = system.said(outcome.log, "^failed: ")
    assert.same({ "bad record", "rule error" }, { failed[1].reason, failed[2].reason })
    for _, line in ipairs(system.lines(outcome.log)) do
      if line._aws then
        assert.same({ 3, 1, 2, 1, 1 }, { line.Objects, line.Published, line.Failed, line.BadRecords, line.RuleErrors })
      end
    end
    assert.matches('"CloudWatchMetrics"', outcome.log, 1, true)
  end)

  it("tries again where the broker is down, and only what was for the broker", function()
    local one = event("2.0", key(id(1)), "v2/dump_names/x", key(RAISING))
    local outcome, arrived = send({ one }, nil, "1")
    local results = results_of(outcome.decoded[1])
    assert.matches("^t1 TemporaryFailure normal: unknown at connect: ", results[1])
    assert.same({ "t2 Succeeded ignore: not a crash id", "t3 PermanentFailure rules.lua:4: boom" },
      { results[2], results[3] })
    assert.same({}, arrived)
    outcome, arrived = send { one }
    assert.equal("t1 Succeeded accept: normal", results_of(outcome.decoded[1])[1])
    assert.same({ id(1) }, arrived)
  end)

  it("tries again what was not decided at the deadline", function()
    local outcome, arrived = send({ event("1.0", key(id(1)), "") }, { "--deadline", "60" })
    assert.same({ "t1 TemporaryFailure not decided: out of time", "t2 TemporaryFailure not decided: out of time" },
      results_of(outcome.decoded[1]))
    assert.same({}, arrived)
  end)

  it("has one result for two tasks of one id", function()
    local both = event("2.0", key(id(1)), key(RAISING))
    both.tasks[2].taskId = "t1"
    local outcome = send { both }
    assert.same({ "t1 PermanentFailure rules.lua:4: boom" }, results_of(outcome.decoded[1]))
  end)

  it("is an error where it cannot be answered: without an invocationId", function()
    local one = event("1.0", key(id(1)))
    one.invocationId = nil
    local outcome = system.invoke({ env = env, events = { one } })
    assert.equal("Function.EventInvalid", outcome.decoded[1].errorType)
    assert.matches("^invocationId is missing; next: ", outcome.decoded[1].errorMessage)
    assert.same({}, system.consume(env))
  end)

  for _, name in ipairs { "s3_batch", "s3_batch_2" } do
    it("sends what is published: " .. name, function()
      local outcome, arrived = send { fixtures.event(name) }
      assert.equal(#fixtures.event(name).tasks, #outcome.decoded[1].results)
      assert.same({ "de1bb258-cbbf-4589-a673-34f801160918" }, arrived)
    end)
  end

  for _, kind in ipairs { "s3-batch", "s3-batch-2" } do
    it("is what pigeon event makes: " .. kind, function()
      local made = system.run(("bin/pigeon event %s --key %s --key 'a b'"):format(kind, key(id(1))))
      local outcome = system.invoke({ env = env, input = made })
      local results = results_of(outcome.decoded[1])
      assert.matches("^%S+ Succeeded accept: normal$", results[1])
      assert.matches("^%S+ Succeeded ignore: not a crash id$", results[2])
      assert.same({ id(1) }, system.consume(env))
    end)
  end

  describe("with 1 MiB", function()
    local function padded(make)
      local parts, bytes = {}, 0
      repeat
        parts[#parts + 1] = make(#parts + 1)
        bytes = bytes + #parts[#parts] + 1
      until bytes >= 1 << 20
      return ('{"invocationSchemaVersion":"2.0","invocationId":"i","tasks":[%s]}'):format(table.concat(parts, ",")),
        #parts
    end

    local function send_big(text)
      return send({ text }, { "--deadline", "600000" })
    end

    it("of good tasks has each published and answered", function()
      local text, count = padded(function(i)
        return ('{"taskId":"t%d","s3Key":"%s","s3VersionId":null,"s3Bucket":"crashes"}'):format(i, key(id(1000 + i)))
      end)
      local outcome, arrived = send_big(text)
      local results = results_of(outcome.decoded[1])
      assert.equal(count, #results)
      for i, result in ipairs(results) do assert.equal(("t%d Succeeded accept: normal"):format(i), result) end
      assert.equal(count, #arrived)
    end)

    for what, make in pairs {
      ["tasks without a key"] = function(i) return ('{"taskId":"%d"}'):format(i) end,
      ["tasks whose rule raises"] = function(i)
        return ('{"taskId":"%d","s3Bucket":"b","s3Key":"%s"}'):format(i, RAISING)
      end,
    } do
      it("of " .. what .. " has each answered, in what Lambda takes", function()
        local text, count = padded(make)
        local outcome, arrived = send_big(text)
        assert.is_true(#outcome.answers[1] < 6 << 20, #outcome.answers[1])
        local results = outcome.decoded[1].results
        assert.equal(count, #results)
        for i, result in ipairs(results) do
          assert.same({ tostring(i), "PermanentFailure" }, { result.taskId, result.resultCode })
        end
        assert.same({}, arrived)
      end)
    end

    it("of entries that are not tasks has no result", function()
      local outcome = send_big((padded(function() return '"no task at all"' end)))
      assert.same({}, outcome.decoded[1].results)
      assert.equal(101, #system.said(outcome.log, "^failed: "))
    end)
  end)
end)
