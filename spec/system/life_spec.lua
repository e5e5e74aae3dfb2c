--- A function's life on one connection: how it is named, kept, replaced and closed, and what is
-- written on a message.
local system = require "spec.support.system"
local broker = require "spec.support.broker"
local trial = require "spec.support.trial"

-- Erlang about the virtual host of env, which is <<"VHOST">> in it.
local function ask(env, expression)
  return system.eval((expression:gsub("VHOST", env.PIGEON_VIRTUAL_HOST):gsub("%s+", " ")))
end

-- The processes of its connections and channels, as text.
local function processes(env)
  return ask(env, [[{[P || [{vhost, <<"VHOST">>}, {pid, P}] <- rabbit_networking:connection_info_all([vhost, pid])],
    [P || [{vhost, <<"VHOST">>}, {pid, P}] <- rabbit_channel:info_all([vhost, pid])]}.]])
end

local ONE_OF_EACH = "^{%[<[%d.]+>%],%[<[%d.]+>%]}$"

-- A function whose exit status is in its log.
local function tell_status(env)
  return system.start({ env = env,
    command = { "sh", "-c", "trap : TERM; " .. system.bootstrap .. "; echo exited with $? >&2" } })
end

-- The process id of the program in there.
local function program_pid(lambda)
  return system.wait("the program", function()
    return system.children(lambda:function_pid())[1]
  end)
end

local function wait_for_exit(lambda)
  return system.wait("its end", function() return lambda:text():match("exited with (%d+)") end)
end

-- How its connection ended, by the level of the broker's line about that: "info" with a goodbye,
-- "warning" without.
local function ending(env)
  local line = "%[(%a+)%] %S+ closing AMQP connection [^\n]* %- pigeon [^\n]*vhost: '"
    .. env.PIGEON_VIRTUAL_HOST:gsub("%-", "%%-") .. "'"
  return system.wait("the broker's words", function() return broker.log():match(line) end)
end

local function event(number)
  return system.event(system.key(system.id(number)))
end

