--- The local Lambda itself, with a function that follows its arguments (function.sh).
local system = require "spec.support.system"

-- The function's steps, and then what system.invoke() takes.
local function with(steps, setup)
  setup = setup or {}
  setup.command = { "spec/support/function.sh", table.unpack(steps) }
  setup.events = setup.events or { "{}" }
  return system.invoke(setup)
end

local function has(text, part)
  assert(text:find(part, 1, true), ("%q is not in:\n%s"):format(part, text))
end

local function state_error(from, to)
  return ('403 {"errorMessage":"State transition from %s to %s failed for runtime. '
    .. 'Error: State transition is not allowed","errorType":"InvalidStateTransition"}'):format(from, to)
end

local INVALID_ID = '400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}'
local OK = '202 {"status":"OK"}'

describe("the events on stdin", function()
  -- stdin, then the events that the function is handed, then options
  local cases = {
    { "one on one line", '{"a":1}\n', { '{"a":1}' } },
    { "one a line, without blank ones", '\n{"a":"}{\\"]"}\n\n [1,[2]] \n', { '{"a":"}{\\"]"}', " [1,[2]] " } },
    { "one a line, even where a later one is not JSON", "{}\nnot json\n{}", { "{}", "not json", "{}" } },
    { "one document over several lines", '{"a":\n  {}\n}', { '{"a":\n  {}\n}' } },
    { "what is not JSON, as it is", "not json\n{}", { "not json\n{}" } },
    { "what only begins like JSON", '{} {}\n{"a":1}', { '{} {}\n{"a":1}' } },
    { "all of it with --raw", "{}\n{}\n", { "{}\n{}\n" }, { "--raw" } },
    { "nothing with --raw", "", { "" }, { "--raw" } },
    { "each again with --repeat", "[1]\n[2]\n", { "[1]", "[1]", "[2]", "[2]" }, { "--repeat", "2" } },
    { "each after a pause", "[1]\n[2]\n", { "[1]", "[2]" }, { "--pause", "10" } },
    { "none", "", {} },
  }
  for _, case in ipairs(cases) do
    it("are " .. case[1], function()
      local outcome = with({ "next", "respond -" }, { input = case[2], options = case[4] })
      assert.are.equal(0, outcome.status)
      assert.are.same(table.concat(case[3], "\n"), table.concat(outcome.answers, "\n"))
      assert.are.equal(#case[3], select(2, outcome.log:gsub("event\n", "")))
      assert.are.equal(1, select(2, outcome.log:gsub("started %d+\n", "")))
    end)
  end

  it("may have 6 MB", function()
    local event = '{"a":"' .. ("x"):rep(6000000) .. '"}'
    local outcome = with({ "next", "respond -" }, { events = { event } })
    assert.are.equal(0, outcome.status)
    assert.is_true(outcome.answers[1] == event)
  end)

  it("are handed over as they come", function()
    local lambda = system.start({ command = { "spec/support/function.sh", "next", "respond -" } })
    assert.are.equal("[1]", lambda:send("[1]"))
    assert.are.equal("[2]", lambda:send("[2]"))
    assert.are.equal(0, lambda:finish().status)
  end)

  it("are over when the function asks for the next one, whatever it does after the answer", function()
    local steps = { "spec/support/function.sh", "next", "respond -", "get /ping", "env LAST" }
    local lambda = system.start({ command = steps })
    for i = 1, 3 do
      lambda:send("[1]")
      assert.are.equal(i, select(2, lambda:text():gsub("LAST=\n", "")))
    end
    assert.are.equal(0, lambda:finish().status)
  end)
end)

describe("the Runtime API", function()
  -- steps, then the replies that are in the function's log
  local cases = {
    { "takes an answer", { "next", 'respond "ok"' }, { OK } },
    { "takes a streamed answer", { "next", "respond_streaming streaming" }, { OK } },
    { "knows no other mode", { "next", "respond_streaming other" },
      { '400 {"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}' } },
    { "takes an error", { "next", "fail Function.X {}" }, { OK } },
    { "renders the same event again", { "next", "next", "respond -" }, { "event\nevent\n" .. OK } },
    { "refuses a wrong id", { "next", "post /runtime/invocation/wrong/response", "respond -" }, { INVALID_ID, OK } },
    { "refuses a second answer", { "next", "respond 1", "respond 2", "fail Function.X {}" },
      { OK .. "\n" .. INVALID_ID .. "\n" .. INVALID_ID } },
    { "refuses an answer before an event", { "post /runtime/invocation/x/error", "next", "respond 1" },
      { INVALID_ID, OK } },
    { "refuses an init error after init", { "next", "init_error Runtime.X {}", "respond 1" },
      { state_error("Running", "InitError") .. "\n" .. OK } },
    { "refuses the next event after an init error", { "init_error Runtime.X {}", "next", "exit 1" },
      { OK .. "\n" .. state_error("InitError", "Ready") } },
    { "refuses a second init error", { "init_error Runtime.X {}", "init_error Runtime.X {}", "exit 1" },
      { OK .. "\n" .. state_error("InitError", "InitError") } },
    { "refuses an answer of 6,291,557 bytes", { "next", "respond_big 6291557" },
      { '413 {"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).",'
        .. '"errorType":"RequestEntityTooLarge"}' } },
    { "takes one of 6,291,556", { "next", "respond_big 6291556" }, { OK } },
    { "has /ping", { "get /ping", "next", "respond 1" }, { "200 pong" } },
    { "has nothing else", { "get /runtime/restore/next", "next", "respond 1" }, { "404 " } },
    { "takes no GET for an answer", { "next", "get /runtime/invocation/ID/response", "respond 1" }, { "404 " } },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local outcome = with(case[2])
      for _, reply in ipairs(case[3]) do has(outcome.log, reply) end
      assert.are.equal(1, #outcome.answers)
    end)
  end

  it("says what an event is about", function()
    local before = os.time()
    local log = with({ "next", "headers", "respond 1" }, { options = { "--deadline", "50000" } }).log
    assert.matches("\nLambda%-Runtime%-Aws%-Request%-Id: %x+%-%x+%-4%x+%-[89ab]%x+%-%x+\n", log)
    assert.matches("\nLambda%-Runtime%-Trace%-Id: Root=1%-%x+%-%x+;Parent=%x+;Sampled=0\n", log)
    has(log, "\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:012345678912:function:pigeon\n")
    local ends = tonumber(log:match("\nLambda%-Runtime%-Deadline%-Ms: (%d+)\n"))
    assert.is_true(ends >= (before + 50) * 1000 and ends <= (os.time() + 51) * 1000)
  end)

  it("sets what Lambda sets, where it is not set", function()
    local steps = { "env _HANDLER", "env LAMBDA_TASK_ROOT", "env AWS_LAMBDA_FUNCTION_NAME", "next", "respond 1" }
    local root = system.run("pwd"):gsub("\n", "")
    has(with(steps).log, "_HANDLER=rules.lua\nLAMBDA_TASK_ROOT=" .. root .. "/rules\nAWS_LAMBDA_FUNCTION_NAME=pigeon\n")
    has(with(steps, { env = { _HANDLER = "a.lua", LAMBDA_TASK_ROOT = "/x", AWS_LAMBDA_FUNCTION_NAME = "y" } }).log,
      "_HANDLER=a.lua\nLAMBDA_TASK_ROOT=/x\nAWS_LAMBDA_FUNCTION_NAME=y\n")
    has(with(steps, { env = { _HANDLER = "function.sh" } }).log, "LAMBDA_TASK_ROOT=" .. root .. "/spec/support\n")
  end)
end)

describe("an error", function()
  -- steps, then the answer as a pattern, the error type that is reported, how many answers
  local cases = {
    { "of the function is its answer", { "next", 'fail Function.Down {"errorType":"X"}' },
      '^{"errorType":"X"}$', "Function.Down" },
    { "of a type that Lambda does not know is Unknown", { "next", "fail KeyError {}" }, "^{}$", "Runtime.Unknown" },
    { "type that begins well too", { "next", "fail Function.x {}" }, "^{}$", "Function.Unknown" },
    { "during init ends it all", { 'init_error Runtime.ConfigInvalid {"errorType":"KeyError"}', "exit 1" },
      '^{"errorType":"KeyError"}$', "Runtime.ConfigInvalid", 1 },
    { "is an exit", { "next", "exit 3" },
      "Runtime%.ExitError.*RequestId: %x+%-[%x-]+ Error: Runtime exited with error: exit status 3\"",
      "Runtime.ExitError" },
    { "is an exit with status 0", { "next", "exit 0" }, "Error: Runtime exited without providing a reason\"",
      "Runtime.ExitError" },
    { "is an exit during init", { "exit 4" }, "exited with error: exit status 4\"", "Runtime.ExitError" },
    { "is what takes too long", { "next", "hang" },
      "Sandbox%.Timedout.*RequestId: %x+%-[%x-]+ Error: Task timed out after 0%.50 seconds\"", "Sandbox.Timedout",
      2, { "--deadline", "500" } },
    { "is an answer that is too big", { "next", "respond_big 6291557" },
      "Response payload size exceeded maximum allowed payload size %(6291556 bytes%)%.\"",
      "Function.ResponseSizeTooLarge" },
      }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local outcome = with(case[2], { events = { "[1]", "[2]" }, options = case[6] })
      assert.are.equal(1, outcome.status)
      assert.are.equal(case[5] or 2, #outcome.answers)
      for _, answer in ipairs(outcome.answers) do assert.matches(case[3], answer) end
      has(outcome.said, "lambda: " .. case[4] .. "\n")
    end)
  end

  it("is an answer that breaks off", function()
    local outcome = with({ "next", "break", "next_at_last" })
    assert.are.equal(1, outcome.status)
    assert.matches("Runtime%.TruncatedResponse", outcome.answers[1])
  end)

  it("is told where there is no event to tell it to", function()
    local outcome = with({ "exit 4" }, { events = {} })
    assert.are.equal(1, outcome.status)
    assert.matches("exit status 4", outcome.answers[1])
  end)

  it("is an end after the answer, which stands", function()
    local outcome = with({ "next", "respond 1", "exit 5" }, { events = { "[1]", "[2]" } })
    assert.are.same({ "1", "1" }, outcome.answers)
    assert.are.equal(1, outcome.status)
    has(outcome.said, "lambda: after its answer: Runtime exited with error: exit status 5\n")
  end)

  it("is followed by a fresh process", function()
    local _, started = with({ "next", "exit 1" }, { events = { "[1]", "[2]", "[3]" } }).log:gsub("started", "")
    assert.are.equal(3, started)
  end)

  it("during init says how the function ended", function()
    has(with({ "init_error Runtime.X {}", "exit 1" }).said,
      "lambda: after its init error: Runtime exited with error: exit status 1\n")
    has(with({ "init_error Runtime.X {}", "hang" }, { options = { "--grace", "300" } }).said,
      "lambda: the function did not exit after its init error\n")
  end)
end)

-- Steps that register an extension, and let it ask.
local REGISTER, ASK = 'register x {"events":[]}', "extension_next"

describe("an extension", function()
  local function refusal(type, message)
    return ('403 {"errorMessage":"%s","errorType":"Extension.%s"}'):format(message, type)
  end

  -- steps, then the replies that are in the function's log
  local cases = {
    { "registers for no events, and is asked for nothing", { REGISTER, ASK, "next", "respond 1" },
      { '200 {"functionName":"pigeon","functionVersion":"$LATEST","handler":"rules.lua"}', OK } },
    { "needs a name", { "register - {}", "next", "respond 1" },
      { refusal("InvalidExtensionName", "Empty extension name") } },
    { "cannot have SHUTDOWN, inside the function", { 'register x {"events":["SHUTDOWN"]}', "next", "respond 1" },
      { refusal("InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension") } },
    { "has a name of its own", { REGISTER, REGISTER, "exit 1" },
      { refusal("InvalidExtensionState", "Extension with this name already registered") } },
    { "registers before the first event alone", { "next", REGISTER, "respond 1" },
      { refusal("RegistrationClosed", "Extension registration closed already") } },
    { "shows who it is", { "extension_next_as nobody", "next", "respond 1" },
      { refusal("UnknownExtensionIdentifier", "Unknown extension") } },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local outcome = with(case[2])
      for _, reply in ipairs(case[3]) do has(outcome.log, reply) end
      assert.are.equal(1, #outcome.answers)
    end)
  end

  it("that registers and does not ask lets no event through: each times out", function()
    local outcome = with({ REGISTER, "next", "respond 1" },
      { events = { "[1]", "[2]" }, options = { "--init", "500", "--deadline", "500" } })
    assert.are.equal(1, outcome.status)
    has(outcome.said, "lambda: init took longer than 500 ms; it starts again with the first event\n")
    assert.are.equal(2, #outcome.answers)
    for _, answer in ipairs(outcome.answers) do assert.matches("Task timed out", answer) end
    assert.is_nil(outcome.log:find("event\n", 1, true))
  end)

  it("is waited for: the event is handed out once it asks, however late", function()
    local outcome = with({ REGISTER, "ask", "get /ping", ASK, "take", "respond 1" })
    assert.are.same({ "1" }, outcome.answers)
    assert.are.equal(0, outcome.status)
  end)

  it("brings SIGTERM before a timed-out process is killed", function()
    local outcome = with({ REGISTER, ASK, "on_term 0", "next", "sleep" },
      { options = { "--deadline", "500" } })
    assert.matches("Task timed out", outcome.answers[1])
    has(outcome.log, "bye\n")
  end)
end)

describe("the invocation id", function()
  it("comes with each event, another each time", function()
    local log = with({ "next", "headers", "respond_as - 1" }, { events = { "[1]", "[2]" } }).log
    local ids = {}
    for id in log:gmatch("\nLambda%-Runtime%-Invocation%-Id: ([%x%-]+)\n") do ids[#ids + 1] = id end
    assert.are.equal(2, #ids)
    assert.are_not.equal(ids[1], ids[2])
    assert.are.equal(2, select(2, log:gsub(OK:gsub("%p", "%%%0"), "")))
  end)

  it("that is wrong is refused, and the event goes on", function()
    local outcome = with({ "next", "respond_as other 1", "respond_as - 2" })
    has(outcome.log, '410 {"errorMessage":"Invoke timeout","errorType":"InvokeTimeout"}')
    assert.are.same({ "2" }, outcome.answers)
    has(outcome.said, 'lambda: an answer with the invocation id "other" was refused\n')
  end)
end)

describe("the end", function()
  it("is SIGTERM where an extension has registered", function()
    local outcome = with({ REGISTER, ASK, "on_term 0", "next", "respond 1" })
    assert.are.equal(0, outcome.status)
    has(outcome.log, "bye\n")
  end)

  it("is SIGKILL where none has", function()
    local outcome = with({ "on_term 0", "next", "respond 1" })
    assert.are.equal(0, outcome.status)
    assert.is_nil(outcome.log:find("bye", 1, true))
  end)

  it("is an error where the function makes one of it", function()
    local outcome = with({ REGISTER, ASK, "on_term 3", "next", "respond 1" })
    assert.are.equal(1, outcome.status)
    has(outcome.said, "lambda: after SIGTERM: Runtime exited with error: exit status 3\n")
  end)

  it("is SIGKILL for what does not hear, and an error", function()
    local outcome = with({ REGISTER, ASK, "deaf", "next", "respond 1" }, { options = { "--grace", "300" } })
    assert.are.equal(1, outcome.status)
    has(outcome.said, "lambda: the function did not end after SIGTERM and was killed\n")
  end)

  for _, signal in ipairs({ "TERM", "INT", "KILL" }) do
    it("of the Lambda by SIG" .. signal .. " is the function's too", function()
      local lambda = system.start({ command = { "spec/support/function.sh", "next", "respond 1", "hang" } })
      lambda:hand("[1]")
      lambda:wait_for(OK)
      local pid = lambda:text():match("started (%d+)")
      assert(os.execute("kill -0 " .. pid))
      assert(os.execute(("kill -%s %d"):format(signal, lambda:pid())))
      system.wait("the function's end", function()
        return not os.execute(("grep -q '^State:.[^Z]' /proc/%s/status 2>/dev/null"):format(pid))
      end)
      local numbers = { TERM = 15, INT = 2, KILL = 9 }
      assert.are.equal(128 + numbers[signal], lambda:finish().status)
    end)
  end
end)

describe("misuse", function()
  for _, words in ipairs({ "", "--", "--deadline 0 -- true", "--deadline x -- true", "--repeat 0 -- true",
    "--pause -1 -- true", "--nonsense -- true" }) do
    it("is lambda " .. words, function()
      local _, _, status = os.execute(system.build .. "/tools/lambda " .. words .. " </dev/null 2>/dev/null")
      assert.are.equal(2, status)
    end)
  end
end)
