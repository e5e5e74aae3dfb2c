--- pigeon check --connect: what it says of a broker and its queues, and that what it prints for the
-- broker's operator, pasted, is all that is missing.
local cjson = require "cjson"
local system = require "spec.support.system"
local broker = require "spec.support.broker"

local quote = system.quote

-- Status and stdout.
local function check(env, options)
  local out, words = os.tmpname(), {}
  for name, value in pairs(env) do words[#words + 1] = name .. "=" .. quote(value) end
  local command = "env -i PATH=\"$PATH\" SOURCE_DATE_EPOCH=0 %s %s check --connect %s >%s 2>&1"
  local _, _, status = os.execute(command:format(
    table.concat(words, " "), system.bootstrap, options or "", out))
  local said = system.read(out)
  os.remove(out)
  return status, said
end

local function json_lines(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = cjson.decode(line) end
  return lines
end

-- The lines that are indented, in a shell where rabbitmqctl is the broker's.
local function paste(said)
  local lines = {}
  for line in said:gmatch("\n    ([^\n]*)") do lines[#lines + 1] = line end
  system.run("bash -ec " .. quote(('rabbitmqctl() { %s ctl "$@"; }\n%s'):format(system.rabbitmq,
    table.concat(lines, "\n"))))
  return #lines
end

-- A user of env's own, with these rights in its virtual host.
local function add_user(env, configure, write)
  broker.add_user(env, "secret")
  system.eval((([[rabbit_auth_backend_internal:set_permissions(<<"%s">>, <<"%s">>, <<"%s">>, <<"%s">>, <<"^$">>,
    <<"spec">>).]]):format(env.PIGEON_USER, env.PIGEON_VIRTUAL_HOST, configure, write):gsub("%s+", " ")))
end

-- RabbitMQ asks for a right before it says whether a queue exists.
local function guards_queues()
  local major, minor, patch = system.eval("rabbit_misc:version()."):match("(%d+)%.(%d+)%.(%d+)")
  return tonumber(major) * 10000 + tonumber(minor) * 100 + tonumber(patch) >= 40206
end

describe("pigeon check --connect", function()
  local env, vhost

  setup(broker.start)
  teardown(broker.stop)
  before_each(function()
    env = system.vhost { "there" }
    vhost = env.PIGEON_VIRTUAL_HOST
  end)
  after_each(function()
    broker.repair()
    system.drop({ PIGEON_VIRTUAL_HOST = vhost })
  end)

  it("logs in at each of several hosts, and has an error for one that is not there", function()
    local good = env.PIGEON_HOST .. ":" .. env.PIGEON_PORT
    env.PIGEON_QUEUE, env.PIGEON_HOST = "there", good .. "," .. good
    local status, said = check(env)
    assert.equal(0, status, said)
    assert.equal(2, select(2, said:gsub("broker: 127%.0%.0%.1:%d+: there\n", "")), said)
    for _, hosts in ipairs { good .. ",127.0.0.1:1", "127.0.0.1:1," .. good } do
      env.PIGEON_HOST = hosts
      status, said = check(env)
      assert.equal(1, status, said)
      assert.matches("queue there: there\n", said)
      assert.matches("broker: connect: 127%.0%.0%.1:1: 127%.0%.0%.1: Connection refused; next: ", said)
    end
    local lines = json_lines((select(2, check(env, "--json"))))
    assert.same({ true, "error" }, { lines[1].broker, lines[1].level })
    env.PIGEON_HOST = "127.0.0.1:1,127.0.0.1:2"
    status, said = check(env)
    assert.equal(1, status)
    assert.equal(1, select(2, said:gsub("broker: ", "")), said)
  end)

  it("asks for each queue and puts nothing into one", function()
    env.PIGEON_QUEUE = "there,15:missing,there2"
    system.declare(env, { "there2" })
    local status, said = check(env)
    assert.are.equal(1, status)
    assert.matches("^queue there: there\nqueue missing: ask: 404 NOT_FOUND [^\n]*declare the queue[^\n]*\n"
      .. "queue there2: there\non the broker[^\n]*:\n    f=[^\n]*; printf [^\n]*\n"
      .. "rules.lua: %d+ objects decided, 1 error\n$", said)
    status, said = check(env, "--json")
    assert.are.equal(1, status)
    local finding, last = table.unpack(json_lines(said))
    assert.are.same({ "missing", "error" }, { finding.queue, finding.level })
    assert.matches("^ask: 404 NOT_FOUND", finding.what)
    assert.matches("^declare the queue", finding.fix)
    assert.matches("rabbitmqctl import_definitions %$f && rm %$f$", finding.run[1])
    assert.are.same({ queue = "there", ok = true, what = "there" }, last.summary.queues[1])
    assert.is_false(last.summary.queues[2].ok)
    assert.are.equal(0, system.count(env, "there"))
    env.PIGEON_QUEUE = "there"
    assert.are.equal(0, (check(env)))
  end)

  it("is right where the user has the rights that it prints, and no other", function()
    add_user(env, "^$", "^(amq\\\\.default|there)$")
    local status, said = check(env)
    assert.are.equal(0, status, said)
    assert.matches("^queue there: there\nrules.lua: %d+ objects decided, nothing found\n$", said)
  end)

  it("never takes a user who may not ask for a queue that exists", function()
    add_user(env, "^$", "^amq\\\\.default$")
    env.PIGEON_QUEUE = "there,nowhere"
    local status, said = check(env)
    assert.are.equal(1, status)
    if guards_queues() then
      assert.matches("^queue there: ask: 403 ACCESS_REFUSED [^\n]*; next: give the user the right to write to it",
        said)
      assert.matches("\nqueue nowhere: ask: 403 ", said)
      assert.are.equal(1, paste(said))
      status, said = check(env)
      assert.are.equal(1, status)
    end
    assert.matches("^queue there: there\nqueue nowhere: ask: 404 ", said)
  end)

  it("prints lines of rabbitmqctl that, pasted, are all that is missing", function()
    broker.add_user(env, "secret")
    env.PIGEON_VIRTUAL_HOST = vhost .. " it's"
    env.PIGEON_QUEUE = "a.b,15:c|d,it's"
    local status, said, pastes = 1, nil, 0
    for _ = 1, 4 do
      status, said = check(env)
      if status == 0 then break end
      pastes = pastes + paste(said)
    end
    system.drop(env)
    assert.are.equal(0, status, said)
    assert.are.equal(5, pastes) -- add_vhost, set_permissions, three queues
  end)

  it("says that the user may not write", function()
    add_user(env, ".*", "^there$")
    local status, said = check(env)
    assert.are.equal(1, status)
    assert.matches("\nbroker: publish: 403 ACCESS_REFUSED [^\n]*; next: give the user write permission", said)
    assert.are.equal(1, paste(said))
    assert.are.equal(0, (check(env)))
  end)

  it("says that the broker has an alarm", function()
    broker.alarm("memory")
    local status, said = check(env)
    assert.are.equal(1, status)
    assert.matches("^queue there: there\nbroker: confirm: the broker takes no messages %(connection.blocked%): "
      .. "low on memory; next: free memory", said)
    broker.clear_alarm("memory")
    assert.are.equal(0, (check(env)))
  end)

  it("says that a limit is reached, and how to see it", function()
    broker.limit_vhost(env, 0)
    local status, said = check(env)
    assert.are.equal(1, status)
    assert.matches("^broker: login: 530 [^\n]*connection limit %(0%) is reached[^\n]*; next: raise the limit[^\n]*\n"
      .. "on the broker:\n", said)
    assert.are.equal(2, paste(said))
    broker.limit_vhost(env, -1)
    add_user(env, "^$", "^(amq\\\\.default|there)$")
    system.eval(([[rabbit_auth_backend_internal:set_user_limits(<<"%s">>, <<"{\"max-channels\": 0}">>, <<"spec">>).]])
      :format(env.PIGEON_USER))
    status, said = check(env)
    assert.are.equal(1, status)
    assert.matches("^broker: channel: 530 [^\n]*number of channels opened [^\n]*; next: raise the limit", said)
    assert.are.equal(2, paste(said))
  end)

  it("says why it cannot log in", function()
    env.PIGEON_PASSWORD = "wrong"
    local status, said = check(env)
    assert.are.equal(1, status)
    assert.matches("^broker: login: 403 [^\n]*ACCESS_REFUSED[^\n]*check PIGEON_USER", said)
  end)
end)
