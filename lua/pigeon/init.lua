--- The verbs that the host calls: open, then receive, decide, conclude and tell for each event.
-- The one module with state: what open() made, and the batch from receive() to tell().
-- On the desk the same walk ends in a report (lua/pigeon/desk) instead of an answer.
local answer = require "pigeon.report.answer"
local batch_failures = require "pigeon.settings.batch_failures"
local envelope = require "pigeon.event.envelope"
local metrics = require "pigeon.report.metrics"
local queues = require "pigeon.settings.queues"
local sandbox = require "pigeon.rules.sandbox"
local telemetry = require "pigeon.report.log_lines"
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"

local pigeon = {}

local NOT_FOUND = 404 -- AMQP: no such exchange
local MOST_DIFFERENCES = 20 -- of a second script that an event's log shows

-- {script = {name, source}, words = {queues, env, sampled}, partial = {SQS queue = true}, level = the
-- lowest that is logged}, and where there is to be a second script, tallies = pigeon.shadow, and
-- shadow = {name, source, hash}, nil where it does not load
local setup
local decide -- the loaded rules
local decide_shadow -- the second script while it is asked about a batch, and at no other time
local measure -- what metrics.open() made
local batch -- {entries, queue, partial, messages, problem, shadow = what pigeon.shadow counts}
local concluded -- the batch, with its facts, once it waits for tell()
local command -- the desk's, a module of pigeon.desk, or nil
local report -- what its open() made

local CHARACTERS = { [" "] = "a space", ["\t"] = "a tab", ["\n"] = "a line's end" }

-- "$LATEST" is what no alias has.
local function published_version(version)
  return version and version:match("^%d+$")
end

local function check_env(env)
  local position = env:find("[^A-Za-z0-9]")
  if not position then return end
  local bad = env:sub(position, position)
  error(('PIGEON_ENV: "%s" has %s at position %d; letters and digits are allowed'):format(
    text.clean(env, 100), CHARACTERS[bad] or '"' .. text.clean(bad, 1) .. '"', position), 0)
end

local function load_script(script)
  return sandbox.open(script, setup.words, verdict.judge)
end

-- A command that needs no rules (event), or one asked for its help.
local function open_told(settings)
  command = require("pigeon.desk." .. settings.command)
  if not settings.help then return command.open(settings) end
  return { finish = function() return command.usage, 0 end }
end

--- Settings under their variables' names, the command, and rules = {source, name} -> the queues'
-- names, as a list and as one text. Raises what is wrong: with PIGEON_QUEUE, PIGEON_ENV,
-- PIGEON_BATCH_FAILURES, PIGEON_METRICS, or a line of the rules.
function pigeon.open(settings)
  batch, concluded, command, report = nil, nil, nil, nil
  if not settings.rules then
    report = open_told(settings)
    return {}, ""
  end
  local list, problem = queues.parse(settings.PIGEON_QUEUE)
  if not list then error(problem, 0) end
  local env = settings.PIGEON_ENV ~= "" and settings.PIGEON_ENV or nil
  if env then check_env(env) end
  local partial
  partial, problem = batch_failures.parse(settings.PIGEON_BATCH_FAILURES)
  if not partial then error(problem, 0) end
  local kinds
  kinds, problem = metrics.parse(settings.PIGEON_METRICS)
  if not kinds then error(problem, 0) end
  setup = {
    script = settings.rules, words = { queues = list, env = env, sampled = {} }, partial = partial,
    level = (settings.AWS_LAMBDA_LOG_LEVEL or "DEBUG"):lower(),
  }
  measure = metrics.open {
    kinds = kinds, queues = list, env = env, function_name = settings.AWS_LAMBDA_FUNCTION_NAME,
    function_version = published_version(settings.AWS_LAMBDA_FUNCTION_VERSION),
  }
  decide = load_script(setup.script)
  if settings.command ~= "lambda" then
    command = require("pigeon.desk." .. settings.command)
    settings.queues = list
    report = command.open(settings)
  end
  local names = {}
  for i, queue in ipairs(list) do
    names[i] = queue.name
  end
  return names, table.concat(names, ",")
end

--- A second script {source, name, hash}, to be asked about the same objects; nil where there
-- should be one and it cannot be read, of which each batch then tells. Raises what is wrong with it.
function pigeon.open_shadow(script)
  setup.tallies = require "pigeon.report.shadow"
  if report then report.against = true end
  decide_shadow, setup.shadow = nil, nil
  if script then load_script(script) end
  setup.shadow = script
end

local READ = {
  event = envelope.read,
  lines = function(input, invocation) return require("pigeon.desk.lists").read(input, invocation.line) end,
  keys = function(input) return require("pigeon.desk.lists").keys(input) end,
  setup = function(input) return { entries = {}, setup = input } end,
  probes = function() return require("pigeon.desk.probes").read() end,
}

--- An event's bytes (or what else invocation.kind says) -> a label for each object in it. What is
-- wrong with the event or with a record is kept for conclude(). Frees what was not told.
function pigeon.receive(input, invocation)
  batch, concluded = nil, nil
  local problem
  batch, problem = READ[invocation.kind](input, invocation)
  batch = batch or { entries = {}, problem = problem }
  batch.messages, batch.partial = 0, setup.partial[batch.queue or ""]
  batch.shadow = setup.tallies and setup.tallies.tally(batch.entries)
  local entries, labels = batch.entries, {}
  for i = 1, #entries do
    local entry = entries[i]
    labels[i] = entry.label
    if entry.skipped then entry.verdict = { kind = "ignore", reason = entry.skipped } end
  end
  return labels
end

local function fail(entry, cause, why, name, destination, code)
  entry.failures = entry.failures or {}
  table.insert(entry.failures, { cause = cause, text = why, name = name, destination = destination, code = code })
