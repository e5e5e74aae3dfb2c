--- A RabbitMQ of the spec file's own, to be broken. From start() to stop() everything of
-- system.lua that speaks of the private broker means this one.
local system = require "spec.support.system"

local broker = {}

local quote = system.quote
local release = os.getenv("RABBITMQ") or ""
local SHARED = "build/rabbitmq" .. (release ~= "" and "-" .. release or "")
local folder = SHARED -- until start()
local pid_file
local guard
local log_marks = 0
local held = {} -- env -> its queue that hold() holds

local function evaluate(expression, ...)
  return system.eval((expression:format(...):gsub("%s+", " ")))
end

local function signal(name)
  system.run(("kill -%s $(cat %s)"):format(name, quote(pid_file)))
end

local function lives()
  return os.execute(("test -e /proc/$(cat %s)/cwd"):format(quote(pid_file))) -- a zombie has none
end

function broker.start()
  system.run("mkdir -p build")
  folder = system.run("mktemp -d build/broker.XXXXXX"):gsub("\n", "")
  pid_file = folder .. "/broker.pid"
  system.rabbitmq = "RABBITMQ_DIR=" .. quote(folder) .. " bin/rabbitmq"
  -- It ends with us, however we end: then the pipe does.
  guard = assert(io.popen(("trap '' INT TERM HUP; cat; kill -CONT $(cat %s) 2>/dev/null; %s stop; rm -rf %s")
    :format(quote(pid_file), system.rabbitmq, quote(folder)), "w"))
  system.run(system.rabbitmq .. " start")
end

function broker.stop()
  guard:close()
  folder, system.rabbitmq = SHARED, "bin/rabbitmq"
end

--- A port that accepts and sends nothing: the one that waits for expressions.
function broker.silent_port()
  return system.read(folder .. "/eval.port")
end

--- SIGKILL; its files are what they are. Returns when it is gone.
function broker.kill()
  signal("KILL")
  broker.wait_gone()
end

function broker.wait_gone()
  system.wait("the broker's end", function() return not lives() end)
end

--- Switches a plugin on, where it runs.
function broker.enable(plugin)
  evaluate('ok = file:write_file("plugins", <<"[%s].">>), rabbit_plugins:ensure("plugins").', plugin)
end

