--- Random events through random faults, and at the end an account: what Pigeon reported as
-- done must be in its queues, and nothing else. `make soak`, or
--   lua5.4 spec/system/soak.lua [SECONDS [SEED]]
--
-- Five functions, each in a local Lambda, reach a broker of their own through the fault
-- proxy. The faults and the events follow from the seed; when they meet does not, quite.
-- An event that fails comes again, three times in all, as from AWS. When everything works again, each
-- function gets an event more, and nothing fails any longer without a reason of its own.
-- Prints TAP.
local cjson = require "cjson"
local sleep, clock = require("system").sleep, require("system").monotime
package.path = "./?.lua;./lua/?.lua;" .. package.path
local broker = require "spec.support.broker"
local queues = require "pigeon.settings.queues"
local sample = require "pigeon.rules.sample"
local storm = require "spec.support.storm"
local system = require "spec.support.system"

local TRIES = 3
local DEADLINE_MS = 8000
local SETTINGS = { "normal,30:submitter,0:never", "submitter,a", "50:a,normal,1:missing", "a,never", "15:normal" }
local NAMES = { "normal", "submitter", "never", "a" } -- and "missing", which nobody declared

-- A whole number from `least`, or where there is none the usual one.
local function whole(text, usual, least)
  if not text or text == "" then return usual end
  local number = text:find("^%d+$") and math.tointeger(tonumber(text))
  if number and number >= least then return number end
  io.stderr:write("Usage: soak.lua [SECONDS [SEED]], whole numbers, SECONDS from 1\n")
  os.exit(2)
end

local seconds = whole(arg[1], 60, 1)
local seed = whole(arg[2], os.time(), 0)
local folder = system.build .. "/test/soak" .. (os.getenv "RABBITMQ" or "") -- two may run side by side

local quote = system.quote

-- For each queue: the ids that may be there, true for those that were reported as done.
local told = { missing = {} }
for _, name in ipairs(NAMES) do told[name] = {} end
local count = { sent = 0, done = 0, again = 0, given_up = 0, late = 0, crashed = 0, sick = 0 }
local causes = {}

-- ------------------------------------------------------------- the proxy

local proxy = {}

function proxy.start(port)
  local out = folder .. "/proxy"
  proxy.pipe = assert(io.popen(("%s/tools/proxy %s >%s"):format(system.build, port, out), "w"))
  proxy.answers = assert(system.wait("the proxy", function() return io.open(out) end))
  proxy.port = proxy.answer()
end

function proxy.answer()
  return system.wait("the proxy's answer", function() return proxy.answers:read("l") end)
end

function proxy:tell(command)
  self.pipe:write(command, "\n")
  self.pipe:flush()
  local answer = self.answer()
  assert(answer:sub(1, 2) == "ok", command .. ": " .. answer)
  return answer
end

-- ------------------------------------------------------------- a function

local worker = {}
worker.__index = worker

