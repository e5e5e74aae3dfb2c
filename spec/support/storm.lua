--- Random faults, the same ones for the same seed: the network's, the broker's and the
-- functions' side by side. Each of the three is a coroutine that breaks something, pauses,
-- repairs it, and pauses again; storm:turn() wakes those whose pause is over.
local broker = require "spec.support.broker"
local system = require "spec.support.system"

local storm = {}
storm.__index = storm

--- A seed -> random(low, high), whole numbers that no other stream disturbs (splitmix64).
function storm.stream(seed)
  local state = seed
  return function(low, high)
    state = state + 0x9e3779b97f4a7c15
    local z = state
    z = (z ~ z >> 30) * 0xbf58476d1ce4e5b9
    z = (z ~ z >> 27) * 0x94d049bb133111eb
    return low + ((z ~ z >> 31) >> 11) % (high - low + 1)
  end
end

--- As many between 1 and 10 as between 10 and 100.
function storm.spread(random, low, high)
  return math.floor(low * (high / low) ^ (random(0, 1000) / 1000))
end

local spread = storm.spread

-- Waits inside a coroutine; not at all once the storm is over.
local function pause(ms)
  coroutine.yield(ms)
end

-- Deals each of the cards before any comes again.
local function deck(random, cards)
  local left = {}
  return function()
    if #left == 0 then table.move(cards, 1, #cards, 1, left) end
    return table.remove(left, random(1, #left))
  end
end

local function pick(random, list)
  return list[random(1, #list)]
end

-- ------------------------------------------------------------- the network

local WHO, WAYS = { "all", "all", "next", "now" }, { "up", "down", "both" }

-- What the number of each fault is at most: bytes, or milliseconds.
local MOST = { cut = 300000, reset = 300000, half = 300000, stall = 20000, silence = 20000, delay = 200 }
local STUCK_MS = 9000 -- longer than any event may take

local function command_of(random, kind)
  if kind == "stuck" then return "all up stall 2000" end
  if kind == "refuse" or kind == "blackhole" or kind == "drop" then return kind end
  local number = MOST[kind] and spread(random, 1, MOST[kind]) or ""
  return ("%s %s %s %s"):format(pick(random, WHO), pick(random, WAYS), kind, number)
end

local function network(self, random)
  local deal = deck(random, { "cut", "reset", "half", "stall", "silence", "delay", "drip",
    "refuse", "blackhole", "drop", "stuck" })
  while not self.over do
    local kind = deal()
    local command = command_of(random, kind)
    self:say(command)
    self.proxy:tell(command)
    if kind == "stuck" then self.proxy:tell("now up stall 1") end
    pause(kind == "stuck" and STUCK_MS or spread(random, 100, 5000))
    self.proxy:tell("all both none")
    self.proxy:tell("listen")
    -- What is stalled or silent is often left so, until Pigeon gives up; what is stuck always is.
    if kind ~= "stuck" and random(1, 2) == 1 then self.proxy:tell("now both none") end
    pause(random(100, 1500))
  end
end

-- ------------------------------------------------------------- the broker

local function policy(env, queue)
  return ([[rabbit_policy:parse_set(<<"%s">>, <<"full">>, <<"^%s$">>, <<"{\"max-length\": 1}">>, <<"0">>,
    <<"queues">>, <<"spec">>).]]):format(env.PIGEON_VIRTUAL_HOST, queue):gsub("%s+", " ")
end

local function no_policy(env)
  return ('rabbit_policy:delete(<<"%s">>, <<"full">>, <<"spec">>).'):format(env.PIGEON_VIRTUAL_HOST)
end

local faults = {}

function faults.kill(self, random)
  broker.kill()
  pause(random(0, 1500))
  -- Beside us: events go on meanwhile.
  local mark = os.tmpname()
  os.remove(mark)
  local restart = io.popen(("%s start --keep >/dev/null; echo $? >%s"):format(system.rabbitmq, mark), "w")
  while not self.over and not io.open(mark) do pause(100) end
  restart:close()
  assert(system.read(mark) == "0\n", "the broker did not start again")
  os.remove(mark)
end

function faults.freeze(_, random)
  broker.freeze()
  pause(spread(random, 100, 12000))
  broker.thaw()
end

function faults.close()
  system.eval(broker.CLOSE .. ".")
end

function faults.crash()
  system.eval(broker.CRASH .. ".")
end

function faults.alarm(_, random)
  local resource = pick(random, { "memory", "disk" })
  broker.alarm(resource)
  pause(spread(random, 100, 4000))
  broker.clear_alarm(resource)
end

function faults.full(self, random)
  system.eval(policy(self.env, pick(random, self.queues)))
  pause(spread(random, 100, 5000))
  system.eval(no_policy(self.env))
end

function faults.hold(self, random)
  local queue = pick(random, self.queues)
  broker.hold(self.env, queue)
  pause(spread(random, 100, 12000))
  broker.release(self.env, queue)
end

function faults.suspend(_, random)
  broker.suspend_listeners()
  pause(spread(random, 100, 3000))
  broker.resume_listeners()
end

local function brokers(self, random)
  local names = {}
  for name in pairs(faults) do names[#names + 1] = name end
  table.sort(names)
  local deal = deck(random, names)
  while not self.over do
    local name = deal()
    self:say("broker: " .. name)
    faults[name](self, random)
    pause(random(200, 2500))
  end
end

-- ------------------------------------------------------------- the functions

local function functions(self, random)
  while not self.over do
    local number = random(1, #self.functions)
    self:say(("function %d: freeze"):format(number))
    self.functions[number]:freeze()
    pause(spread(random, 10, 12000))
    self.functions[number]:thaw()
    pause(random(500, 4000))
  end
end

-- ------------------------------------------------------------- the storm

--- {seed, env, queues, proxy, functions, log}: proxy has tell(command), a function freeze()
-- and thaw(); log is a file that gets a line for each fault.
function storm.start(self)
  setmetatable(self, storm)
  self.count = 0
  self.tracks = {}
  for i, track in ipairs({ network, brokers, functions }) do
    local random = storm.stream(self.seed * 4 + i)
    self.tracks[i] = { due = 0, run = coroutine.wrap(function() track(self, random) return math.huge end) }
  end
  return self
end

function storm:say(what)
  self.count = self.count + 1
  self.log:write(("%8.3f %s\n"):format(self.now, what))
end

--- To be called again and again, with the seconds since the start.
function storm:turn(now)
  self.now = now
  for _, track in ipairs(self.tracks) do
    if now >= track.due then track.due = now + track.run() / 1000 end
  end
end

--- Repairs everything.
function storm:stop()
  self.over = true
  for _, track in ipairs(self.tracks) do
    while track.due < math.huge do track.due = track.run() end
  end
  self.proxy:tell("fresh")
end

return storm