describe("a function", function()
  local env, idle_env, idle, idle_before, idle_since

  -- Sits idle while the other cases run.
  setup(function()
    idle_env = system.vhost({ "normal" })
    idle = trial.start(idle_env)
    idle:undisturbed()
    idle_before, idle_since = processes(idle_env), os.time()
  end)

  teardown(function()
    idle:abandon()
    system.drop(idle_env)
  end)

  before_each(function()
    env = system.vhost({ "normal" })
  end)

  after_each(function()
    broker.release_all()
    system.drop(env)
  end)

  it("has a name in the broker's list: function and log stream", function()
    env.AWS_LAMBDA_FUNCTION_NAME = "crash-function"
    env.AWS_LAMBDA_LOG_STREAM_NAME = "2026/11/24/[$LATEST]0123456789abcdef"
    local lambda = system.start({ env = env })
    assert.equal("null", lambda:send(event(1)))
    local properties = ask(env, [=[hd([P || [{vhost, <<"VHOST">>}, {client_properties, P}] <-
      rabbit_networking:connection_info_all([vhost, client_properties])]).]=])
    for _, words in ipairs({
      '{<<"connection_name">>,longstr,<<"pigeon crash-function 2026/11/24/[$LATEST]0123456789abcdef">>}',
      '{<<"product">>,longstr,<<"Pigeon">>}',
      '{<<"version">>,longstr,<<"' .. system.run(system.bootstrap .. " --version"):match("pigeon (%S+)") .. '">>}',
    }) do
      assert.matches(words, properties, 1, true)
    end
    assert.equal(0, lambda:finish().status)
  end)

  it("keeps one connection and one channel over many events", function()
    local run = trial.start(env)
    run:undisturbed()
    local first = processes(env)
    assert.matches(ONE_OF_EACH, first)
    for _ = 1, 50 do run:undisturbed(20) end
    assert.equal(first, processes(env))
    run:finish()
  end)

  it("closes its connection on SIGTERM between events, and exits 0", function()
    local lambda = tell_status(env)
    assert.equal("null", lambda:send(event(1)))
    system.run("kill -TERM " .. program_pid(lambda))
    assert.equal("0", wait_for_exit(lambda))
    assert.equal("info", ending(env))
    lambda:finish()
  end)

  it("finishes an event that SIGTERM comes into, and then exits 0", function()
    local lambda = tell_status(env)
    assert.equal("null", lambda:send(event(1)))
    broker.hold(env, "normal")
    lambda:hand(event(2))
    broker.wait_unconfirmed(env, 1)
    system.run("kill -TERM " .. program_pid(lambda))
    broker.release(env)
    assert.equal("null", lambda:answer())
    assert.equal("0", wait_for_exit(lambda))
    assert.same({ system.id(1), system.id(2) }, system.consume(env))
    assert.equal("info", ending(env))
    lambda:finish()
  end)

  it("that is killed says no goodbye, and the broker tells the two apart", function()
    local lambda = tell_status(env)
    assert.equal("null", lambda:send(event(1)))
    system.run("kill -KILL " .. program_pid(lambda))
    assert.equal("137", wait_for_exit(lambda))
    assert.equal("warning", ending(env))
    lambda:finish()
  end)

  it("goes to the host that works, and there first the next time", function()
    -- The first host accepts, counts, and sends nothing.
    local port = ask(env, [[Me = self(), spawn(fun() ->
      {ok, Listener} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, {active, false}]),
      Me ! inet:port(Listener),
      (fun Serve(N) ->
        {ok, Socket} = gen_tcp:accept(Listener), put(N, Socket),
        application:set_env(rabbit, list_to_atom("VHOST"), N), Serve(N + 1)
      end)(1) end), receive {ok, Port} -> Port end.]])
    local function visits() return ask(env, 'application:get_env(rabbit, list_to_atom("VHOST"), 0).') end

    env.PIGEON_HOST = "127.0.0.1:1, 127.0.0.1:" .. port .. ",127.0.0.1"
    local run = trial.start(env)
    env.PIGEON_HOST = "127.0.0.1"
    run:undisturbed()
    assert.equal("1", visits())
    for _ = 1, 3 do
      ask(env, [=[[rabbit_networking:close_connection(P, "spec") || [{vhost, <<"VHOST">>}, {pid, P}] <-
        rabbit_networking:connection_info_all([vhost, pid])].]=])
      run:undisturbed()
    end
    assert.equal("1", visits())
    run:finish()
  end)

  it("finds localhost by its name, where the machine knows it (a bare container does not)", function()
    local changed = {}
    for name, value in pairs(env) do changed[name] = value end
    changed.PIGEON_HOST = "localhost"
    local outcome = system.invoke({ env = changed, events = { system.event(system.key(system.id(1))) } })
    if os.execute("getent ahosts localhost >/dev/null") then
      assert.same({ "null" }, outcome.answers)
      assert.same({}, system.said(outcome.log, "no broker yet"))
    else
      assert.matches("unknown at resolve: localhost:", outcome.decoded[1].errorMessage, 1, true)
    end
    system.consume(env)
  end)

  it("writes on a message what it is", function()
    local run = trial.start(env)
    run:undisturbed()
    local id = run.events[1].ids[1]
    local words = {}
    for name, value in pairs(env) do words[#words + 1] = name .. "=" .. system.quote(value) end
    local message = system.run(table.concat(words, " ") .. " " .. system.tools .. "/consume --properties -- normal")
    local timestamp = message:match("timestamp=(%d+)")
    local rules = system.run("sha256sum " .. system.rules_folder .. "/rules.lua"):sub(1, 12)
    -- flags: these five and the headers, and no other
    assert.equal(("item: %s flags=b0c8 content_type=text/plain delivery_mode=2 message_id=%s timestamp=%s app_id=pigeon"
      .. " rules_version=%s\n"):format(id, id, timestamp, rules), message)
    assert.is_true(math.abs(os.time() - tonumber(timestamp)) < 600)
    run.lambda:finish()
  end)

  -- The heartbeat is 30 s.
  it("that was idle for longer than the heartbeat connects anew before it publishes", function()
    system.wait("31 s of idleness", function() return os.time() > idle_since + 31 end)
    assert.equal(idle_before, processes(idle_env))
    idle:undisturbed(300)
    local now = processes(idle_env)
    assert.matches(ONE_OF_EACH, now)
    assert.are_not.equal(idle_before, now)
    idle:finish()
  end)
end)
