--- What an operator reads: every way to be turned away that a real RabbitMQ has, with the
-- stage, the code, the broker's own words and the next step that the answer gives.
local system = require "spec.support.system"
local broker = require "spec.support.broker"

local function erlang(expression, ...)
  return system.eval((expression:format(...):gsub("%s+", " ")))
end

-- A server that is not RabbitMQ: it sends this in answer to the first bytes of each client and
-- closes. Lives as long as the broker does.
local function stranger(words)
  return erlang([[Me = self(), spawn(fun() ->
      {ok, Listener} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, {active, false}]),
      Me ! inet:port(Listener),
      (fun Serve() ->
        {ok, Socket} = gen_tcp:accept(Listener),
        gen_tcp:recv(Socket, 0), gen_tcp:send(Socket, "%s"), gen_tcp:close(Socket), Serve()
      end)() end), receive {ok, Port} -> Port end.]], words)
end

-- A port that drops what asks for a connection: its queue is full, and nobody accepts.
local function black_hole()
  return erlang([[Me = self(), spawn(fun() ->
      {ok, Listener} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, {active, false}, {backlog, 0}]),
      {ok, Port} = inet:port(Listener),
      {ok, _} = gen_tcp:connect({127, 0, 0, 1}, Port, []),
      Me ! Port, receive never -> ok end end), receive Port -> Port end.]])
end

-- The broker's own listener with connection_max, which is reached: RabbitMQ before 3.13 leaves
-- a client alone then. Idle clients occupy all that it accepts.
local function occupy(env)
  erlang([[[ranch:set_max_connections(Ref, 1) || Ref <- maps:keys(ranch:info())],
    Me = self(), spawn(fun() ->
      register(idle_clients, self()),
      Idle = [gen_tcp:connect({127, 0, 0, 1}, %s, []) || _ <- lists:seq(1, 20)],
      Me ! ready, receive leave -> [gen_tcp:close(Socket) || {ok, Socket} <- Idle] end
      end), receive ready -> ok end.]], env.PIGEON_PORT)
end

local function vacate()
  erlang("idle_clients ! leave, [ranch:set_max_connections(Ref, infinity) || Ref <- maps:keys(ranch:info())].")
end

local function mechanisms(list)
  return function() erlang("application:set_env(rabbit, auth_mechanisms, [%s]).", list) end
end

-- RabbitMQ 3 reads its environment, 4 a persistent term.
local function most_bytes(size)
  return function()
    erlang("application:set_env(rabbit, max_message_size, %d), persistent_term:put(max_message_size, %d).", size, size)
  end
end

local function set(name, value)
  return function(env) env[name] = value end
end

-- With rules that send to these destinations, as Lua.
local function rules(destinations, change)
  return function(env)
    env.LAMBDA_TASK_ROOT = system.run("mktemp -d"):gsub("\n", "")
    env._HANDLER = "rules.lua"
    system.write(env.LAMBDA_TASK_ROOT .. "/rules.lua",
      ("return function(object) return accept(crash_id(object.key), { %s }) end"):format(destinations))
    if change then change(env) end
  end
end

local function remove_rules(env) system.run("rm -rf " .. system.quote(env.LAMBDA_TASK_ROOT)) end

local function user(change)
  return function(env)
    broker.add_user(env, "secret")
    change(env)
  end
end

-- For `during`: what befalls a function that waits for a confirm of its message.
local function closed_twice(env)
  for _ = 1, 2 do -- once does not hurt
    broker.wait_unconfirmed(env, 1)
    broker.close_connections()
  end
end

-- Its port goes first: a stop closes that a little after the connections.
local function stopped(env)
  broker.wait_unconfirmed(env, 1)
  broker.suspend_listeners()
  erlang("rabbit:stop().")
end

local LOOK = "see the broker's log"
local AMQP_PORT = "is PIGEON_PORT an AMQP port, and is the broker below its connection limit?"
local LOGIN = "check PIGEON_USER and PIGEON_PASSWORD"
local UNANSWERED = "is PIGEON_PORT a port for TLS? Then set PIGEON_TLS=on; or is the broker at its connection limit?"
local LIMIT = "raise the limit on the broker, or lower the function's concurrency"
local FULL = "is the queue full (overflow=reject-publish), or its leader gone?"

