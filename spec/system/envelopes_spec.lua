--- The whole program and every way in which S3's events may arrive: what is published, and what
-- is reported to AWS for each message of a batch.
local cjson = require "cjson"
local fixtures = require "spec.support.fixtures"
local padded = require "spec.support.padded"
local system = require "spec.support.system"

local id, key = system.id, system.key

local ARN = "arn:aws:sqs:us-west-2:123456789012:"

-- Ids that these rules treat in their own way.
local RAISING, LOST = id(5), id(7)
local RULES = ([[
  return function(object)
    local id = crash_id(object.key)
    if id == "%s" then error("boom") end
    if id == "%s" then return accept(id, { "normal", "nowhere" }) end
    return accept(id, { "normal" })
  end]]):format(RAISING, LOST)

-- A batch of SQS: message m1 has body 1 ...
local function batch(queue, bodies)
  local records = {}
  for i, body in ipairs(bodies) do
    records[i] = { messageId = "m" .. i, body = body, eventSource = "aws:sqs", eventSourceARN = ARN .. queue }
  end
  return { Records = records }
end

-- Ten messages with an object each, of which the third is not JSON.
local function ten()
  local bodies = {}
  for i = 1, 10 do bodies[i] = cjson.encode(system.event(key(id(i)))) end
  bodies[3] = "not JSON"
  return bodies
end

-- What is in "normal" after them: each once, but for what was never published.
local PUBLISHED = { id(1), id(2), id(4), id(6), LOST, id(8), id(9), id(10) }

