--- The log of the whole program where nobody reads it, where it is too long, and where there is none;
-- and events that come with no time left.
local cjson = require "cjson"
local system = require "spec.support.system"

local id, key = system.id, system.key

-- The program as a command of the shell, which may use $0.
local function shell(script)
  return { "sh", "-c", (script:gsub("BOOTSTRAP", system.bootstrap)) }
end

-- Its stdout is a full pipe that somebody has open and does not read.
local UNREAD = [[
  pipe=$(mktemp -u)
  mkfifo $pipe
  exec 3<>$pipe
  rm $pipe
  head -c 65536 /dev/zero >&3
  exec BOOTSTRAP >&3]]

local STALLING = [[
  local text = ("x"):format()
  for i = 1, 12 do text = text .. text end
  return function(object)
    if object.key == "stall" then text:find(".-.-.-.-.-.-.-.-y") end
    return accept(crash_id(object.key), { "normal" })
  end]]

describe("a function", function()
  local env, folder

  setup(function()
    env = system.vhost({ "normal" })
    env.AWS_LAMBDA_LOG_LEVEL = "DEBUG"
    folder = system.run("mktemp -d"):gsub("\n", "")
  end)
  teardown(function()
    system.drop(env)
    os.execute("rm -rf " .. folder)
  end)

  local function of_keys(first, last)
    local keys = {}
    for i = first, last do keys[#keys + 1] = key(id(i)) end
    return system.event(table.unpack(keys))
  end

  it("whose log nobody reads answers each event within its time", function()
    local outcome = system.invoke({ env = env, command = shell(UNREAD), options = { "--deadline", "5000" },
      events = { of_keys(1, 300), of_keys(301, 600), of_keys(601, 602) } })
    assert.same({ "null", "null", "null" }, outcome.answers)
    assert.equal("", outcome.log) -- it asked for each next event in time
    assert.equal(0, outcome.status)
    assert.equal(602, #system.consume(env))
  end)

  it("whose log nobody reads is ended by the watchdog too", function()
    system.write(folder .. "/rules.lua", STALLING)
    env.LAMBDA_TASK_ROOT, env._HANDLER = folder, "rules.lua"
    local outcome = system.invoke({ env = env, command = shell(UNREAD), options = { "--deadline", "20000" },
      events = { of_keys(1, 2), system.event("stall") } })
    env.LAMBDA_TASK_ROOT, env._HANDLER = nil, nil
    assert.equal("null", outcome.answers[1])
    assert.equal("Runtime.ExitError", outcome.decoded[2].errorType)
    system.consume(env)
  end)

  it("without stdin, stdout and stderr publishes what it is sent, and nothing else", function()
    local lambda = system.start({ env = env, command = shell("exec BOOTSTRAP 0<&- 1>&- 2>&-") })
    assert.equal("null", lambda:send(of_keys(1, 2)))
    for fd = 0, 2 do
      local link = system.run(("readlink /proc/%d/fd/%d || echo hidden"):format(lambda:function_pid(), fd))
      assert.is_true(link == "/dev/null\n" or link == "hidden\n", link) -- hidden from other users
    end
    assert.equal("null", lambda:send(of_keys(3, 3)))
    assert.equal(0, lambda:finish().status)
    assert.same({ id(1), id(2), id(3) }, system.consume(env))
  end)

  it("writes no more than 1 MB for an event, with what the good ones became and the metrics", function()
    local bad = {}
    for i = 1, 60000 do bad[i] = "0" end
    local records = {}
    for i = 1, 10 do
      records[i] = { messageId = "m" .. i, eventSource = "aws:sqs", eventSourceARN = "arn:aws:sqs:r:1:q" .. i,
        body = cjson.encode(of_keys(i, i)) }
    end
    for i = 1, 60 do -- of other queues: so nothing is a message of a batch
      table.insert(records, 1, { messageId = "x" .. i, eventSource = "aws:sqs", eventSourceARN = "x",
        body = '{"Records":[' .. table.concat(bad, ",", 1, 200) .. "]}" })
    end
    local outcome = system.invoke({ env = env, events = { { Records = records } } })
    assert.equal(1, outcome.status)
    local lines = #outcome.log
    assert.is_true(lines < 1010000, lines)
    for i = 1, 10 do assert.matches('"message":"published","crash_id":"' .. id(i) .. '"', outcome.log, 1, true) end
    assert.matches('"CloudWatchMetrics"', outcome.log, 1, true)
    assert.equal(10, #system.consume(env))
  end)

  it("says how many lines are left out, of an event that is all debug lines", function()
    local keys = {}
    for i = 1, 8000 do keys[i] = key(id(i, "0")) end
    local outcome = system.invoke({ env = env, events = { system.event(table.unpack(keys)) } })
    assert.same({ "null" }, outcome.answers)
    assert.is_true(#outcome.log < 1010000, #outcome.log)
    local count = tonumber(outcome.log:match('"message":"(%d+) more lines of this event are not written'))
    assert.equal(8000, #system.said(outcome.log, "^deferred: ") + count)
    assert.matches('"CloudWatchMetrics"', outcome.log, 1, true)
  end)

  for _, ms in ipairs { 60, 250 } do
    it(("answers an event that came %d ms before its end"):format(ms), function()
      local outcome = system.invoke({ env = env, options = { "--deadline", tostring(ms) }, events = { of_keys(1, 2) } })
      assert.equal("Function.OutOfTime", outcome.decoded[1].errorType)
      assert.matches("2 of 2 objects failed: .*: not decided: out of time", outcome.decoded[1].errorMessage)
      assert.equal(2, #system.said(outcome.log, "^failed: .*: not decided: out of time$"))
      assert.same({}, system.consume(env))
    end)
  end
end)