-- Stage, the broker's text, what to do; `before` changes the broker or the function's
-- variables, `during` is done in the middle of the event, `after` repairs.
local cases = {
  { "nobody at the port", before = set("PIGEON_PORT", "1"),
    "connect: 127.0.0.1:1: ", "Connection refused", "is RabbitMQ running, and is PIGEON_PORT its port?" },
  { "an unknown host", before = set("PIGEON_HOST", "nowhere.invalid"),
    "resolve: nowhere.invalid:", "", "check PIGEON_HOST, and the name servers of the function's network" },
  { "a black hole", before = function(env) env.PIGEON_PORT = black_hole() end,
    "connect: ", "no answer to the connect", "check PIGEON_HOST, security groups and routes" },
  { "a web server", before = function(env) env.PIGEON_PORT = stranger("HTTP/1.1 400 Bad Request\\r\\n\\r\\n") end,
    "login: ", "invalid AMQP data", AMQP_PORT },
  { "a port that hangs up", before = function(env) env.PIGEON_PORT = stranger("") end,
    "login: ", "the broker's end closed the connection", UNANSWERED },
  { "a port that says nothing", before = function(env) env.PIGEON_PORT = broker.silent_port() end,
    "login: ", "no answer in time", AMQP_PORT },
  { "connection_max", before = occupy, after = vacate,
    "login: ", "no answer in time", AMQP_PORT },
  { "a wrong password", before = set("PIGEON_PASSWORD", "wrong"),
    "login: 403 ", "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.", LOGIN },
  { "an unknown user", before = set("PIGEON_USER", "nobody"),
    "login: 403 ", "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.", LOGIN },
  { "no mechanism PLAIN", before = mechanisms("'AMQPLAIN'"), after = mechanisms("'PLAIN', 'AMQPLAIN'"),
    "login: ", "does not offer the mechanism PLAIN; it offers",
    "allow the mechanism PLAIN on the broker (auth_mechanisms)" },
  { "a missing virtual host", before = set("PIGEON_VIRTUAL_HOST", "nowhere"),
    "login: 530 ", "NOT_ALLOWED - vhost nowhere not found", "check PIGEON_VIRTUAL_HOST" },
  { "no permission on the virtual host", before = user(broker.permit_nothing),
    "login: 530 ", "NOT_ALLOWED - access to vhost '$VHOST' refused for user '$USER'",
    "give the user permissions there: rabbitmqctl set_permissions" },
  { "a virtual host that is down", before = broker.break_vhost,
    "login: 541 ", "INTERNAL_ERROR - access to vhost '$VHOST' refused for user '$USER': vhost '$VHOST' is down",
    "start the vhost: rabbitmqctl restart_vhost" },
  { "the virtual host's limit", before = function(env) broker.limit_vhost(env, 0) end,
    "login: 530 ", "NOT_ALLOWED - access to vhost '$VHOST' refused for user '$USER': connection limit (0) is reached",
    LIMIT },
  { "the user's limit", before = user(function(env) broker.limit_user(env, 0) end),
    "login: 530 ", "NOT_ALLOWED - connection refused for user '$USER': user connection limit (0) is reached", LIMIT },
  { "no permission to write", before = user(function(env) broker.permit(env, "^$") end),
    "publish: 403 ", "access to exchange 'amq.default' in vhost '$VHOST' refused for user '$USER'",
    "give the user write permission on the exchange (amq.default for queues)" },
  { "no permission for one topic, and not for another", after = remove_rules,
    before = rules('exchange("amq.topic", "good"), exchange("amq.topic", "bad"), queues[1].name',
      user(function(env)
        broker.permit_topics(env, "amq.topic", "^good$")
        broker.bind(env, "amq.topic", "good", "normal")
      end)),
    "publish: 403 ", "access to topic 'bad' in exchange 'amq.topic' in vhost '$VHOST' refused for user '$USER'",
    "let the user write this routing key: rabbitmqctl set_topic_permissions -p VHOST USER EXCHANGE WRITE READ" },
  { "a missing exchange with a name too long for the broker's words", after = remove_rules,
    before = rules(('exchange("%s", "key"), queues[1].name'):format(("x"):rep(250))),
    "publish: 404 ", "NOT_FOUND - no exchange 'xxx", "declare the exchange, or correct its name in the rules" },
  { "a missing exchange", before = rules('exchange("nowhere", "key")'), after = remove_rules,
    "publish: 404 ", "NOT_FOUND - no exchange 'nowhere' in vhost '$VHOST'",
    "declare the exchange, or correct its name in the rules" },
  { "a missing queue", before = set("PIGEON_QUEUE", "missing"), fate = "returned",
    "publish: 312 ", "NO_ROUTE", "declare the queue, or correct its name in PIGEON_QUEUE or the rules" },
  { "a full queue", before = function(env)
      broker.declare(env, "full", '{<<"x-max-length">>, long, 0}, {<<"x-overflow">>, longstr, <<"reject-publish">>}')
      env.PIGEON_QUEUE = "full"
    end, fate = "nacked",
    "confirm: ", "basic.nack", FULL },
  { "a message over the limit", before = most_bytes(10), after = most_bytes(134217728),
    "publish: 406 ", "PRECONDITION_FAILED - message size 36 is larger than configured max size 10", LOOK },
  { "memory and disk that ran out",
    before = function()
      broker.alarm("memory")
      broker.alarm("disk")
    end,
    "confirm: the broker takes no messages (connection.blocked): ", "low on disk & memory",
    "free memory or disk space on the broker; AWS retries the event" },
  { "an operator who closes the connection, and the next one", during = closed_twice,
    "confirm: 320 ", "CONNECTION_FORCED - spec", "an operator closed the connection or stopped the node" },
  { "a node that stops", during = stopped, after = function() erlang("rabbit:start().") end,
    "connect: 127.0.0.1:", "Connection refused", "is RabbitMQ running, and is PIGEON_PORT its port?" },
  { "a queue that does not answer", during = function(env) broker.wait_unconfirmed(env, 1) end,
    "confirm: ", "no answer in time", "is the broker overloaded, frozen or cut off from its cluster?" },
}

