--- A cluster of three brokers and a quorum queue, whose nodes are killed while events pass.
local cluster = require "spec.support.cluster"
local system = require "spec.support.system"

describe("a cluster of three", function()
  setup(cluster.start)
  teardown(cluster.stop)

  -- Sends a thousand events of three ids each to the nodes in this order. One node is killed
  -- on the way, and started again. Returns the answers that were errors, and the ids that
  -- were reported as done.
  local function pass(order, victim)
    local pigeon = system.start({ env = cluster.env(table.unpack(order)) })
    local errors, done, start = {}, {}, nil
    for i = 1, 1000 do
      if i == 200 then
        os.execute(("{ sleep 0.1; spec/support/cluster.sh kill %s; } &"):format(victim))
      elseif i == 400 then
        start = cluster.restart(victim)
      end
      local event, ids = cluster.new_event(3)
      local answer = pigeon:send(event)
      if answer == "null" then
        table.move(ids, 1, #ids, #done + 1, done)
      else
        errors[#errors + 1] = answer
        if #errors > 10 then break end -- each takes seconds
      end
    end
    pigeon:finish()
    start = start or cluster.restart(victim)
    assert.is_true(start:close())
    return errors, done
  end

  -- An election takes half a second, and nacks are tried again for one and a half.
  local function assert_nacked(errors)
    for _, answer in ipairs(errors) do
      assert.matches("nacked at confirm: basic.nack: refused by the queue", answer, 1, true)
    end
    assert.is_true(#errors <= 10, #errors .. " errors")
  end

  it("loses nothing while the leader dies, connected to another node", function()
    local leader, a, b = cluster.roles()
    local errors, done = pass({ a, b, leader }, leader)
    assert_nacked(errors)
    cluster.assert_there(done)
  end)

  it("loses nothing while the leader dies that it is connected to, and tries again what the next one nacks", function()
    local leader, a, b = cluster.roles()
    local errors, done = pass({ leader, a, b }, leader)
    assert_nacked(errors)
    cluster.assert_there(done)
  end)

  it("fails no event while a follower dies, connected to it or not", function()
    local leader, a, b = cluster.roles()
    local errors, done = pass({ a, leader, b }, a)
    assert.same({}, errors)
    local more_errors, more = pass({ leader, a, b }, b)
    assert.same({}, more_errors)
    cluster.assert_there(table.move(more, 1, #more, #done + 1, done))
  end)

  it("goes on at the next host within the event when its node dies in the middle", function()
    local _, a, b = cluster.roles()
    local pigeon = system.start({ env = cluster.env(a, b) })
    local event, ids = cluster.new_event(4000)
    cluster.ask("kill_busy " .. a)
    assert.equal("null", pigeon:send(event))
    assert.is_false(cluster.is("runs " .. a))
    pigeon:finish()
    assert.is_true(cluster.restart(a):close())
    cluster.assert_there(ids)
  end)
end)