end

local function note(entry, other)
  setup.tallies.note(batch.shadow, entry, other, report and math.huge or MOST_DIFFERENCES)
  entry.asked = true
end

-- It is loaded anew for each batch: what it hoards must not be there while the rules decide.
local function ask_shadow(entry)
  if not entry.object or not (entry.verdict or entry.failures) then return {} end
  decide_shadow = decide_shadow or load_script(setup.shadow)
  local says, problem = decide_shadow(entry.object)
  note(entry, { verdict = says, problem = problem })
  return says and {}
end

local function forget_samples()
  local list, sampled = setup.words.queues, setup.words.sampled
  for i = 1, #list do
    sampled[list[i].name] = false
  end
end

local function is_named(queue, destinations)
  for i = 1, #destinations do
    local destination = destinations[i]
    if destination.routing_key == queue and destination.exchange == "" then return true end
  end
  return false
end

-- The queues that the script sampled the accepted id for, and did not name; nil: none.
local function throttled_of(says)
  local list, sampled, throttled = setup.words.queues, setup.words.sampled, nil
  for i = 1, #list do
    local name = list[i].name
    if sampled[name] == says.id and not is_named(name, says.destinations) then
      throttled = throttled or {}
      throttled[#throttled + 1] = name
    end
  end
  return throttled
end

--- An object's number, and whether the second script is asked -> where its messages go to, each
-- {exchange, routing_key}, none where it is not to be published, and the id that is each one's
-- message_id and body; or nil: it failed, and the batch knows why.
function pigeon.decide(i, second)
  local entry = batch.entries[i]
  if second then return ask_shadow(entry) end
  if entry.problem then
    fail(entry, "record", entry.problem, entry.message and "message " .. entry.message)
    return nil
  end
  if entry.skipped then return {} end
  forget_samples()
  local start = entry.timed and os.clock()
  local says, problem, trace = decide(entry.object, entry.closely or command and command.closely)
  entry.trace, entry.cpu = trace, start and os.clock() - start
  if not says then
    fail(entry, "rules", problem, entry.label)
    return nil
  end
  entry.first, entry.verdict = batch.messages + 1, says
  local destinations = says.destinations
  if not destinations then return {} end
  entry.throttled = throttled_of(says)
  batch.messages = batch.messages + #destinations
  return destinations, says.id
end

--- The object whose decision ran out of memory: it has failed, whatever was decided of it.
-- Loads the script anew, which frees what it hoarded; raises when that fails.
function pigeon.reload(i, second)
  local entry = batch.entries[i]
  if second then
    decide_shadow = nil -- and loaded again when it is asked again
    if not entry.asked then note(entry, { problem = setup.shadow.name .. ": out of memory" }) end
    return
  end
  decide = nil
  collectgarbage()
  if entry.first then batch.messages = entry.first - 1 end
  entry.verdict, entry.failures, entry.throttled = nil, nil, nil
  fail(entry, "rules", setup.script.name .. ": out of memory", entry.label)
  decide = load_script(setup.script)
end

--- The second script has been asked about what there was time for.
function pigeon.rest_shadow()
  decide_shadow = nil
end

-- "returned at publish: 312 NO_ROUTE"; the code once, which may also be a part of a port.
local function say_fate(fate)
  local parts = {}
  local code = math.tointeger(fate.code or 0)
  if code ~= 0 and not (fate.text or ""):find("%f[%w]" .. code .. "%f[%W]") then parts[1] = tostring(code) end
  parts[#parts + 1] = fate.text
  local where = fate.stage and fate.fate .. " at " .. fate.stage or fate.fate
  return #parts == 0 and where or where .. ": " .. table.concat(parts, " ")
end

-- What became of an entry: its failures, and which destinations confirmed.
local function settle(entry, fates)
  if entry.failures or entry.skipped then return end
  if not entry.verdict then
    return fail(entry, "time", "not decided: the time was short", entry.label)
  end
  local destinations, confirmed = entry.verdict.destinations, {}
  if not destinations then return end
  for j = 1, #destinations do
    local destination, fate = destinations[j], fates[entry.first + j - 1]
    local name = verdict.destination_name(destination)
    if not fate then
      confirmed[#confirmed + 1] = name
    else
      -- no proof of a message whose exchange is missing, but also none to come
      local cause = fate.code == NOT_FOUND and "returned" or fate.fate
      fail(entry, cause, say_fate(fate), entry.verdict.id .. " to " .. name, destination, fate.code)
    end
  end
  entry.destinations = confirmed
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
-- and facts {confirmed, broker_wide, and what metrics.open() wants} -> the answer as JSON, and the
-- error's type or nil. On the desk: text for stdout, and what stops the walk or nil; nothing is left
-- to tell there, and the batch is freed. Raises when the fates do not add up.
function pigeon.conclude(fates, facts)
  local done = batch
  batch = nil
  check_fates(fates, facts.confirmed, done.messages)
  for i = 1, #done.entries do
    settle(done.entries[i], fates)
  end
  if report then return report.conclude(done, facts) end
  done.facts, concluded = facts, done
  return answer.make(done, facts)
end

--- After conclude(), when the answer is given -> log lines, as telemetry.lines() makes them, and
-- lines of metrics, each a list of pieces. Frees the batch.
function pigeon.tell()
  local done = concluded
  concluded = nil
  local lines = telemetry.lines(done, setup.level)
  if setup.shadow then
    local told = setup.tallies.lines(done.shadow, setup.shadow.hash)
    table.move(told, 1, #told, #lines + 1, lines)
  end
  return lines, measure(done, done.facts)
end

--- On the desk: the last text, and the exit status.
function pigeon.finish()
  return report.finish()
end

return pigeon