describe("the answer names, with the next step,", function()
  setup(broker.start)
  teardown(broker.stop)

  local env, vhost, repair

  before_each(function()
    env = system.vhost({ "normal" })
    vhost = env.PIGEON_VIRTUAL_HOST
  end)

  after_each(function()
    if repair then repair(env) end
    broker.repair()
    system.drop({ PIGEON_VIRTUAL_HOST = vhost })
  end)

  local function invoke(case)
    repair = case.after
    if case.before then case.before(env) end
    local lambda = system.start({ env = env, options = { "--deadline", "3000" } })
    if case.during then broker.hold(env, "normal") end
    lambda:hand(system.event(system.key(system.id(1))))
    if case.during then case.during(env) end
    lambda:answer()
    return lambda:finish()
  end

  for _, case in ipairs(cases) do
    it(case[1], function()
      local outcome = invoke(case)
      assert.equal(1, outcome.status, outcome.answers[1])
      local message = outcome.decoded[1].errorMessage
      local said = system.said(outcome.log, "^failed: ")[1].error
      local names = { ["$VHOST"] = env.PIGEON_VIRTUAL_HOST, ["$USER"] = env.PIGEON_USER }
      local where = ("1 of 1 objects failed: %s to [^ ]+: %s at "):format(system.id(1), case.fate or "unknown")
      assert.matches("^" .. where:gsub("%-", "%%-"), message)
      for _, words in ipairs({ " at " .. case[2], case[3], "; next: " .. case[4] }) do
        words = words:gsub("%$%u+", names)
        assert.matches(words, message, 1, true)
        assert.matches(words, said, 1, true)
      end
      local _, steps = message:gsub("; next: ", "")
      assert.equal(1, steps, message)
    end)
  end
end)
