--- The commands in bin/: what people type to try Pigeon.
local cjson = require "cjson"
local system = require "spec.support.system"

local quote = system.quote

-- Runs a command with these variables; returns its status, stdout and stderr.
local function run(command, env)
  local out, err = os.tmpname(), os.tmpname()
  local words = {}
  for name, value in pairs(env or {}) do
    words[#words + 1] = ("export %s=%s; "):format(name, quote(value))
  end
  local _, _, status = os.execute(("{ %s%s; } >%s 2>%s"):format(table.concat(words), command, out, err))
  local said, complained = system.read(out), system.read(err)
  os.remove(out)
  os.remove(err)
  return status, said, complained
end

describe("generate_event", function()
  local function record(arguments)
    local status, said = run("bin/generate_event " .. arguments)
    assert.are.equal(0, status)
    return cjson.decode(said).Records[1]
  end

  it("prints what S3 sends", function()
    local put = record("--key a/b")
    assert.are.equal("aws:s3", put.eventSource)
    assert.are.equal("ObjectCreated:Put", put.eventName)
    assert.are.equal("crashes", put.s3.bucket.name)
    assert.are.equal("arn:aws:s3:::crashes", put.s3.bucket.arn)
    assert.are.equal("a/b", put.s3.object.key)
  end)

  it("takes a bucket and an event name", function()
    local copy = record([[--key k --bucket 'b"\%1' --eventname ObjectCreated:Copy]])
    assert.are.equal('b"\\%1', copy.s3.bucket.name)
    assert.are.equal("ObjectCreated:Copy", copy.eventName)
  end)

  -- key, then what S3 makes of it
  local cases = {
    { "v2/raw_crash/0-_.*", "v2/raw_crash/0-_.*" },
    { "my file+1é.txt", "my+file%2B1%C3%A9.txt" },
    { "100%", "100%25" },
    { 'a\nb"\\', "a%0Ab%22%5C" },
    { "%KEY%", "%25KEY%25" },
  }
  for _, case in ipairs(cases) do
    it("writes " .. case[2], function()
      assert.are.equal(case[2], record("--key " .. quote(case[1])).s3.object.key)
    end)
  end

  it("needs nothing of build/, from wherever it is called", function()
    local here = system.run("pwd"):gsub("\n", "")
    local status, said = run(("cd / && %s/bin/generate_event --key k --count 3"):format(here))
    assert.are.equal(0, status)
    assert.are.equal(3, #cjson.decode(said).Records)
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("cp -r bin lua %s"):format(folder))
    assert.are.equal(0, (run(("cd %s/bin && PATH=.:$PATH && generate_event --key k"):format(folder))))
    os.execute("rm -rf " .. quote(folder))
  end)

  it("makes a record of each key, on one line", function()
    local _, said = run("bin/generate_event --key a --key b")
    assert.are.equal("b", cjson.decode(said).Records[2].s3.object.key)
    assert.are.equal(1, select(2, said:gsub("\n", "")))
  end)
end)

describe("with a broker", function()
  local env
  before_each(function() env = system.vhost({ "one", "two" }) end)
  after_each(function() system.drop(env) end)

  local accepted = "bin/generate_event --key " .. system.key(system.id(1)) .. " | bin/run_invoke.sh"
  local item = "item: " .. system.id(1) .. "\n"

  local function consume(queues)
    local status, said = run("bin/consume_queue " .. queues, env)
    assert.are.equal(0, status)
    return said
  end

  it("run_invoke.sh prints the answer alone, and the id arrives", function()
    env.PIGEON_QUEUE = "one, 100 : two"
    local status, said, log = run(accepted, env)
    assert.are.equal(0, status)
    assert.are.equal("null\n", said)
    assert.equal(system.id(1), system.said(log, "^published$")[1].crash_id)
    assert.are.equal(item, consume("two"))
    assert.are.equal(item, consume(""))
    assert.are.equal("", consume("one two"))
  end)

  it("run_invoke.sh logs at DEBUG, unless AWS_LAMBDA_LOG_LEVEL is set", function()
    local deferred = "bin/generate_event --key " .. system.key(system.id(1, "0")) .. " | bin/run_invoke.sh"
    local _, _, log = run(deferred, env)
    assert.equal(1, #system.said(log, "^deferred: "))
    env.AWS_LAMBDA_LOG_LEVEL = "INFO"
    _, _, log = run(deferred, env)
    assert.equal(0, #system.said(log, "^deferred: "))
  end)

  it("consume_queue shows which rules sent an id", function()
    env.PIGEON_QUEUE = "one"
    run(accepted, env)
    local version = system.run("sha256sum " .. system.rules_folder .. "/rules.lua"):sub(1, 12)
    assert.are.equal(("item: %s rules_version=%s\n"):format(system.id(1), version), consume("--headers one"))
    run(accepted, env)
    assert.are.equal(item, consume("one"))
  end)

  it("run_invoke.sh refuses an empty stdin, which is a command before it that failed", function()
    for _, text in ipairs { "", "\\n", " \\t\\r\\n\\n" } do
      local status, said, complained = run(("printf '%s' | bin/run_invoke.sh"):format(text), env)
      assert.are.equal(2, status)
      assert.are.equal("", said)
      assert.matches("no event on stdin", complained)
    end
  end)

  it("run_invoke.sh has status 1 for an error", function()
    env.PIGEON_QUEUE = "nowhere"
    local status, said = run(accepted, env)
    assert.are.equal(1, status)
    assert.is_string(cjson.decode(said).errorMessage)
    assert.are.equal(1, (run("echo not json | bin/run_invoke.sh", env)))
  end)

  it("integration_test.sh passes", function()
    local status, said = run("bin/integration_test.sh", env)
    assert.are.equal(0, status)
    assert.matches("ok +arrived +item: ", said)
  end)

  it("integration_test.sh fails where the wrong ids arrive", function()
    -- The annotations the other way round.
    env.LAMBDA_TASK_ROOT, env._HANDLER = system.run("pwd"):gsub("\n", "") .. "/rules", "antenna.lua"
    local status, said = run("bin/integration_test.sh", env)
    assert.are.equal(1, status)
    assert.matches("FAILED +arrived +item: ", said)
  end)

  it("integration_test.sh fails where no sample has to arrive", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("cp -r bin %s && ln -s $PWD/build $PWD/lua %s && mkdir -p %s/spec/fixtures")
      :format(folder, folder, folder))
    local sample = folder .. "/spec/fixtures/sample_keys"
    system.write(sample, "deferred " .. system.key(system.id(1, "0")) .. "\n")
    local status, said = run(folder .. "/bin/integration_test.sh", env)
    assert.are.equal(1, status, said)
    assert.matches('FAILED  no key of spec/fixtures/sample_keys is "accepted", so nothing had to arrive\n', said, 1,
      true)
    system.write(sample, "accepted " .. system.key(system.id(1))) -- without the last newline
    status, said = run(folder .. "/bin/integration_test.sh", env)
    assert.are.equal(0, status, said)
    assert.matches("ok +arrived +item: ", said)
    os.execute("rm -rf " .. quote(folder))
  end)

  it("consume_queue names a queue that is not there", function()
    local status, said, complaint = run("bin/consume_queue nosuch", env)
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.matches("nosuch", complaint)
  end)

  it("consume refuses an empty name, which each broker takes for another", function()
    for _, option in ipairs { "", "--declare", "--delete", "--count-only" } do
      local status, said, complaint = run(("%s/tools/consume %s item ''"):format(system.build, option), env)
      assert.are.equal(2, status)
      assert.are.equal("", said)
      assert.matches("^consume: a queue's name is empty; is a variable not set%?\n\nUsage: ", complaint)
    end
  end)

  it("consume counts, declares, deletes and empties 4,000 messages", function()
    system.declare(env, { "-three" })
    local expected = {}
    for i = 1, 4000 do expected[i] = system.id(i) end
    local keys, path = {}, os.tmpname()
    for i, id in ipairs(expected) do keys[i] = system.key(id) .. "\n" end
    system.write(path, table.concat(keys))
    env.PIGEON_QUEUE = "-three"
    assert.are.equal(0, (run("bin/pigeon replay <" .. path, env)))
    os.remove(path)
    assert.are.equal(4000, system.count(env, "-three"))
    assert.are.same(expected, system.consume(env, { "-three" }))
    assert.are.equal(0, system.count(env, "-three"))
    assert.are.equal(0, (run(system.build .. "/tools/consume --delete -- -three", env)))
    assert.are.equal(1, (run(system.build .. "/tools/consume --count-only -- -three", env)))
  end)
end)

describe("--help", function()
  local commands = { "bin/generate_event --key", "bin/pigeon event s3", "spec/lint/layers", "spec/lint/limits",
    "spec/lint/pages", "spec/lint/wording", "spec/simulation/check-calls", "spec/debian13/enter",
    "spec/debian13/walk" }
  for path in system.run("ls -d bin/* bin/build/* " .. system.tools .. "/*"):gmatch("[^\n]+") do
    if path ~= "bin/build" then commands[#commands + 1] = path end
  end

  it("is asked of all commands", function() assert.is_true(#commands > 30, #commands .. " commands") end)

  for _, command in ipairs(commands) do
    it("is understood by " .. command, function()
      local status, said, complaint = run(command .. " --help")
      assert.are.equal(0, status)
      assert.is_truthy(said:find(command:match("^%S+"):match("[^/]+$"), 1, true), said)
      assert.are.equal("", complaint)
    end)

    it("fails where the disk is full: " .. command, function()
      local status, _, complaint = run(command .. " --help >/dev/full")
      assert.is_true(status > 0)
      assert.matches("No space left on device", complaint)
    end)

    it("ends quietly where nobody reads on: " .. command, function()
      local _, _, complaint = run(("{ sleep 0.3; %s --help; } | true"):format(command))
      assert.are.equal("", complaint)
    end)
  end
end)

describe("consume_queue drains", function()
  -- What PIGEON_HOST is, options, and whether the queue is emptied: there is no broker, so that fails then.
  local cases = {
    { "localhost:1", "", true },
    { "LocalHost:1", "", true },
    { "127.0.0.1:1", "", true },
    { "127.9.8.7:1", "--headers", true },
    { "::1", "", true },
    { "[::1]:1", "", true },
    { " localhost:1 , 127.0.0.1:1", "", true },
    { "broker.invalid", "", false },
    { "localhost.invalid", "", false },
    { "127.0.0.1.invalid", "", false },
    { "127.x.invalid:5672", "--headers", false },
    { "notlocalhost", "", false },
    { "10.0.0.1", "", false },
    { "[::ffff:10.0.0.1]:5672", "", false },
    { "localhost,broker.invalid", "", false },
    { "broker.invalid, localhost", "", false },
    { "broker.invalid:1", "--drain broker.invalid", true },
    { "broker.invalid:1", "--headers --drain Broker.Invalid:5673", true },
    { "broker.invalid:1,localhost:1", "--drain broker.invalid --headers", true },
    { "a.invalid:1,b.invalid:1", "--drain a.invalid,b.invalid", true },
    { "a.invalid,b.invalid", "--drain a.invalid", false },
    { "a.invalid", "--drain b.invalid", false },
    { "a.invalid", "--drain invalid", false },
    { "localhost", "--drain b.invalid", false },
    { "a.invalid", "--drain a.invalid,b.invalid", false },
    { "", "--drain b.invalid", false },
  }
  for _, case in ipairs(cases) do
    local host, options, allowed = table.unpack(case)
    it((allowed and "" or "not ") .. ('%q %s'):format(host, options), function()
      local status, said, complaint = run("bin/consume_queue " .. options, {
        PIGEON_HOST = host, PIGEON_PORT = "1", PIGEON_VIRTUAL_HOST = "/", PIGEON_USER = "u", PIGEON_PASSWORD = "p",
        PIGEON_QUEUE = "normal",
      })
      assert.are.equal("", said)
      assert.are.equal(allowed and 1 or 2, status, complaint)
      assert.matches(allowed and "^consume: connect to " or "^consume_queue: ", complaint)
    end)
  end

  it("says why it does not, and what would", function()
    local env = { PIGEON_HOST = "localhost,mq.example.com:5671,[fe80::1]", PIGEON_QUEUE = "normal" }
    local _, _, complaint = run("bin/consume_queue", env)
    assert.are.equal("consume_queue: PIGEON_HOST names mq.example.com,fe80::1, not this machine; "
      .. "nothing was drained. Unset PIGEON_HOST\nto drain the private broker. To empty the queues there, for good: "
      .. "consume_queue --drain mq.example.com,fe80::1\n", complaint)
    _, _, complaint = run("bin/consume_queue --drain mq", env)
    assert.matches("consume_queue: --drain names mq, but PIGEON_HOST is localhost,mq.example.com:5671,[fe80::1];",
      complaint, 1, true)
  end)
end)

describe("the runbook", function()
  it("leaves none of the function's variables in the shell", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.run("mkdir " .. folder .. "/bin")
    system.write(folder .. "/aws", "#!/bin/sh\necho '{\"PIGEON_HOST\":\"it is far\"}'\n")
    system.write(folder .. "/bin/pigeon", '#!/bin/sh\necho "$1 of $PIGEON_HOST"\n')
    system.run(("chmod +x %s/aws %s/bin/pigeon"):format(folder, folder))
    local block -- of code, with the command
    for text in (system.read("deploy/RUNBOOK.md") .. "\n\n"):gmatch("\n\n(    .-)\n\n") do
      if text:find("get-function-configuration", 1, true) then block = text end
    end
    system.write(folder .. "/script", block .. '\necho "${PIGEON_HOST-none} is left"\n')
    local status, said = run(("cd %s && PATH=.:$PATH && unset PIGEON_HOST && sh script"):format(folder))
    os.execute("rm -rf " .. quote(folder))
    assert.are.equal(0, status)
    assert.are.equal("check of it is far\nnone is left\n", said)
  end)
end)

describe("misuse", function()
  for _, command in ipairs({
    "generate_event", "generate_event --key", "generate_event --key k --count 0",
    "generate_event --bucket b", "generate_event --nonsense x",
    "run_invoke.sh x", "consume_queue --nonsense", "consume_queue --headers --nonsense", "consume_queue --drain",
    "integration_test.sh x", "run x", "testshell x",
    "rabbitmq", "rabbitmq nonsense", "rabbitmq start x", "rabbitmq eval", "lint x", "run_circle.sh x",
    "bench x", "bench --json x", "setup", "setup x", "setup run x86_64 x", "test x",
    "fuzz", "fuzz x", "fuzz 0", "fuzz 1.5",
  }) do
    it("is " .. command, function()
      local status, said, complaint = run("bin/" .. command .. " </dev/null")
      assert.are.equal(2, status)
      assert.are.equal("", said)
      assert.matches("Usage: ", complaint)
    end)
  end
end)

-- make test builds it, make build does not.
local simulation = system.build .. "/simulation"
describe("the simulation, where it is built,", function()
  if not system.run("ls " .. system.build):find("%f[^\n%z]simulation\n") then return end

  for _, options in ipairs { "--seeds 0", "--seeds x", "--seed ''", "--first -1", "--stop-after 0", "--no", "x" } do
    it("refuses " .. options, function()
      local status, said, complaint = run(simulation .. " " .. options)
      assert.are.same({ 2, "" }, { status, said })
      assert.matches("Usage: ", complaint)
    end)
  end

  it("explains itself", function()
    local status, said = run(simulation .. " --help")
    assert.are.equal(0, status)
    assert.matches("^Usage: ", said)
    assert.is_true(run(simulation .. " --help >/dev/full") > 0)
  end)
end)