--- From now on a password may be a token of the audience "rabbitmq", which the key in this file (PEM) has
-- signed. `scopes` are what its owners may do, by their name: {["arn:..."] = {"write:VHOST/amq.default"}}.
function broker.take_tokens(key_file, scopes)
  local aliases = {}
  for owner, list in pairs(scopes) do
    local texts = {}
    for i, scope in ipairs(list) do texts[i] = ('<<"rabbitmq.%s">>'):format(scope) end
    aliases[#aliases + 1] = ('<<"%s">> => [%s]'):format(owner, table.concat(texts, ", "))
  end
  broker.enable("rabbitmq_auth_backend_oauth2")
  evaluate([[
    Set = fun(Name, Value) -> application:set_env(rabbitmq_auth_backend_oauth2, Name, Value) end,
    Set(resource_server_id, <<"rabbitmq">>),
    Set(extra_scopes_source, <<"sub">>),
    Set(scope_aliases, #{%s}),
    Set(key_config, [{signing_keys, #{<<"EC384_0">> => {pem_file, "%s"}}}, {default_key, <<"EC384_0">>}]),
    application:set_env(rabbit, auth_backends, [rabbit_auth_backend_oauth2, rabbit_auth_backend_internal]).]],
    table.concat(aliases, ", "), key_file)
end

--- The same ports and data again, where it does not run.
function broker.restart()
  system.run(system.rabbitmq .. " start --keep")
end

--- What was declared is on disk, so that SIGKILL does not lose a new queue.
function broker.sync()
  evaluate("mnesia:sync_log().")
end

--- Returns when each of its threads stands still.
function broker.wait_frozen()
  system.wait("the broker to stand still", function()
    return not system.run(("cat /proc/$(cat %s)/task/*/stat 2>/dev/null; true"):format(quote(pid_file))):find("%) [^T]")
  end)
end

function broker.freeze()
  signal("STOP")
  broker.wait_frozen()
end

function broker.thaw()
  signal("CONT")
end

--- Its log since its last start.
function broker.log()
  log_marks = log_marks + 1
  local mark = "end of the log, so far: " .. log_marks
  evaluate('rabbit_log:info("%s").', mark)
  return system.wait("the broker's log", function()
    return system.run(("cat %s/log/log/*.log"):format(quote(folder))):match("^(.*)" .. mark)
  end)
end

-- RabbitMQ 4 forgets an alarm that only was set at its next look at memory and disk.
local ALARMS = {
  memory = { "vm_memory_monitor:set_vm_memory_high_watermark(0).",
    "vm_memory_monitor:set_vm_memory_high_watermark(0.4)." },
  disk = { 'rabbit_disk_monitor:set_disk_free_limit("1000000GB").',
    'rabbit_disk_monitor:set_disk_free_limit("50MB").' },
}

local function alarms()
  return evaluate("[R || {{resource_limit, R, N}, []} <- rabbit_alarm:get_alarms(), N =:= node()].")
end

--- "memory" or "disk". Returns when it is there.
function broker.alarm(resource)
  evaluate(ALARMS[resource][1])
  system.wait("the alarm", function() return alarms():find(resource) end)
end

function broker.clear_alarm(resource)
  evaluate(ALARMS[resource][2])
  system.wait("the alarm's end", function() return not alarms():find(resource) end)
end

--- For close_connections() and when(): as an operator does, or as a crash does, without a word.
broker.CLOSE = '[rabbit_networking:close_connection(P, "spec") || P <- rabbit_networking:connections()]'
broker.CRASH = "[exit(P, kill) || P <- rabbit_networking:connections()]"

--- Closes those that there are now, and returns when the broker has told each (it waits
-- up to 30 s for the answer of a client that sleeps).
function broker.close_connections(how)
  evaluate([=[Old = rabbit_networking:connections(), %s, (fun Wait() ->
      case [P || P <- Old, is_process_alive(P),
                 (catch rabbit_networking:connection_info(P, [state])) =/= [{state, closed}]] of
        [] -> ok;
        _ -> timer:sleep(5), Wait()
      end end)().]=], how or broker.CLOSE)
end

local function lookup(env, queue)
  return ('{ok, Q} = rabbit_amqqueue:lookup({resource, <<"%s">>, queue, <<"%s">>})')
    :format(env.PIGEON_VIRTUAL_HOST, queue)
end

--- The queue takes nothing and confirms nothing until release().
function broker.hold(env, queue)
  evaluate("%s, sys:suspend(amqqueue:get_pid(Q)).", lookup(env, queue))
  held[env] = queue
end

function broker.release(env)
  evaluate("%s, sys:resume(amqqueue:get_pid(Q)).", lookup(env, held[env]))
  held[env] = nil
end

function broker.release_all()
  for env in pairs(held) do broker.release(env) end
end

--- Waits until so many messages of env were published that its queues have not confirmed.
function broker.wait_unconfirmed(env, messages)
  system.wait("messages on their way", function()
    return messages == tonumber(evaluate([[lists:sum([N || [{vhost, <<"%s">>}, {_, N}] <-
      rabbit_channel:info_all([vhost, messages_unconfirmed])]).]], env.PIGEON_VIRTUAL_HOST))
  end)
end

--- Does something inside the broker (an expression) once the queue has so many messages.
function broker.when(env, queue, messages, expression)
  evaluate([[%s, spawn(fun() -> (fun Look() ->
      case rabbit_amqqueue:info(Q, [messages]) of
        [{messages, N}] when N >= %d -> %s;
        _ -> timer:sleep(1), Look()
      end end)() end).]], lookup(env, queue), messages, expression)
end

--- For when(): the broker kills or freezes itself, or runs out of memory.
broker.KILL = 'os:cmd("kill -KILL " ++ os:getpid())'
broker.FREEZE = 'os:cmd("kill -STOP " ++ os:getpid())'
broker.ALARM = ALARMS.memory[1]:match("(.*)%.")

function broker.suspend_listeners()
  evaluate("rabbit_maintenance:suspend_all_client_listeners().")
end

function broker.resume_listeners()
  evaluate("rabbit_maintenance:resume_all_client_listeners().")
end

--- A durable queue with arguments in Erlang: '{<<"x-max-length">>, long, 1}'.
function broker.declare(env, queue, arguments)
  evaluate('rabbit_amqqueue:declare({resource, <<"%s">>, queue, <<"%s">>}, true, false, [%s], none, <<"spec">>).',
    env.PIGEON_VIRTUAL_HOST, queue, arguments)
end

function broker.delete_queue(env, queue)
  evaluate('%s, rabbit_amqqueue:delete(Q, false, false, <<"spec">>).', lookup(env, queue))
end

--- A user of its own for env, who may do everything in its virtual host.
function broker.add_user(env, password)
  env.PIGEON_USER, env.PIGEON_PASSWORD = env.PIGEON_VIRTUAL_HOST, password
  evaluate('rabbit_auth_backend_internal:add_user(<<"%s">>, <<"%s">>, <<"spec">>).', env.PIGEON_USER, password)
  broker.permit(env, ".*")
end

--- Which exchanges the user of env may write to: a regular expression.
function broker.permit(env, write)
  evaluate([[rabbit_auth_backend_internal:set_permissions(<<"%s">>, <<"%s">>,
      <<".*">>, <<"%s">>, <<".*">>, <<"spec">>).]], env.PIGEON_USER, env.PIGEON_VIRTUAL_HOST, write)
end

--- Which routing keys the user of env may write to an exchange of topics: a regular expression.
function broker.permit_topics(env, exchange, write)
  evaluate([[rabbit_auth_backend_internal:set_topic_permissions(<<"%s">>, <<"%s">>,
      <<"%s">>, <<"%s">>, <<".*">>, <<"spec">>).]], env.PIGEON_USER, env.PIGEON_VIRTUAL_HOST, exchange, write)
end

--- An exchange brings what has this routing key to a queue.
function broker.bind(env, exchange, key, queue)
  evaluate([[rabbit_binding:add({binding, {resource, <<"%s">>, exchange, <<"%s">>}, <<"%s">>,
      {resource, <<"%s">>, queue, <<"%s">>}, []}, fun(_, _) -> ok end, <<"spec">>).]],
    env.PIGEON_VIRTUAL_HOST, exchange, key, env.PIGEON_VIRTUAL_HOST, queue)
end

function broker.change_password(env, password)
  evaluate('rabbit_auth_backend_internal:change_password(<<"%s">>, <<"%s">>, <<"spec">>).', env.PIGEON_USER, password)
end

function broker.add_vhost(env)
  evaluate('rabbit_vhost:add(<<"%s">>, <<"spec">>).', env.PIGEON_VIRTUAL_HOST)
  broker.permit(env, ".*")
end

--- The user of env has no permission at all.
function broker.permit_nothing(env)
  evaluate('rabbit_auth_backend_internal:clear_permissions(<<"%s">>, <<"%s">>, <<"spec">>).',
    env.PIGEON_USER, env.PIGEON_VIRTUAL_HOST)
end

--- The virtual host is there, and down: for good.
function broker.break_vhost(env)
  evaluate('rabbit_vhost_sup_sup:stop_and_delete_vhost(<<"%s">>).', env.PIGEON_VIRTUAL_HOST)
end

--- At most so many connections; -1: any number.
function broker.limit_vhost(env, connections)
  evaluate([[rabbit_vhost_limit:parse_set(<<"%s">>, <<"{\"max-connections\": %d}">>, <<"spec">>).]],
    env.PIGEON_VIRTUAL_HOST, connections)
end

function broker.limit_user(env, connections)
  evaluate([[rabbit_auth_backend_internal:set_user_limits(<<"%s">>, <<"{\"max-connections\": %d}">>, <<"spec">>).]],
    env.PIGEON_USER, connections)
end

function broker.delete_vhost(env)
  evaluate('rabbit_vhost:delete(<<"%s">>, <<"spec">>).', env.PIGEON_VIRTUAL_HOST)
end

--- Whatever was broken works again.
function broker.repair()
  os.execute(("kill -CONT $(cat %s) 2>/dev/null"):format(quote(pid_file)))
  if not lives() then broker.restart() end
  for resource in pairs(ALARMS) do broker.clear_alarm(resource) end
  broker.resume_listeners()
  broker.release_all()
end

return broker