-- It is told the name of a file for each event, so that handing one over never waits.
function worker.start(number, env)
  local self = setmetatable({ number = number, ids = 0, again = {}, disturbed = 0 }, worker)
  self.folder = ("%s/%d"):format(folder, number)
  self.random = storm.stream(seed * 4 - number)
  self.queues = assert(queues.parse(SETTINGS[number]))
  system.run("mkdir -p " .. self.folder)
  local words = { "env", "AWS_LAMBDA_LOG_LEVEL=WARN" }
  for name, value in pairs(env) do words[#words + 1] = quote(name .. "=" .. value) end
  words[#words + 1] = "PIGEON_PORT=" .. proxy.port
  words[#words + 1] = quote("PIGEON_QUEUE=" .. SETTINGS[number])
  self.pipe = assert(io.popen(([[while read -r file; do cat "$file"; done | sh -c '
    echo $$ >FOLDER/pid; exec "$@" >FOLDER/answers 2>FOLDER/log' - COMMAND]]):gsub("%u%u+", {
    FOLDER = self.folder,
    COMMAND = ("%s %s/tools/lambda --deadline %d --grace 20000 -- %s"):format(
      table.concat(words, " "), system.build, DEADLINE_MS, system.bootstrap),
  }), "w"))
  self.answers = system.wait("the local Lambda", function() return io.open(self.folder .. "/answers") end)
  return self
end

function worker:freeze()
  self.frozen = true
  local lambda = system.read(self.folder .. "/pid"):match("%d+")
  local pipe = io.popen(("grep -l '^PPid:[[:space:]]*%s$' /proc/[0-9]*/status 2>/dev/null"):format(lambda))
  self.pid = pipe:read("a"):match("/proc/(%d+)/")
  pipe:close()
  if self.pid then os.execute("kill -STOP " .. self.pid .. " 2>/dev/null") end
  if self.event then
    self.event.disturbed = true
    self.disturbed = self.disturbed + 1
  end
end

-- It may be gone: the Lambda ends it when its time is over.
function worker:thaw()
  self.frozen = false
  if self.pid then os.execute("kill -CONT " .. self.pid .. " 2>/dev/null") end
end

-- A key and what follows from it: its id must be in the queues that its throttles allow.
function worker:object(event)
  self.ids = self.ids + 1
  local roll = self.random(1, 100)
  local annotation = roll <= 85 and "1" or roll <= 92 and "0" or "5"
  local id = system.id(self.number << 28 | self.ids, annotation)
  if roll > 97 then return "v2/dump_names/" .. id end
  if annotation == "1" then
    for _, queue in ipairs(self.queues) do
      if sample.of(id, queue.name) < queue.throttle then
        told[queue.name][id] = false
        event.targets[#event.targets + 1] = { queue.name, id }
        event.bad = event.bad or queue.name == "missing"
      end
    end
  end
  return system.key(id)
end

function worker:new_event(calm)
  local event = { tries = 0, targets = {}, path = ("%s/%d"):format(self.folder, self.ids) }
  local roll = calm and 50 or self.random(1, 100)
  local size = calm and 1000 or roll <= 3 and 2000 or storm.spread(self.random, 1, 2000)
  local keys = {}
  for i = 1, size do keys[i] = self:object(event) end
  local body = system.event(table.unpack(keys))
  if roll > 97 then
    body = { Records = "none" }
    event.bad = true
  elseif roll > 92 then
    -- One record that nobody can read fails the event; the others are published all the same.
    table.insert(body.Records, self.random(1, #keys), { eventSource = "aws:s3", s3 = {} })
    event.bad = true
  end
  system.write(event.path, cjson.encode(body):gsub("\\/", "/") .. "\n")
  return event
end

function worker:send(event, calm)
  event.calm = calm
  count.sent = count.sent + 1
  event.tries = event.tries + 1
  event.disturbed = self.frozen
  event.due = clock() + 6 * DEADLINE_MS / 1000
  self.event = event
  self.pipe:write(event.path, "\n")
  self.pipe:flush()
end

-- "unknown at confirm: no answer in time", without the names and numbers.
local function cause_of(answer)
  local _, decoded = pcall(cjson.decode, answer)
  local message = type(decoded) == "table" and decoded.errorMessage or answer
  local why = message:match("%f[%l]%l+ at %l+: .*") or message
  why = why:match("^(.-); next:") or why
  return ((decoded.errorType or "?") .. ", " .. why:gsub("%x+%-[%x-]+", "ID"):gsub("%d+", "N")):sub(1, 140)
end

function worker:fail(event, answer)
  local cause = cause_of(answer)
  causes[cause] = (causes[cause] or 0) + 1
  -- One that was frozen may wake up past its deadline, and be ended by its own watchdog.
  if not event.disturbed then
    if answer:find("Sandbox.Timedout", 1, true) then count.late = count.late + 1 end
    if answer:find("Runtime.ExitError", 1, true) then count.crashed = count.crashed + 1 end
  end
  if event.calm and not event.bad then count.sick = count.sick + 1 end
  if event.tries == TRIES then
    count.given_up = count.given_up + 1
    os.remove(event.path)
    return
  end
  event.due = clock() + event.tries
  table.insert(self.again, event)
end

function worker:take(answer)
  local event = self.event
  self.event = nil
  if answer ~= "null\n" then return self:fail(event, answer) end
  count.done = count.done + 1
  for _, target in ipairs(event.targets) do told[target[1]][target[2]] = true end
  os.remove(event.path)
end

-- The next event that is due: one that failed before, or a new one. When everything works again
-- nothing waits, and there is one new one, of a thousand ids.
function worker:next_event(calm)
  for i, event in ipairs(self.again) do
    if calm or event.due <= clock() then
      count.again = count.again + 1
      return table.remove(self.again, i)
    end
  end
  if calm and self.last then return nil end
  self.last = calm
  return self:new_event(calm)
end

-- Whether there is, or will be, something to do. calm: everything works.
function worker:turn(calm)
  if self.event then
    local answer = self.answers:read("L")
    if answer and answer:sub(-1) ~= "\n" then -- the rest of it is yet to come
      self.answers:seek("cur", -#answer)
    elseif answer then
      self:take(answer)
    end
    assert(not self.event or clock() < self.event.due, "an event got no answer at all")
  end
  if not self.event then
    local event = self:next_event(calm)
    if event then self:send(event, calm) end
  end
  return self.event or #self.again > 0
end

-- A function that ends between events, or does not end when it is asked to, is a mistake; but one
-- that was frozen may have its answer out, and no time left to log what happened.
function worker:finish()
  self.pipe:close()
  for line in io.lines(self.folder .. "/log") do
    if line:find("^lambda: the function did not ask") and self.disturbed > 0 then
      self.disturbed = self.disturbed - 1
    elseif line:find("^lambda: .*Runtime exited") or line:find("^lambda: the function did not") then
      count.crashed = count.crashed + 1
      print(("# function %d: %s"):format(self.number, line))
    end
  end
end

-- ------------------------------------------------------------- the account

local function account(env)
  local sum = { attempted = 0, acknowledged = 0, found = 0, lost = 0, unexpected = 0, duplicated = 0 }
  for name, ids in pairs(told) do
    local found = {}
    for _, id in ipairs(name == "missing" and {} or system.consume(env, { name })) do
      found[id] = (found[id] or 0) + 1
      if ids[id] == nil then sum.unexpected = sum.unexpected + 1 end
      if found[id] == 1 then sum.found = sum.found + 1 else sum.duplicated = sum.duplicated + 1 end
    end
    for id, done in pairs(ids) do
      sum.attempted = sum.attempted + 1
      if done then sum.acknowledged = sum.acknowledged + 1 end
      if done and not found[id] then sum.lost = sum.lost + 1 end
    end
  end
  return sum
end

local function report(sum, weather)
  print(("# seed %d, %d seconds, %d faults; an id counts once for each of its queues"):format(
    seed, seconds, weather.count))
  for _, name in ipairs({ "attempted", "acknowledged", "found", "lost", "unexpected", "duplicated" }) do
    print(("# %-14s %8d"):format(name, sum[name]))
  end
  print(("# events: %d sent, %d of them again; %d done, %d given up, %d past the deadline, %d crashes"):format(
    count.sent, count.again, count.done, count.given_up, count.late, count.crashed))
  local sorted = {}
  for cause in pairs(causes) do sorted[#sorted + 1] = cause end
  table.sort(sorted, function(a, b) return causes[a] > causes[b] end)
  for _, cause in ipairs(sorted) do print(("# %6d %s"):format(causes[cause], cause)) end
end

local failed = false

local function check(number, good, what)
  failed = failed or not good
  print(("%sok %d - soak: %s"):format(good and "" or "not ", number, what))
end

-- ------------------------------------------------------------- the walk

local terminal = os.execute("test -t 2")
local shown = 0

local function progress(now)
  if not terminal or now < shown then return end
  shown = now + 0.5
  io.stderr:write(("\rsoak: %d of %d s, %d events sent, %d done, %d given up "):format(
    now, seconds, count.sent, count.done, count.given_up))
end

system.run(("rm -rf %s && mkdir -p %s"):format(folder, folder))
broker.start()
local env = system.vhost({ "spare" }) -- the others have an argument
for _, name in ipairs(NAMES) do
  broker.declare(env, name, '{<<"x-overflow">>, longstr, <<"reject-publish">>}')
end
broker.sync() -- it may be killed in the first second
proxy.start(env.PIGEON_PORT)
local workers = {}
for number in ipairs(SETTINGS) do workers[number] = worker.start(number, env) end

local weather = storm.start({
  seed = seed, env = env, queues = NAMES, proxy = proxy, functions = workers,
  log = assert(io.open(folder .. "/faults", "w")),
})
local start, busy = clock(), true
while busy do
  local now = clock() - start
  if now < seconds then
    weather:turn(now)
  elseif not weather.over then
    weather:stop()
  end
  busy = not weather.over
  for _, one in ipairs(workers) do
    busy = one:turn(weather.over) or busy
  end
  progress(now)
  sleep(0.01)
end
if terminal then io.stderr:write("\n") end
for _, one in ipairs(workers) do one:finish() end

local sum = account(env)
broker.stop()
report(sum, weather)
print("1..6")
check(1, sum.lost == 0, "what was acknowledged is there")
check(2, sum.unexpected == 0, "nothing else is there")
check(3, sum.acknowledged > 0, "something was acknowledged")
check(4, count.late == 0, "no event outlived its deadline")
check(5, count.sick == 0, "when everything worked again, every event was done")
check(6, count.crashed == 0, "no function ended by itself")
if failed then print(("# the faults and logs are in %s; again: make soak SEED=%d"):format(folder, seed)) end
os.exit(not failed, true)