describe("an SQS batch", function()
  local env
  setup(function() env = system.vhost({ "normal" }, RULES) end)
  teardown(function() system.drop(env) end)
  before_each(function() env.PIGEON_BATCH_FAILURES, env.PIGEON_QUEUE = nil, "normal" end)

  local function send(event, port)
    local outcome = system.invoke({ env = system.with(env, { PIGEON_PORT = port }), events = { event } })
    return outcome, system.consume(env)
  end

  it("is answered with exactly the messages that failed, where its trigger expects that", function()
    env.PIGEON_BATCH_FAILURES = "other,crashes"
    local outcome, arrived = send(batch("crashes", ten()))
    assert.same({ '{"batchItemFailures":[{"itemIdentifier":"m3"},{"itemIdentifier":"m5"},{"itemIdentifier":"m7"}]}' },
      outcome.answers)
    assert.equal(0, outcome.status)
    assert.same(PUBLISHED, arrived)
    local failed = system.said(outcome.log, "^failed: ")
    assert.equal(3, #failed)
    assert.matches("^failed: message m3: Records%[2%]%.body is not JSON", failed[1].message)
    assert.same({ "m3", "bad record" }, { failed[1].sqs_message_id, failed[1].reason })
    assert.same({ "m5", "rule error", "rules.lua:3" }, { failed[2].sqs_message_id, failed[2].reason, failed[2].rule })
    assert.same({ "m7", "unroutable", LOST, "nowhere", "returned at publish: 312 NO_ROUTE" },
      { failed[3].sqs_message_id, failed[3].reason, failed[3].crash_id, failed[3].queue, failed[3].error:sub(1, 33) })
  end)

  it("from a pipe, a list without Records, is answered with the messages that failed", function()
    env.PIGEON_BATCH_FAILURES = "crashes"
    local outcome, arrived = send(batch("crashes", ten()).Records)
    assert.same({ '{"batchItemFailures":[{"itemIdentifier":"m3"},{"itemIdentifier":"m5"},{"itemIdentifier":"m7"}]}' },
      outcome.answers)
    assert.same(PUBLISHED, arrived)
  end)

  it("is answered with an empty list where nothing failed", function()
    env.PIGEON_BATCH_FAILURES = "crashes"
    local outcome, arrived = send(batch("crashes", { ten()[1], ten()[2], fixtures.text("test_event") }))
    assert.same({ '{"batchItemFailures":[]}' }, outcome.answers)
    assert.same({ id(1), id(2) }, arrived)
  end)

  for what, case in pairs({
    ["of another queue"] = { "other", "crashes" },
    ["where no queue is listed"] = { nil, "crashes" },
    ["of a FIFO queue, though it is listed"] = { "crashes.fifo", "crashes.fifo" },
  }) do
    it("fails as a whole " .. what .. ", after the rest was published", function()
      env.PIGEON_BATCH_FAILURES = case[1]
      local outcome, arrived = send(batch(case[2], ten()))
      assert.equal(1, outcome.status)
      local message = outcome.decoded[1].errorMessage
      for _, words in ipairs { "3 of 10 objects failed", "message m3", "Records[2].body is not JSON", RAISING, "boom",
        LOST .. " to nowhere", "NO_ROUTE" } do
        assert.matches(words, message, 1, true)
      end
      assert.same(PUBLISHED, arrived)
    end)
  end

  it("fails as a whole where the broker took nothing, though its trigger expects a partial answer", function()
    env.PIGEON_BATCH_FAILURES = "crashes"
    local outcome, arrived = send(batch("crashes", ten()), "1")
    assert.equal(1, outcome.status)
    assert.equal("Function.BrokerUnavailable", outcome.decoded[1].errorType)
    assert.matches("^10 of 10 objects failed: .* unknown at connect: ", outcome.decoded[1].errorMessage)
    assert.same({}, arrived)
  end)

  it("is partial where nothing was for the broker, though there is none", function()
    env.PIGEON_BATCH_FAILURES = "crashes"
    local outcome = send(batch("crashes", { "not JSON", fixtures.text("test_event") }), "1")
    assert.same({ '{"batchItemFailures":[{"itemIdentifier":"m1"}]}' }, outcome.answers)
  end)

  it("names 20 of 1,000 that failed, and says how many more", function()
    local bodies = {}
    for i = 1, 1000 do bodies[i] = "no " .. i end
    local outcome = send(batch("crashes", bodies))
    local message = outcome.decoded[1].errorMessage
    assert.matches("^1000 of 1000 objects failed: ", message)
    assert.equal(20, select(2, message:gsub("message m%d+", "")))
    assert.matches("and 980 more", message, 1, true)
  end)

  describe("of 10,000", function()
    -- As small as S3's records can be: 3.8 MB in all.
    local function minimal(count)
      local records = {}
      for i = 1, count do
        local body = ([[{\"Records\":[{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",]] ..
          [[\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"crashes\"},]] ..
          [[\"object\":{\"key\":\"%s\"}}}]}]]):format(key(id(i)))
        records[i] = ([[{"messageId":"%08x-87a3-44ab-83d2-661975830a7d","body":"%s","eventSource":"aws:sqs",]] ..
          [["eventSourceARN":"%scrashes"}]]):format(i, body, ARN)
      end
      return '{"Records":[' .. table.concat(records, ",") .. "]}"
    end

    -- The most memory that a fresh process ever had, in kB, and the answer.
    local function peak(count)
      local lambda = system.start({ env = env, options = { "--deadline", "600000" } })
      local answer = lambda:send(minimal(count))
      local status = system.read(("/proc/%d/status"):format(lambda:function_pid()))
      lambda:finish()
      return tonumber(status:match("VmHWM:%s*(%d+) kB")), answer
    end

    it("is decided and published in one invocation, and memory grows as the batch does", function()
      env.PIGEON_BATCH_FAILURES, env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE = "crashes", "128"
      local base = peak(1)
      local small = peak(1000) - base
      system.consume(env)
      local large, answer = peak(10000)
      env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE = nil
      assert.equal('{"batchItemFailures":[{"itemIdentifier":"00000005-87a3-44ab-83d2-661975830a7d"},'
        .. '{"itemIdentifier":"00000007-87a3-44ab-83d2-661975830a7d"}]}', answer)
      local seen, arrived = {}, system.consume(env)
      for _, one in ipairs(arrived) do seen[one] = true end
      assert.equal(9999, #arrived)
      for i = 1, 10000 do assert.equal(id(i) ~= RAISING, seen[id(i)] ~= nil, id(i)) end
      -- Ten times the batch: ten times the memory, and as much again for the collector's pace.
      -- ASan keeps what was freed, so there this proves nothing, and is left out.
      if system.build == "build" then
        assert.is_true(large - base < 20 * small, ("%d kB, and %d kB for a tenth"):format(large - base, small))
        assert.is_true(large < 96 * 1024, large .. " kB")
      end
    end)
  end)
end)

describe("an event", function()
  local env
  setup(function() env = system.vhost({ "normal" }) end)
  teardown(function() system.drop(env) end)

  for _, kind in ipairs({ "s3", "sqs", "sns", "sns-sqs", "eventbridge" }) do
    it("that pigeon event makes is understood: " .. kind, function()
      local made = system.run(("bin/pigeon event %s --key %s --key %s"):format(kind, key(id(1)), key(id(2))))
      local outcome = system.invoke({ env = env, input = made })
      assert.same({ "null" }, outcome.answers)
      assert.same({ id(1), id(2) }, system.consume(env))
    end)
  end

  -- The fixtures' object is a put of an id that is accepted.
  for _, name in ipairs({ "s3_put", "sns_s3", "sqs_s3", "sqs_sns_s3", "sqs_raw_sns_s3", "eventbridge",
    "sqs_eventbridge", "failure_s3", "sqs_failure_s3", "sqs_failure_eventbridge", "sqs_sns_failure_sns_s3",
    "sqs_dead_letter_s3", "minio", "pipes_sqs", "eventbridge_replay", "sqs_sns_eventbridge", "sns_dead_letter_s3",
    "eventbridge_failure_s3", "failure_failure_s3", "sqs_sns_eventbridge_failure_sns_eventbridge" }) do
    it("like " .. name .. " is published", function()
      local outcome = system.invoke({ env = env, events = { fixtures.event(name) } })
      assert.same({ "null" }, outcome.answers)
      assert.same({ "de1bb258-cbbf-4589-a673-34f801160918" }, system.consume(env))
    end)

    it("like " .. name .. ", with a body of 1 MiB, is published", function()
      local outcome = system.invoke({ env = env, events = { padded.to(fixtures.event(name), 1024 * 1024) } })
      assert.same({ "null" }, outcome.answers)
      assert.same({ "de1bb258-cbbf-4589-a673-34f801160918" }, system.consume(env))
    end)
  end

  for _, name in ipairs({ "test_event", "sqs_test_event", "sns_test_event", "sqs_sns_test_event" }) do
    it("like " .. name .. " is a success with one debug line", function()
      env.AWS_LAMBDA_LOG_LEVEL = "DEBUG"
      local outcome = system.invoke({ env = env, events = { fixtures.event(name) } })
      env.AWS_LAMBDA_LOG_LEVEL = nil
      assert.same({ "null" }, outcome.answers)
      local said = system.said(outcome.log, "s3:TestEvent")
      assert.equal(1, #said)
      assert.matches("^ignored: ", said[1].message)
      assert.same({ "DEBUG", "s3:TestEvent" }, { said[1].level, said[1].reason })
      assert.same({}, system.consume(env))
    end)
  end

  for name, why in pairs({
    eventbridge_cloudtrail = [[an event from EventBridge that is not one of S3's "Object ..." events]],
    eventbridge_ec2 = "an event from EventBridge of another source",
    success_s3 = "the record of an invocation that succeeded",
  }) do
    it("like " .. name .. " is a success with one debug line that says why", function()
      env.AWS_LAMBDA_LOG_LEVEL = "DEBUG"
      local outcome = system.invoke({ env = env, events = { fixtures.event(name) } })
      env.AWS_LAMBDA_LOG_LEVEL = nil
      assert.same({ "null" }, outcome.answers)
      local said = system.said(outcome.log, "^ignored: the event")
      assert.equal(1, #said)
      assert.same({ "DEBUG", why }, { said[1].level, said[1].reason })
    end)
  end

  for name, words in pairs({
    ceph = 'eventSource is "ceph:s3", which Pigeon does not read',
    sqs_sns_confirmation = 'is a "SubscriptionConfirmation" from SNS',
  }) do
    it("like " .. name .. " is an error that names it", function()
      local outcome = system.invoke({ env = env, events = { fixtures.event(name) } })
      assert.equal(1, outcome.status)
      assert.equal("Function.EventInvalid", outcome.decoded[1].errorType)
      assert.matches(words, outcome.decoded[1].errorMessage, 1, true)
    end)
  end

  it("of which some failed is an error after the rest was published, in SNS and EventBridge too", function()
    env.PIGEON_BATCH_FAILURES = "crashes"
    local list = fixtures.event("eventbridge_list")
    list[2].detail.object.key = nil
    local sns = fixtures.event("sns_s3")
    local inner = cjson.decode(sns.Records[1].Sns.Message)
    inner.Records[2] = { eventSource = "aws:s3" }
    sns.Records[1].Sns.Message = cjson.encode(inner)
    for place, event in pairs({ ["[1].detail.object.key"] = list, ["Records[0].Sns.Message.Records[1].s3"] = sns }) do
      local outcome = system.invoke({ env = env, events = { event } })
      assert.equal(1, outcome.status)
      assert.matches("1 of 2 objects failed: " .. place .. " is missing", outcome.decoded[1].errorMessage, 1, true)
      assert.same({ "de1bb258-cbbf-4589-a673-34f801160918" }, system.consume(env))
    end
    env.PIGEON_BATCH_FAILURES = nil
  end)

  it("of a failure whose event was dropped is an error", function()
    local outcome = system.invoke({ env = env, events = { fixtures.event("sqs_failure_without_payload") } })
    assert.equal(1, outcome.status)
    assert.matches("requestPayload is missing", outcome.decoded[1].errorMessage)
  end)
end)

describe("PIGEON_BATCH_FAILURES", function()
  it("that cannot be right is told at /init/error", function()
    local outcome = system.invoke({ events = { "{}" }, env = {
      PIGEON_HOST = "127.0.0.1", PIGEON_PORT = "1", PIGEON_VIRTUAL_HOST = "/", PIGEON_USER = "pigeon",
      PIGEON_PASSWORD = "x", PIGEON_QUEUE = "normal", PIGEON_AWS_REGION = "us-west-2",
      PIGEON_BATCH_FAILURES = "crashes,arn:x",
    } })
    assert.equal(1, outcome.status)
    assert.equal("ValueError", outcome.decoded[1].errorType)
    assert.matches('PIGEON_BATCH_FAILURES: entry 2, "arn:x"', outcome.decoded[1].errorMessage, 1, true)
  end)
end)

describe("pigeon event", function()
  local function run(arguments)
    local out, err = os.tmpname(), os.tmpname()
    local _, _, status = os.execute(("%s event %s >%s 2>%s"):format(system.bootstrap, arguments, out, err))
    local said, complained = system.read(out), system.read(err)
    os.remove(out)
    os.remove(err)
    return status, said, complained
  end

  it("needs no configuration, and prints one line", function()
    local status, said, complained = run("sqs --count 3 --key k")
    assert.equal(0, status)
    assert.equal("", complained)
    assert.equal(3, #cjson.decode(said).Records)
    assert.matches("^[^\n]*\n$", said)
  end)

  it("prints its usage", function()
    local status, said, complained = run("--help")
    assert.equal(0, status)
    assert.equal("", complained)
    assert.matches("^Usage: pigeon event KIND", said)
  end)

  for _, arguments in ipairs({ "", "kafka", "s3", "s3 --key", "s3 --key k --count 0", "s3 --nonsense x" }) do
    it("refuses misuse: " .. arguments, function()
      local status, said, complained = run(arguments)
      assert.equal(2, status)
      assert.equal("", said)
      assert.matches("^pigeon event: .*Usage: ", complained)
    end)
  end

  it("says where it cannot print it all", function()
    local _, _, status = os.execute(system.bootstrap .. " event s3 --key k >/dev/full 2>&1")
    assert.equal(1, status)
  end)
end)
