--- The verbs that the host calls: open, then receive, decide and conclude for each event.
-- The one module with state: what open() made, and the batch from receive() to conclude().
local answer = require "pigeon.answer"
local batch_failures = require "pigeon.batch_failures"
local envelope = require "pigeon.envelope"
local queues = require "pigeon.queues"
local sandbox = require "pigeon.sandbox"
local telemetry = require "pigeon.telemetry"
local text = require "pigeon.text"
local verdict = require "pigeon.verdict"

local pigeon = {}

local NOT_FOUND = 404 -- AMQP: no such exchange

local setup -- {script = {name, source}, words = {queues, env}, partial = {SQS queue = true}}
local decide -- the loaded rules
local batch -- {entries, queue, partial, messages, problem}

local CHARACTERS = { [" "] = "a space", ["\t"] = "a tab", ["\n"] = "a line's end" }

local function check_env(env)
  local position = env:find("[^A-Za-z0-9]")
  if not position then return end
  local bad = env:sub(position, position)
  error(('PIGEON_ENV: "%s" has %s at position %d; letters and digits are allowed'):format(
    text.clean(env, 100), CHARACTERS[bad] or '"' .. text.clean(bad, 1) .. '"', position), 0)
end

local function load_rules()
  decide = sandbox.open(setup.script, setup.words, verdict.judge)
end

--- Settings under their variables' names, and rules = {source, name} -> the queues' names.
-- Raises what is wrong: with PIGEON_QUEUE, PIGEON_ENV, PIGEON_BATCH_FAILURES, or a line of the
-- rules.
function pigeon.open(settings)
  local list, problem = queues.parse(settings.PIGEON_QUEUE)
  if not list then error(problem, 0) end
  local env = settings.PIGEON_ENV ~= "" and settings.PIGEON_ENV or nil
  if env then check_env(env) end
  local partial
  partial, problem = batch_failures.parse(settings.PIGEON_BATCH_FAILURES)
  if not partial then error(problem, 0) end
  setup = { script = settings.rules, words = { queues = list, env = env }, partial = partial }
  batch = nil
  load_rules()
  local names = {}
  for i, queue in ipairs(list) do
    names[i] = queue.name
  end
  return names
end

--- An event's bytes -> a label for each object in it. What is wrong with the event or with a
-- record is kept for conclude().
function pigeon.receive(input)
  local problem
  batch, problem = envelope.read(input)
  batch = batch or { entries = {}, problem = problem }
  batch.messages, batch.partial = 0, setup.partial[batch.queue or ""]
  local labels = {}
  for i, entry in ipairs(batch.entries) do
    labels[i] = entry.label
    if entry.skipped then entry.verdict = { kind = "ignore", reason = entry.skipped } end
  end
  return labels
end

local function fail(entry, cause, why, name, destination)
  entry.failures = entry.failures or {}
  table.insert(entry.failures, { cause = cause, text = why, name = name, destination = destination })
end

--- An object's number -> its messages {exchange, routing_key, message_id, body}, none where it
-- is not to be published; or nil: it failed, and the batch knows why.
function pigeon.decide(i)
  local entry = batch.entries[i]
  if entry.problem then
    fail(entry, "record", entry.problem, entry.message and "message " .. entry.message)
    return nil
  end
  if entry.skipped then return {} end
  local says, problem = decide(entry.object)
  if not says then
    fail(entry, "rules", problem, entry.label)
    return nil
  end
  local messages = {}
  for j, destination in ipairs(says.destinations or {}) do
    messages[j] = {
      exchange = destination.exchange, routing_key = destination.routing_key,
      message_id = says.id, body = says.id,
    }
  end
  entry.first, entry.verdict = batch.messages + 1, says
  batch.messages = batch.messages + #messages
  return messages
end

--- The object whose decision ran out of memory: it has failed, whatever was decided of it.
-- Loads the rules anew, which frees what they hoarded; raises when that fails.
function pigeon.reload(i)
  decide = nil
  collectgarbage()
  local entry = batch.entries[i]
  if entry.first then batch.messages = entry.first - 1 end
  entry.verdict, entry.failures = nil, nil
  fail(entry, "rules", setup.script.name .. ": out of memory", entry.label)
  load_rules()
end

-- "returned at publish: 312 NO_ROUTE"
local function say_fate(fate)
  local parts = {}
  local code = math.tointeger(fate.code or 0)
  if code ~= 0 and not (fate.text or ""):find(code, 1, true) then parts[1] = tostring(code) end
  parts[#parts + 1] = fate.text
  local where = fate.stage and fate.fate .. " at " .. fate.stage or fate.fate
  return #parts == 0 and where or where .. ": " .. table.concat(parts, " ")
end

-- What became of an entry: its failures, and where it went.
local function settle(entry, fates)
  if entry.failures or entry.skipped then return end
  if not entry.verdict then
    return fail(entry, "time", "not decided: the time was short", entry.label)
  end
  entry.destinations = {}
  for j, destination in ipairs(entry.verdict.destinations or {}) do
    local fate = fates[entry.first + j - 1]
    local name = verdict.destination_name(destination)
    entry.destinations[j] = name
    if fate then
      -- no proof of a message whose exchange is missing, but also none to come
      local cause = fate.code == NOT_FOUND and "returned" or fate.fate
      fail(entry, cause, say_fate(fate), entry.verdict.id .. " to " .. name, name)
    end
  end
end

local function check_fates(fates, confirmed, messages)
  local others = 0
  for number in pairs(fates) do
    others = others + 1
    if number < 1 or number > messages then
      error(("conclude: a fate for message %d of %d"):format(number, messages), 0)
    end
  end
  if confirmed + others ~= messages then
    error(("conclude: %d confirmed and %d other fates, but %d messages"):format(confirmed, others, messages), 0)
  end
end

--- The fates of the messages that were not confirmed, by number, each {fate, stage, code, text},
-- and facts {confirmed, broker_wide} -> the answer as JSON, the error's type or nil, log lines
-- {level, message, fields}, metric lines. Frees the batch. Raises when the fates do not add up.
function pigeon.conclude(fates, facts)
  local done = batch
  batch = nil
  check_fates(fates, facts.confirmed, done.messages)
  for _, entry in ipairs(done.entries) do
    settle(entry, fates)
  end
  local body, error_type = answer.make(done, facts)
  return body, error_type, telemetry.lines(done), {}
end

return pigeon
