--- Logs and metrics: every line that the program writes, compared with what happened.
local cjson = require "cjson"
local assert_emf = require "spec.support.emf"
local broker = require "spec.support.broker"
local system = require "spec.support.system"

local PASSWORD = "hunter2-never-printed"

-- The key says what is to happen, and with which id.
local RULES = [[
return function(object)
  local what, id = object.key:match("^(%a+)/(.*)$")
  if what == "defer" then return defer("later") end
  if what == "junk" then return ignore("junk annotation") end
  if what == "ignore" then return ignore("not wanted") end
  if what == "raise" then error("boom") end
  if what == "slow" then for _ = 1, 100000 do id:find("x") end end
  if what == "forbidden" then return accept(id, { exchange("closed", "key") }) end
  local destinations = {}
  for _, queue in ipairs(queues) do
    if sample(id, queue.name) < queue.throttle then destinations[#destinations + 1] = queue.name end
  end
  if what == "lost" then destinations[#destinations + 1] = "missing" end
  if what == "full" then destinations[#destinations + 1] = "full" end
  return accept(id, destinations)
end
]]

describe("telemetry", function()
  local env, folder, errors

  setup(function()
    env = system.vhost({ "normal" })
    broker.add_user(env, PASSWORD)
    broker.permit(env, "^amq.default$")
    broker.declare(env, "full", '{<<"x-max-length">>, long, 0}, {<<"x-overflow">>, longstr, <<"reject-publish">>}')
    folder = system.run("mktemp -d"):gsub("\n", "")
    system.write(folder .. "/rules.lua", RULES)
    errors = folder .. "/stderr"
    env.LAMBDA_TASK_ROOT, env._HANDLER = folder, "rules.lua"
    env.PIGEON_QUEUE = "normal,0:never"
  end)

  teardown(function()
    system.run("rm -rf " .. system.quote(folder))
    system.eval(('rabbit_auth_backend_internal:delete_user(<<"%s">>, <<"spec">>).'):format(env.PIGEON_USER))
    system.drop(env)
  end)

  -- Invokes it with these variables too: its log, the answers, the ids that arrived. Nothing may be
  -- on stderr, and the password nowhere.
  local function invoke(changes, events, options)
    local outcome = system.invoke({ env = system.with(env, changes), events = events, options = options,
      command = { "sh", "-c", ("exec %s 2>%s"):format(system.bootstrap, errors) } })
    assert.equal("", system.read(errors))
    assert.is_nil(outcome.log:find(PASSWORD, 1, true))
    assert.is_nil(table.concat(outcome.answers):find(PASSWORD, 1, true))
    return outcome, system.consume(env, { "normal" })
  end

  local function version()
    return system.run("sha256sum " .. system.quote(folder .. "/rules.lua")):sub(1, 12)
  end

  -- The lines of events, without the one of the start, decoded; and those with metrics, as they are.
  local function event_lines(log)
    local lines, metrics = {}, {}
    for line in log:gmatch("([^\n]+)\n") do
      local decoded = cjson.decode(line)
      if decoded.requestId then
        if decoded._aws then metrics[#metrics + 1] = line end
        if decoded.message then lines[#lines + 1] = decoded end
      end
    end
    return lines, metrics
  end

  -- Of each verdict, and a failure of each kind but for lack of time.
  local function mixed()
    local event = system.event("good/a1", "defer/b2", "junk/c3", "ignore/d4", "raise/e5", "lost/f6", "full/g7",
      "forbidden/h8")
    table.insert(event.Records, { eventSource = "aws:ses" })
    table.insert(event.Records, { eventSource = "aws:s3", eventName = "ObjectCreated:Put" })
    return event
  end

  local function accepted(level, message, id, facts)
    local line = { level = level, message = message, verdict = "accept", crash_id = id, source = "aws:s3",
      bucket = "crashes" }
    for name, value in pairs(facts) do line[name] = value end
    return line
  end

  local function failed(level, id, queue, reason, error, key)
    return accepted(level, ("failed: %s to %s: %s"):format(id, queue, error), id,
      { queue = queue, reason = reason, error = error, key = key })
  end

  local function left_out(verdict, message, reason, key)
    return { level = "DEBUG", message = message, verdict = verdict, reason = reason, source = "aws:s3",
      bucket = "crashes", key = key }
  end

  local NEVER = { "never" }
  local REFUSED = "basic.nack: refused by the queue"

  it("has a line for each object of a mixed batch, and one of metrics, which adds up", function()
    local outcome, arrived = invoke({ AWS_LAMBDA_LOG_LEVEL = "DEBUG", PIGEON_ENV = "spec" }, { mixed() })
    local there = {} -- once or more: what is refused at h8 closes the channel under the others
    for _, id in ipairs(arrived) do there[id] = true end
    assert.same({ a1 = true, f6 = true, g7 = true }, there)
    assert.equal(1, outcome.status)
    local lines, metrics = event_lines(outcome.log)

    local request = lines[1].requestId
    assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+$", request)
    local errors_of = {}
    for _, line in ipairs(lines) do
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", line.timestamp)
      assert.equal(request, line.requestId)
      assert.equal(version(), line.rules)
      line.timestamp, line.requestId, line.rules = nil, nil, nil
      if line.crash_id then errors_of[line.crash_id] = line.error or errors_of[line.crash_id] end
    end
    -- the broker's own words
    assert.matches("^returned at publish: 312 NO_ROUTE", errors_of.f6)
    assert.matches("^nacked at confirm: " .. REFUSED, errors_of.g7)
    assert.matches("^unknown at publish: 403 ACCESS_REFUSED", errors_of.h8)
    assert.same({
      accepted("INFO", "published", "a1", { queue = { "normal" }, throttled = NEVER, prefix = "good/" }),
      left_out("defer", "deferred: defer/b2 (later)", "later", "defer/b2"),
      left_out("ignore", "ignored: junk/c3 (junk annotation)", "junk annotation", "junk/c3"),
      left_out("ignore", "ignored: ignore/d4 (not wanted)", "not wanted", "ignore/d4"),
      { level = "ERROR", message = "failed: raise/e5: rules.lua:6: boom", reason = "rule error",
        error = "rules.lua:6: boom", rule = "rules.lua:6", source = "aws:s3", bucket = "crashes", key = "raise/e5" },
      failed("ERROR", "f6", "missing", "unroutable", errors_of.f6, "lost/f6"),
      accepted("INFO", "published", "f6", { queue = { "normal" }, throttled = NEVER, prefix = "lost/" }),
      failed("WARN", "g7", "full", "nacked", errors_of.g7, "full/g7"),
      accepted("INFO", "published", "g7", { queue = { "normal" }, throttled = NEVER, prefix = "full/" }),
      failed("ERROR", "h8", "closed/key", "unknown", errors_of.h8, "forbidden/h8"),
      { level = "DEBUG", message = "ignored: Records[8] (a record of another source)", verdict = "ignore",
        reason = "a record of another source", source = "aws:ses" },
      { level = "ERROR", message = "failed: Records[9].s3 is missing", reason = "bad record",
        error = "Records[9].s3 is missing" },
    }, lines)

    assert.equal(1, #metrics)
    local metric = assert_emf(metrics[1])
    local expected = {
      Objects = 10, Accepted = 4, Deferred = 1, Ignored = 3, Junk = 1, Throttled = 3, Published = 3,
      Failed = 5, Unroutable = 1, Nacked = 1, Unknown = 1, RuleErrors = 1, BadRecords = 1,
      ColdStarts = 1, ["Published.normal"] = 3, ["Failed.other"] = 3, ["Throttled.never"] = 3,
      FunctionName = "pigeon", Environment = "spec", level = "DEBUG", requestId = request, rules = version(),
    }
    for name, value in pairs(expected) do assert.equal(value, metric[name], name) end
    for _, name in ipairs { "Undecided", "Published.never", "Published.other", "Failed.normal", "Failed.never" } do
      assert.is_nil(metric[name], name)
    end
    assert.equal(metric.Objects, metric.Accepted + metric.Deferred + metric.Ignored + metric.RuleErrors
      + metric.BadRecords)
    assert.equal(metric.Failed, metric.Unroutable + metric.Nacked + metric.Unknown + metric.RuleErrors
      + metric.BadRecords)
    assert.is_true(metric.PublishTime > 0 and metric.DecideTime > 0 and metric.Reconnects > 0)
    assert.is_true(metric.Lag > 300000000000) -- the event is of 2016
  end)

  it("says of an event without time what was not decided", function()
    local keys = {}
    for i = 1, 2000 do keys[i] = "slow/" .. i end
    local outcome, arrived = invoke({}, { system.event(table.unpack(keys)) }, { "--deadline", "1500" })
    local lines, metrics = event_lines(outcome.log)
    local metric = assert_emf(metrics[1])
    assert.equal(2000, metric.Objects)
    assert.equal(2000, metric.Accepted + metric.Undecided)
    assert.is_true(metric.Undecided > 0)
    assert.equal(#arrived, metric.Published)
    assert.equal(2000, #lines)
    assert.same({ "out of time", "WARN" }, { lines[1].reason, lines[1].level })
  end)

  it("says at each level what is of that level, and the metrics at all", function()
    local counts = { DEBUG = 12, INFO = 8, WARN = 5, ERROR = 4 }
    for level, count in pairs(counts) do
      local lines, metrics = event_lines(invoke({ AWS_LAMBDA_LOG_LEVEL = level }, { mixed() }).log)
      assert.equal(count, #lines, level)
      assert.equal(level, assert_emf(metrics[1]).level)
    end
  end)

  it("is text where that is asked for, and the metrics are JSON all the same", function()
    local log = invoke({ AWS_LAMBDA_LOG_FORMAT = "Text" }, { system.event("good/a1") }).log
    local text = log:match("\n(%S+ INFO  [^\n]*)\n")
    assert.matches("^%S+Z INFO  %x+%-%S+ published {", text)
    assert.equal("a1", cjson.decode(text:match("{.*}$")).crash_id)
    local _, metrics = event_lines(log:gsub("[^\n]*INFO [^\n]*\n", ""))
    assert_emf(metrics[1])
  end)

  it("has one line for a lone event, with its metrics in it", function()
    local events = { system.event("good/a1"), system.event("defer/b2"), system.event("raise/c3"),
      system.event("good/d4", "good/e5"), { Records = {} } }
    local lines, metrics = event_lines(invoke({ PIGEON_METRICS = "emf,monitoring" }, { events[1] }).log
      :gsub("MONITORING[^\n]*\n", function(line)
        assert.matches("|1|count|socorro.pigeon.%a+|\n$", line)
        return ""
      end))
    assert.same({ 1, 1 }, { #lines, #metrics })
    assert.same({ "published", "a1", "INFO" }, { lines[1].message, lines[1].crash_id, lines[1].level })
    local metric = assert_emf(metrics[1])
    assert.same({ 1, 1, 0 }, { metric.Objects, metric["Published.normal"], metric.Junk })

    local function counts(level)
      local told, measured = {}, {}
      for _, event in ipairs(events) do
        lines, metrics = event_lines(invoke({ AWS_LAMBDA_LOG_LEVEL = level }, { event }).log)
        told[#told + 1], measured[#measured + 1] = #lines, #metrics
        if #lines == 1 and #metrics == 1 then
          assert.equal(lines[1]._aws.Timestamp, assert_emf(metrics[1])._aws.Timestamp)
        end
      end
      return told, measured
    end
    local told, measured = counts("DEBUG")
    assert.same({ { 1, 1, 1, 2, 0 }, { 1, 1, 1, 1, 1 } }, { told, measured })
    told, measured = counts("ERROR")
    assert.same({ { 0, 0, 1, 0, 0 }, { 1, 1, 1, 1, 1 } }, { told, measured })
  end)

  it("has the lines of Socorro's dashboards where they are asked for", function()
    local log = invoke({ PIGEON_METRICS = "monitoring", PIGEON_ENV = "spec" }, { mixed() }).log
    local found = {}
    for count, name, tag in log:gmatch("\nMONITORING|%d+|(%d+)|count|socorro%.pigeon%.([%a_]+)|([^\n]*)") do
      found[name] = count .. tag
    end
    assert.same({ accept = "4#env:spec", defer = "1#env:spec", throttled = "3#env:spec", junk = "1#env:spec",
      pika_error = "3#env:spec" }, found)
    assert.is_nil(log:find("_aws", 1, true))
    assert.is_nil(invoke({ PIGEON_METRICS = "off" }, { mixed() }).log:find("_aws", 1, true))
  end)

  it("is not broken by random bytes in keys", function()
    math.randomseed(11)
    local keys = {}
    for i = 1, 500 do -- more would be over 1 MB
      local bytes = {}
      for j = 1, 250 do bytes[j] = string.char(math.random(0, 255)) end
      keys[i] = ({ "defer/", "raise/", "junk/", "" })[i % 4 + 1] .. table.concat(bytes)
    end
    local log = invoke({ AWS_LAMBDA_LOG_LEVEL = "DEBUG" }, { system.event(table.unpack(keys)) }).log
    local lines, metrics = event_lines(log)
    assert.equal(500, #lines)
    assert.equal(500, assert_emf(metrics[1]).Objects)
    assert.is_truthy(utf8.len(log))
    assert.is_nil(log:find("[\0-\9\11-\31\127]"))
    assert.is_nil(log:find("\xC2[\x80-\x9F]"))
  end)

  it("says what is wrong before the first event", function()
    local outcome = invoke({ PIGEON_METRICS = "emf,statsd" }, { mixed() })
    assert.equal("ValueError", outcome.decoded[1].errorType)
    assert.equal('PIGEON_METRICS: entry 2, "statsd", is not emf, monitoring or off', outcome.decoded[1].errorMessage)
    local said = system.said(outcome.log, "^ValueError: PIGEON_METRICS")
    assert.equal("ERROR", said[1].level)
  end)
end)
