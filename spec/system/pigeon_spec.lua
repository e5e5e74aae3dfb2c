--- The whole program: events through the local Lambda, crash ids out of the private RabbitMQ.
local system = require "spec.support.system"

local id, key, with = system.id, system.key, system.with

local function sorted(list)
  table.sort(list)
  return list
end

describe("an event", function()
  local env
  setup(function() env = system.vhost({ "normal", "a", "b", "c" }) end)
  teardown(function() system.drop(env) end)
  before_each(function()
    env.PIGEON_QUEUE = "normal"
  end)

  -- Sends events and returns the outcome and what arrived in the queues.
  local function send(events, changes)
    local outcome = system.invoke({ env = with(env, changes or {}), events = events })
    return outcome, system.consume(env)
  end

  local function with_rules(source, event, changes)
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.write(folder .. "/rules.lua", source)
    changes = with(changes or {}, { LAMBDA_TASK_ROOT = folder, _HANDLER = "rules.lua" })
    local outcome, arrived = send({ event }, changes)
    os.execute("rm -rf " .. system.quote(folder))
    return outcome, arrived
  end

  it("publishes the accepted ids alone, with nothing else in the message", function()
    local outcome, arrived = send({
      system.event(key(id(1)), key(id(2, "0")), key(id(3, "2")), "v1/dump_names/" .. id(4),
        "v2/raw_crash/000/20180313/not-a-crash-id"),
    })
    assert.same({ "null" }, outcome.answers)
    assert.equal(0, outcome.status)
    assert.same({ id(1) }, arrived)
  end)

  it("reaches every queue of PIGEON_QUEUE", function()
    env.PIGEON_QUEUE = " normal , a,100 : b"
    local _, arrived = send({ system.event(key(id(1))) })
    assert.same({ id(1), id(1), id(1) }, arrived)
  end)

  it("throttles by id and queue: the share is right, and a second time the same", function()
    env.PIGEON_QUEUE = "100:a,15:b,0:c"
    local keys, all = {}, {}
    for i = 1, 4000 do
      all[i] = id(i)
      keys[i] = key(all[i])
    end
    local sampled
    for _ = 1, 2 do
      local outcome = system.invoke({ env = env, events = { system.event(table.unpack(keys)) } })
      assert.same({ "null" }, outcome.answers)
      assert.same(all, sorted(system.consume(env, { "a" })))
      assert.same({}, system.consume(env, { "c" }))
      local b = sorted(system.consume(env, { "b" }))
      local sigma = math.sqrt(4000 * 0.15 * 0.85)
      assert.is_true(math.abs(#b - 600) < 4 * sigma, #b .. " of 4000")
      assert.same(sampled or b, b)
      sampled = b
    end
  end)

  it("decodes keys: a plus, a percent, UTF-8; a bad escape stays as it is", function()
    local event = system.event(key(id(1)), key(id(2)), key(id(3)))
    event.Records[1].s3.object.key = key(id(1)):gsub("/", "%%2F")
    event.Records[2].s3.object.key = "v2/raw_crash/a+b%C3%A9/" .. id(2)
    event.Records[3].s3.object.key = "v2/raw_crash/100%zz/" .. id(3)
    local outcome, arrived = send({ event })
    assert.same({ "null" }, outcome.answers)
    assert.same({ id(1), id(2), id(3) }, arrived)
  end)

  it("with awkward keys does no harm", function()
    local _, arrived = send({
      system.event("a\nb", "\0", ("x"):rep(1024), ("/"):rep(1024), ("\xff"):rep(1024),
        key(id(1)) .. "\n", key(id(2)) .. "\0", key(id(3))),
    })
    assert.same({ id(3) }, arrived)
  end)

  it("of 6 MB works", function()
    local keys = {}
    for i = 1, 16000 do keys[i] = key(id(i, "0")) end
    keys[#keys + 1] = key(id(1))
    local event = system.event(table.unpack(keys))
    local outcome, arrived = send({ event })
    assert.same({ "null" }, outcome.answers)
    assert.same({ id(1) }, arrived)
  end)

  for what, event in pairs({
    ["another source"] = { Records = { { eventSource = "aws:dynamodb" } } },
    ["no record at all"] = '{"Records":[]}',
  }) do
    it("of " .. what .. " is a success", function()
      local outcome, arrived = send({ event })
      assert.same({ "null" }, outcome.answers)
      assert.same({}, arrived)
    end)
  end

  it("that is not a put is a success, and publishes nothing", function()
    local event = system.event(key(id(1)))
    event.Records[1].eventName = "ObjectRemoved:Delete"
    local outcome, arrived = send({ event })
    assert.same({ "null" }, outcome.answers)
    assert.same({}, arrived)
  end)

  it("that is not JSON is an error that says so, and the next one works", function()
    local broken = system.invoke({ env = env, input = "{oops", options = { "--raw" } })
    assert.equal(1, broken.status)
    assert.matches("not JSON", broken.decoded[1].errorMessage)
    assert.matches("^Function%.", broken.decoded[1].errorType)
    local _, arrived = send({ system.event(key(id(1))) })
    assert.same({ id(1) }, arrived)
  end)

  it("that takes more memory than there is is an error, and a fresh process goes on", function()
    local huge = '{"Records":[{}' .. (",{}"):rep(700000) .. "]}"
    local outcome, arrived = send({ huge, system.event(key(id(1))) },
      { AWS_LAMBDA_FUNCTION_MEMORY_SIZE = "8" })
    assert.equal(1, outcome.status)
    assert.equal("Function.ScriptBroken", outcome.decoded[1].errorType)
    assert.matches("not enough memory", outcome.decoded[1].errorMessage)
    assert.equal("null", outcome.answers[2])
    assert.same({ id(1) }, arrived)
  end)

  it("without Records is an error", function()
    local outcome = send({ "{}" })
    assert.equal(1, outcome.status)
    assert.matches("no Records", outcome.decoded[1].errorMessage)
  end)

  it("with a record that lacks its key fails that one alone, and says what and where", function()
    local event = system.event(key(id(1)), key(id(2)), key(id(3)))
    event.Records[2].s3.object.key = nil
    event.Records[3].s3.bucket = nil
    local outcome, arrived = send({ event })
    assert.equal(1, outcome.status)
    assert.same({ id(1) }, arrived)
    local message = outcome.decoded[1].errorMessage
    assert.matches("2 of 3 objects", message)
    assert.matches("Records[1].s3.object.key is missing", message, 1, true)
    assert.matches("Records[2].s3.bucket is missing", message, 1, true)
  end)

  it("whose queue does not exist is an error with the broker's words and the next step", function()
    env.PIGEON_QUEUE = "normal,missing"
    local outcome = system.invoke({ env = env, events = { system.event(key(id(1))) } })
    assert.equal(1, outcome.status)
    local message = outcome.decoded[1].errorMessage
    for _, words in ipairs({ id(1), "missing", "312", "NO_ROUTE", "declare the queue" }) do
      assert.matches(words, message, 1, true)
    end
    assert.equal("Function.MessageUnroutable", outcome.decoded[1].errorType)
    assert.same({ id(1) }, system.consume(env, { "normal" }))
  end)

  it("with nobody at the port is an error each time, and the process lives on", function()
    local outcome, arrived = send({ system.event(key(id(1))), system.event(key(id(2, "0"))) },
      { PIGEON_PORT = "1" })
    assert.equal(1, outcome.status)
    assert.matches("refused", outcome.decoded[1].errorMessage)
    assert.matches("PIGEON_PORT", outcome.decoded[1].errorMessage)
    assert.equal("null", outcome.answers[2])
    assert.equal("WARN", system.said(outcome.log, "no broker yet")[1].level)
    assert.same({}, arrived)
  end)

  describe("under other rules", function()
    it("fails where the rule returns nothing", function()
      local outcome, arrived = with_rules("return function(object) end", system.event(key(id(1))))
      assert.equal(1, outcome.status)
      assert.matches("returned nothing", outcome.decoded[1].errorMessage)
      assert.equal("Function.RulesFailed", outcome.decoded[1].errorType)
      assert.same({}, arrived)
    end)

    it("fails where the rule raises, with its line, and publishes the rest", function()
      local outcome, arrived = with_rules([[
        return function(object)
          local id = crash_id(object.key)
          if id:sub(8, 8) == "2" then
            error("two")
          end
          return accept(id, { "normal" })
        end]], system.event(key(id(1)), key(id(2)), key(id(3))))
      assert.equal(1, outcome.status)
      assert.matches("rules.lua:4: two", outcome.decoded[1].errorMessage, 1, true)
      assert.same({ id(1), id(3) }, arrived)
    end)

    it("is stopped by the watchdog where only that helps", function()
      local outcome, arrived = with_rules([[
        return function(object)
          if object.bucket == "bad" then
            return defer(object.key:match("^(.-)/(.-)/(.-)/(.-)/(.-)/(.-)/([^/]+)$") or "none")
          end
          return accept(crash_id(object.key), { "normal" })
        end]], (function()
          local event = system.event(("/"):rep(1024))
          event.Records[1].s3.bucket.name = "bad"
          return event
        end)())
      assert.equal(1, outcome.status)
      assert.matches("Runtime.ExitError", outcome.answers[1], 1, true)
      local said = system.said(outcome.log, '^rules.lua:3 kept the processor for 1 s at key "////////')
      assert.equal(1, #said)
      assert.equal("ERROR", said[1].level)
      assert.is_string(said[1].requestId)
      assert.same({}, arrived)
    end)

    it("follows antenna.lua: 0 accepts, 1 defers, v1 too", function()
      local outcome, arrived = with_rules(system.read("rules/antenna.lua"),
        system.event(key(id(1)), key(id(2, "0")), "v1/raw_crash/20180313/" .. id(3, "0")))
      assert.same({ "null" }, outcome.answers)
      assert.same({ id(2, "0"), id(3, "0") }, arrived)
    end)
  end)
end)

describe("init", function()
  local good = {
    PIGEON_HOST = "127.0.0.1", PIGEON_PORT = "1", PIGEON_VIRTUAL_HOST = "/",
    PIGEON_USER = "pigeon", PIGEON_PASSWORD = "hunter2", PIGEON_QUEUE = "normal",
    PIGEON_AWS_REGION = "us-west-2",
  }

  -- What was posted to /init/error. Lambda does not try again.
  local function init_error(changes)
    local outcome = system.invoke({ env = with(good, changes), events = { "{}" } })
    assert.equal(1, outcome.status)
    assert.is_nil(outcome.log:find("hunter2", 1, true))
    assert.is_nil(outcome.answers[1]:find("hunter2", 1, true))
    return outcome.decoded[1]
  end

  for name in pairs(good) do
    it("says KeyError where " .. name .. " is missing", function()
      local told = init_error({ [name] = false })
      assert.equal("KeyError", told.errorType)
      assert.matches(name, told.errorMessage)
    end)
  end

  for _, case in ipairs({
    { "PIGEON_PORT", "0" }, { "PIGEON_PORT", "65536" }, { "PIGEON_PORT", "x" }, { "PIGEON_PORT", "5672 " },
    { "PIGEON_QUEUE", "abc:q", "entry 1", "abc" }, { "PIGEON_QUEUE", "a,101:q", "entry 2", "101" },
    { "PIGEON_QUEUE", "-1:q", "entry 1", "-1" }, { "PIGEON_QUEUE", "1.5:q", "entry 1", "1.5" },
    { "PIGEON_QUEUE", "10:", "entry 1" }, { "PIGEON_QUEUE", "a,,b", "entry 2", "a,,b" },
    { "PIGEON_QUEUE", ",", "entry 1" }, { "PIGEON_QUEUE", ":q", "entry 1" },
    { "PIGEON_QUEUE", "  ", "entry 1" }, { "PIGEON_QUEUE", "a,10:a", "entry 2", "entry 1" },
    { "PIGEON_QUEUE", ("q"):rep(256), "entry 1", "256" },
    { "PIGEON_ENV", "pr od", "position 3" }, { "PIGEON_ENV", "prod!", "position 5", "!" },
    { "PIGEON_HOST", "a,,b", "entry 2" }, { "PIGEON_HOST", "a:b", "entry 1" },
  }) do
    local name, value = case[1], case[2]
    it(("refuses %s=%.20s, naming it"):format(name, value), function()
      local told = init_error({ [name] = value })
      assert.equal("ValueError", told.errorType)
      for i, words in ipairs(case) do
        if i ~= 2 then assert.matches(words, told.errorMessage, 1, true) end
      end
    end)
  end

  for _, value in ipairs({ "normal", "normal,submitter", "normal,15:submitter", "normal,submitter,jimbob" }) do
    it("takes PIGEON_QUEUE=" .. value, function()
      local outcome = system.invoke({ env = with(good, { PIGEON_QUEUE = value }), events = { '{"Records":[]}' } })
      assert.same({ "null" }, outcome.answers)
    end)
  end

  it("says where the handler is the program itself", function()
    local told = init_error({ _HANDLER = "bootstrap", LAMBDA_TASK_ROOT = system.build })
    assert.matches("set it to rules.lua", told.errorMessage, 1, true)
  end)

  it("says where the rules script is missing, or wrong in which line", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    local missing = init_error({ LAMBDA_TASK_ROOT = folder, _HANDLER = "pigeon.handler" }).errorMessage
    assert.matches("handler is `pigeon.handler`; set it to the rules script, rules.lua: ", missing, 1, true)
    assert.matches("No such file", missing)
    system.write(folder .. "/rules.lua", "\nlocal x = = 1\n")
    local told = init_error({ LAMBDA_TASK_ROOT = folder, _HANDLER = "rules.lua" })
    assert.matches("rules.lua:2:", told.errorMessage, 1, true)
    assert.equal("Runtime.RulesInvalid", told.errorType)
    os.execute("rm -rf " .. system.quote(folder))
  end)
end)

describe("the command line", function()
  local function run(arguments)
    local _, _, status = os.execute(system.bootstrap .. " " .. arguments .. " >/dev/null 2>&1")
    return status
  end

  it("prints help and version, and refuses the rest", function()
    assert.matches("^Usage: pigeon", system.run(system.bootstrap .. " --help"))
    assert.matches("^pigeon %d+%.%d+%.%d+\n.*librabbitmq", system.run(system.bootstrap .. " --version"))
    assert.equal(2, run("--oops"))
    assert.equal(2, run(""))
  end)
end)
