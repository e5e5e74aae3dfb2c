--- A cluster of three brokers with the quorum queue "crashes" (cluster.sh), and functions that are
-- handed events while it breaks: which ids they reported as done, which errors they answered.
local assert = require "luassert"
local cjson = require "cjson"
local system = require "spec.support.system"

local cluster = {}

local release = os.getenv "RABBITMQ" or ""
local NAME <const> = "cluster" .. (release ~= "" and "-" .. release or "")
local LOG <const> = "build/test/" .. NAME .. ".log"

local COMMAND = "spec/support/cluster.sh "
local guard, env
local number = 0 -- of the last id

--- Starts it; it ends with cluster.stop(), or with us.
function cluster.start()
  guard = assert(io.popen(COMMAND .. "run >" .. LOG .. " 2>&1", "w"))
  system.wait("the cluster to begin", function() return os.execute("test -e build/" .. NAME .. "/pid") end)
  cluster.ask("wait")
  env = { PIGEON_AWS_REGION = "us-west-2" }
  for variable, value in cluster.ask("env"):gmatch("export (PIGEON_[A-Z_]+)=([^\n]+)") do
    env[variable] = env[variable] or value
  end
end

function cluster.stop() guard:close() end

--- What a command of cluster.sh prints.
function cluster.ask(arguments)
  return (system.run(COMMAND .. arguments):gsub("\n$", ""))
end

--- Whether a command of cluster.sh that asks says yes.
function cluster.is(arguments)
  return os.execute(COMMAND .. arguments) or false
end

--- Starts a node beside us; the pipe's close() waits for it.
function cluster.restart(node)
  return io.popen(COMMAND .. "start " .. node .. " >>" .. LOG .. " 2>&1", "w")
end

--- The leader of the queue, and the two others.
function cluster.roles()
  local leader, others = cluster.ask("leader"), {}
  for node = 1, 3 do
    if tostring(node) ~= leader then others[#others + 1] = tostring(node) end
  end
  return leader, others[1], others[2]
end

--- The variables for a function that tries these nodes in turn.
function cluster.env(...)
  local copy, hosts = {}, {}
  for name, value in pairs(env) do copy[name] = value end
  for i, node in ipairs({ ... }) do hosts[i] = "127.0.0.1:" .. cluster.ask("port " .. node) end
  copy.PIGEON_HOST = table.concat(hosts, ",")
  return copy
end

--- An event of so many new ids, and these.
function cluster.new_event(count)
  local keys, ids = {}, {}
  for i = 1, count do
    number = number + 1
    ids[i] = system.id(number)
    keys[i] = system.key(ids[i])
  end
  return system.event(table.unpack(keys)), ids
end

--- Every id that was reported as done is in the queue, and nothing that was not sent. Empties it.
function cluster.assert_there(done)
  local found = {}
  -- RabbitMQ 4.3 may break off with "timeout" where the leader was paused a moment ago; what was
  -- acknowledged until then was printed.
  system.wait("the queue to be read", function()
    local ids, read = system.try_consume(env, env.PIGEON_QUEUE)
    for _, id in ipairs(ids) do
      assert.equal(id, system.id(tonumber(id:sub(1, 8), 16)))
      assert.is_true(tonumber(id:sub(1, 8), 16) <= number)
      found[id] = true
    end
    return read
  end, 300)
  local lost = 0
  for _, id in ipairs(done) do
    if not found[id] then lost = lost + 1 end
  end
  assert.equal(0, lost)
end

-- ------------------------------------------------------------- functions under load

local load = {}
load.__index = load

--- Functions, each with the nodes that it tries, in this order: {{"1", "2", "3"}, ...}. Each has a
-- warm connection then.
function cluster.load(orders)
  local self = setmetatable({ functions = {}, done = {}, failed = {}, errors = {} }, load)
  for i, order in ipairs(orders) do
    self.functions[i] = system.start({ env = cluster.env(table.unpack(order)), options = { "--deadline", "6000" } })
  end
  -- After a case before there may still be an election.
  system.wait("an event of each to succeed", function() return self:round() == 0 end, 300)
  self.errors = {}
  return self
end

local function take(self, answer, event)
  if answer == "null" then
    table.move(event.ids, 1, #event.ids, #self.done + 1, self.done)
    return 0
  end
  assert(answer, "the function gave no answer")
  self.failed[#self.failed + 1] = event
  self.errors[#self.errors + 1] = cjson.decode(answer)
  return 1
end

--- Hands each function an event, those that failed before first where `again` is true; returns how
-- many failed.
function load:round(again)
  local events, failed = {}, 0
  for i, one in ipairs(self.functions) do
    local event = again and table.remove(self.failed)
    if not event then
      local document, ids = cluster.new_event(20)
      event = { document = document, ids = ids }
    end
    events[i] = event
    one:hand(event.document)
  end
  for i, one in ipairs(self.functions) do
    failed = failed + take(self, one:answer(), events[i])
  end
  return failed
end

--- All works again: what failed comes again, as from AWS, until none fails; then every id that was
-- reported as done is there. Returns the errors that there were before.
function load:finish()
  local errors = self.errors
  self.errors = {}
  system.wait("the events that failed to succeed", function()
    return self:round(true) == 0 and #self.failed == 0
  end, 300)
  for _, one in ipairs(self.functions) do
    local log = one:finish().log
    assert.equal(1, #system.said(log, " ready in [%d.]+ ms$"), "starts of the function")
    -- Of an event that failed some ids are done all the same: the log has each.
    local published = system.said(log, "^published$")
    assert.is_true(#published > 0, "a function whose log has no published id")
    for _, line in ipairs(published) do
      self.done[#self.done + 1] = line.crash_id
    end
  end
  self.functions = {}
  cluster.assert_there(self.done)
  return errors
end

--- Where a case failed before its end.
function load:abandon()
  for _, one in ipairs(self.functions) do one:kill() end
  self.functions = {}
end

return cluster
