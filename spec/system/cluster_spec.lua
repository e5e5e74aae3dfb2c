--- A cluster of three brokers and a quorum queue, whose nodes are killed while events pass.
local system = require "spec.support.system"

local CLUSTER = "spec/support/cluster.sh "

local function ask(arguments)
  return (system.run(CLUSTER .. arguments):gsub("\n$", ""))
end

describe("a cluster of three", function()
  local cluster, env
  local number = 0

  setup(function()
    cluster = assert(io.popen(CLUSTER .. "run >build/test/cluster.log 2>&1", "w"))
    system.wait("the cluster to begin", function() return os.execute("test -e build/cluster/pid") end)
    ask("wait")
    env = { PIGEON_AWS_REGION = "us-west-2" }
    for variable, value in ask("env"):gmatch("export (PIGEON_[A-Z_]+)=([^\n]+)") do
      env[variable] = env[variable] or value
    end
  end)
  teardown(function() cluster:close() end)

  -- The leader, and the two others.
  local function roles()
    local leader, others = ask("leader"), {}
    for node = 1, 3 do
      if tostring(node) ~= leader then others[#others + 1] = tostring(node) end
    end
    return leader, others[1], others[2]
  end

  local function copy(changes)
    local changed = {}
    for name, value in pairs(env) do changed[name] = value end
    for name, value in pairs(changes) do changed[name] = value end
    return changed
  end

  local function hosts(...)
    local list = {}
    for i, node in ipairs({ ... }) do list[i] = "127.0.0.1:" .. ask("port " .. node) end
    return table.concat(list, ",")
  end

  local function new_event(count)
    local keys, ids = {}, {}
    for i = 1, count do
      number = number + 1
      ids[i] = system.id(number)
      keys[i] = system.key(ids[i])
    end
    return system.event(table.unpack(keys)), ids
  end

  local function runs(node)
    return os.execute(CLUSTER .. "runs " .. node) or false
  end

  -- Beside us.
  local function restart(node)
    return io.popen(CLUSTER .. "start " .. node .. " >>build/test/cluster.log 2>&1", "w")
  end

  -- Sends a thousand events of three ids each to the nodes in this order. One node is killed
  -- on the way, and started again. Returns the answers that were errors, and the ids that
  -- were reported as done.
  local function pass(order, victim)
    local pigeon = system.start({ env = copy({ PIGEON_HOST = hosts(table.unpack(order)) }) })
    local errors, done, start = {}, {}, nil
    for i = 1, 1000 do
      if i == 200 then
        os.execute(("{ sleep 0.1; %skill %s; } &"):format(CLUSTER, victim))
      elseif i == 400 then
        start = restart(victim)
      end
      local event, ids = new_event(3)
      local answer = pigeon:send(event)
      if answer == "null" then
        table.move(ids, 1, #ids, #done + 1, done)
      else
        errors[#errors + 1] = answer
        if #errors > 10 then break end -- each takes seconds
      end
    end
    pigeon:finish()
    start = start or restart(victim)
    assert.is_true(start:close())
    return errors, done
  end

  -- Every id that was reported as done is there, and nothing that was not sent.
  local function assert_there(done)
    local found = {}
    for _, id in ipairs(system.consume(env)) do
      assert.equal(id, system.id(tonumber(id:sub(1, 8), 16)))
      assert.is_true(tonumber(id:sub(1, 8), 16) <= number)
      found[id] = true
    end
    local lost = 0
    for _, id in ipairs(done) do
      if not found[id] then lost = lost + 1 end
    end
    assert.equal(0, lost)
  end

  -- An election takes half a second, and nacks are tried again for one and a half.
  local function assert_nacked(errors)
    for _, answer in ipairs(errors) do
      assert.matches("nacked at confirm: basic.nack: refused by the queue", answer, 1, true)
    end
    assert.is_true(#errors <= 10, #errors .. " errors")
  end

  it("loses nothing while the leader dies, connected to another node", function()
    local leader, a, b = roles()
    local errors, done = pass({ a, b, leader }, leader)
    assert_nacked(errors)
    assert_there(done)
  end)

  it("loses nothing while the leader dies that it is connected to, and tries again what the next one nacks", function()
    local leader, a, b = roles()
    local errors, done = pass({ leader, a, b }, leader)
    assert_nacked(errors)
    assert_there(done)
  end)

  it("fails no event while a follower dies, connected to it or not", function()
    local leader, a, b = roles()
    local errors, done = pass({ a, leader, b }, a)
    assert.same({}, errors)
    local more_errors, more = pass({ leader, a, b }, b)
    assert.same({}, more_errors)
    assert_there(table.move(more, 1, #more, #done + 1, done))
  end)

  it("goes on at the next host within the event when its node dies in the middle", function()
    local _, a, b = roles()
    local pigeon = system.start({ env = copy({ PIGEON_HOST = hosts(a, b) }) })
    local event, ids = new_event(4000)
    ask("kill_busy " .. a)
    assert.equal("null", pigeon:send(event))
    assert.is_false(runs(a))
    pigeon:finish()
    assert.is_true(restart(a):close())
    assert_there(ids)
  end)
end)
