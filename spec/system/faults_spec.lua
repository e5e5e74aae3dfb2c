--- The program against a RabbitMQ that really fails. Each case ends with an account
-- (trial:finish): what was reported as done is in its queue, nothing is there too often, the
-- process is still the same, and a last event works.
local system = require "spec.support.system"
local broker = require "spec.support.broker"
local trial = require "spec.support.trial"

local function has(text, ...)
  for _, words in ipairs({ ... }) do
    assert(text:find(words, 1, true), ("%q is not in:\n%s"):format(words, text))
  end
end

-- Long enough to be hit in the middle: more than the window of messages without a confirm.
local MANY = 4000

-- Frozen during all other cases, and the shared broker, which they leave alone, waits for its
-- heartbeat.
describe("each answer is true and the next event works:", function()
  local quiet_env, frozen

  local function connections()
    return tonumber(system.eval(([[length([V || [{vhost, V}] <-
      rabbit_networking:connection_info_all([vhost]), V =:= <<"%s">>]).]])
      :gsub("%s+", " "):format(quiet_env.PIGEON_VIRTUAL_HOST)))
  end

  setup(function()
    quiet_env = system.vhost({ "normal" })
    frozen = trial.start(quiet_env)
    frozen:undisturbed()
    assert.equal(1, connections())
    system.run("kill -STOP " .. frozen.lambda:function_pid())
  end)

  teardown(function()
    frozen:abandon()
    system.drop(quiet_env)
  end)

  describe("a broker", function()
    local env, run

    setup(broker.start)
    teardown(broker.stop)

    before_each(function()
      env = system.vhost({ "normal" })
      broker.sync()
      run = nil
    end)

    after_each(function()
      if run then run:abandon() end
      broker.repair()
      system.drop(env)
    end)

    -- A function with a warm connection.
    local function start(...)
      run = trial.start(env, { ... })
      run:undisturbed()
      return run
    end

    -- What it does once `messages` of the next event are in the queue.
    local function when(messages, action)
      broker.when(env, "normal", system.count(env, "normal") + messages, action)
    end

    -- The answer of an event during which this was done. Where the machine is busy it may come after the
    -- answer: then undo(), and again.
    local function interrupted(messages, action, undo)
      for _ = 1, 20 do
        when(messages, action)
        local answer = run:send(MANY)
        if answer ~= "null" then return answer end
        undo()
      end
      error("nothing came in the middle of an event")
    end

    local function start_again()
      broker.wait_gone()
      run:send(300)
      broker.restart()
      run:undisturbed(300)
    end

    it("killed in the middle of an event, and started again", function()
      start()
      for _, messages in ipairs({ 1, 300, 1000 }) do
        run:undisturbed(300)
        interrupted(messages, broker.KILL, start_again)
        start_again()
      end
      run:again()
      run:finish()
    end)

    for how, action in pairs({ ["closes all connections"] = broker.CLOSE, ["crashes on each"] = broker.CRASH }) do
      it("that " .. how .. " between events", function()
        start()
        for _ = 1, 3 do
          broker.close_connections(action)
          run:undisturbed(300)
        end
        run:finish()
      end)

      it("that " .. how .. " in the middle of an event", function()
        start()
        for _, messages in ipairs({ 1, 300, 1000 }) do
          when(messages, action)
          assert.equal("null", run:send(MANY))
        end
        run:finish()
      end)
    end

    it("that closes its connections while an event waits for proof", function()
      start()
      broker.hold(env, "normal")
      run:hand(10)
      broker.wait_unconfirmed(env, 10)
      broker.close_connections()
      broker.wait_unconfirmed(env, 10)
      broker.release(env)
      assert.equal("null", run:answer())
      run:finish()
    end)

    it("frozen for longer than an event may take", function()
      start("--deadline", "4000")
      broker.freeze()
      has(run:send(10), "in time", "frozen", "Function.BrokerUnavailable")
      has(run:send(10), "in time")
      broker.thaw()
      run:again()
      run:finish()
    end)

    it("frozen in the middle of an event", function()
      start("--deadline", "8000") -- a tenth is left for the answer about 4,000 objects
      has(interrupted(300, broker.FREEZE, function()
        broker.wait_frozen()
        broker.thaw()
      end), "in time")
      broker.thaw()
      run:finish()
    end)

    it("that drops the connection while the function is frozen", function()
      start()
      local pid = run.lambda:function_pid()
      for _, action in ipairs({ broker.CLOSE, broker.CRASH }) do
        system.run("kill -STOP " .. pid)
        broker.close_connections(action)
        system.run("kill -CONT " .. pid)
        run:undisturbed(300)
      end
      run:finish()
    end)

    for resource, words in pairs({ memory = "low on memory", disk = "low on disk" }) do
      it("out of " .. resource .. " is named at once, and until that is over", function()
        start("--deadline", "60000")
        broker.alarm(resource)
        for _ = 1, 3 do
          local began = os.time()
          has(run:send(10), "connection.blocked", words, "free memory or disk")
          assert.is_true(os.time() - began < 30)
        end
        broker.clear_alarm(resource)
        run:finish()
      end)
    end

    it("out of memory in the middle of an event", function()
      start("--deadline", "60000")
      local began = os.time()
      has(interrupted(300, broker.ALARM, function()
        broker.alarm("memory")
        broker.clear_alarm("memory")
      end), "connection.blocked", "low on memory")
      assert.is_true(os.time() - began < 30)
      broker.clear_alarm("memory")
      run:finish()
    end)

    it("whose queue was deleted", function()
      start()
      run:collect()
      broker.delete_queue(env, "normal")
      has(run:send(3), "3 of 3", "returned at publish: 312 NO_ROUTE", "declare the queue")
      system.declare(env, { "normal" })
      run:again()
      run:finish()
    end)

    it("whose queue is full", function()
      broker.delete_queue(env, "normal")
      broker.declare(env, "normal", '{<<"x-max-length">>, long, 2}, {<<"x-overflow">>, longstr, <<"reject-publish">>}')
      start()
      has(run:send(3), "2 of 3", "nacked at confirm", "refused by the queue", "reject-publish",
        "Function.MessageRefused")
      assert.equal(2, #system.said(run.lambda:text(), "^published$"))
      assert.equal(2, system.count(env, "normal"))
      run:collect()
      run:finish()
    end)

    it("that no longer lets the user write", function()
      broker.add_user(env, "secret")
      start()
      broker.permit(env, "^$")
      -- A channel may remember for a while what was allowed.
      local answer = system.wait("the broker to forget", function()
        local told = run:send(1)
        return told ~= "null" and told or os.execute("sleep 2") and nil
      end)
      has(answer, "403 ACCESS_REFUSED", "amq.default", "write permission")
      broker.permit(env, "amq.default")
      run:again()
      run:finish()
    end)

    -- What is done to a warm function, which does not notice until its connection is closed;
    -- what it logs then; and how it is repaired.
    local cases = {
      { "whose virtual host takes no more connections",
        function() broker.limit_vhost(env, 0) end,
        { "530 ", "connection limit (0) is reached", "lower the function's concurrency" },
        function() broker.limit_vhost(env, -1) end },
      { "whose user may make no more connections",
        function() broker.limit_user(env, 0) end,
        { "530 ", "user connection limit (0) is reached", "lower the function's concurrency" },
        function() broker.limit_user(env, -1) end },
      { "whose password was changed",
        function() broker.change_password(env, "new") end,
        { "403 ", "ACCESS_REFUSED", "PIGEON_PASSWORD" },
        function() broker.change_password(env, "secret") end },
      { "that listens no more",
        broker.suspend_listeners,
        { "Connection refused", "is RabbitMQ running" },
        broker.resume_listeners },
    }
    for _, case in ipairs(cases) do
      local name, damage, words, repair = table.unpack(case)
      it(name, function()
        broker.add_user(env, "secret")
        start()
        damage()
        run:undisturbed(300)
        broker.close_connections()
        has(run:send(10), table.unpack(words))
        repair()
        run:again()
        run:finish()
      end)
    end

    it("whose virtual host was deleted", function()
      start()
      run:collect()
      broker.delete_vhost(env)
      broker.close_connections()
      has(run:send(10), "530 ", "not found", "check PIGEON_VIRTUAL_HOST")
      broker.add_vhost(env)
      system.declare(env, { "normal" })
      run:again()
      run:finish()
    end)

    it("that refuses is not asked again by each event of many", function()
      broker.limit_vhost(env, 0)
      run = trial.start(env, { "--deadline", "1000" })
      local before = broker.log()
      for _ = 1, 30 do
        has(run:send(1), "connection limit (0) is reached")
      end
      local _, connects = broker.log():sub(#before):gsub("accepting AMQP connection", "")
      assert.is_true(connects >= 1 and connects <= 10, connects .. " connects for 30 events")
      broker.limit_vhost(env, -1)
      system.wait("the pause's end", function() return run:send(1) == "null" end)
      run:finish()
    end)
  end)

  it("a function that was frozen until its broker gave it up", function()
    system.wait("the heartbeat's end", function() return connections() == 0 end, 150)
    system.run("kill -CONT " .. frozen.lambda:function_pid())
    frozen:undisturbed(300)
    frozen:finish()
  end)
end)
