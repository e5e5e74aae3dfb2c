--- A function under fault, and the account of it: which ids it was handed, which of them it
-- reported as done, and which are in the queue.
local assert = require "luassert"
local system = require "spec.support.system"

local trial = {}
trial.__index = trial

local given = 0

--- A trial of the queue "normal" of env; options are the local Lambda's.
function trial.start(env, options)
  return setmetatable({ env = env, queue = "normal", events = {}, answered = 0, copies = {},
    lambda = system.start({ env = env, options = options }) }, trial)
end

local function hand(self, event)
  local keys = {}
  for i, id in ipairs(event.ids) do keys[i] = system.key(id) end
  self.events[#self.events + 1] = event
  self.lambda:hand(system.event(table.unpack(keys)))
end

--- Hands over an event of so many new ids.
function trial:hand(count)
  local ids = {}
  for i = 1, count do
    given = given + 1
    ids[i] = system.id(given)
  end
  hand(self, { ids = ids })
end

--- Its answer, as text.
function trial:answer()
  self.answered = self.answered + 1
  local event = self.events[self.answered]
  event.answer = self.lambda:answer()
  assert(event.answer, "the function gave no answer")
  assert(not event.answer:find('"errorType":"[RS][^"]*"'), event.answer) -- Lambda's own: it is gone, or too late
  return event.answer
end

function trial:send(count)
  self:hand(count or 1)
  return self:answer()
end

--- An event that nothing disturbs: it must succeed, and each of its ids arrive once.
function trial:undisturbed(count)
  local answer = self:send(count)
  assert.equal("null", answer)
  self.events[#self.events].once = true
end

--- The events that failed come again, as from AWS; they must succeed now.
function trial:again()
  for i = 1, #self.events do
    local event = self.events[i]
    if event.answer ~= "null" then
      hand(self, { ids = event.ids })
      assert.equal("null", self:answer())
    end
  end
end

-- How often each id was handed over, those reported as done, and those that may be there once.
local function told(self, log)
  local handed, done, once = {}, {}, {}
  for _, event in ipairs(self.events) do
    for _, id in ipairs(event.ids) do
      handed[id] = (handed[id] or 0) + 1
      done[id] = done[id] or event.answer == "null"
      once[id] = event.once
    end
  end
  -- Of an event that failed, some ids may be done all the same: the log has each of them.
  for _, line in ipairs(system.said(log, "^published$")) do
    assert.same({ self.queue }, line.queue)
    assert(handed[line.crash_id], line.crash_id)
    done[line.crash_id] = true
  end
  return handed, done, once
end

--- Takes what is in the queue, before that is damaged, to account for it at the end.
function trial:collect()
  for _, id in ipairs(system.consume(self.env, { self.queue })) do
    self.copies[id] = (self.copies[id] or 0) + 1
  end
end

--- The end: a last event works, the process is still the first, its reports are true.
-- Returns the function's log.
function trial:finish()
  self:undisturbed(1)
  local outcome = self.lambda:finish()
  self.lambda = nil
  assert.equal(1, #system.said(outcome.log, " ready in [%d.]+ ms$"), "starts of the function")
  self:collect()
  local copies = self.copies
  local handed, done, once = told(self, outcome.log)
  local lost, unexpected, too_often = {}, {}, {}
  for id in pairs(done) do
    if done[id] and not copies[id] then lost[#lost + 1] = id end
  end
  for id, count in pairs(copies) do
    if not handed[id] then unexpected[#unexpected + 1] = id end
    -- An invocation publishes an id again after one reconnect at most.
    if count > (once[id] and 1 or 2 * (handed[id] or 0)) then too_often[#too_often + 1] = id end
  end
  assert.same({}, lost, "reported as done, and not in the queue")
  assert.same({}, unexpected, "in the queue, and never handed over")
  assert.same({}, too_often, "in the queue too often")
  return outcome.log
end

--- Where a case failed before its end.
function trial:abandon()
  if self.lambda then self.lambda:kill() end
  self.lambda = nil
end

return trial
