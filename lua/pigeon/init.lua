--- The verbs that the host calls: open, then receive, decide, conclude and tell for each event.
-- The only module with state: what open() made, and the batch from receive() to tell().
-- On the desk the same verbs end in a report (lua/pigeon/desk) instead of an answer.
local answer = require "pigeon.report.answer"
local batch_failures = require "pigeon.settings.batch_failures"
local envelope = require "pigeon.event.envelope"
local environment_name = require "pigeon.settings.environment_name"
local fates = require "pigeon.fates"
local log_lines = require "pigeon.report.log_lines"
local metric_kinds = require "pigeon.settings.metric_kinds"
local metrics = require "pigeon.report.metrics"
local queues = require "pigeon.settings.queues"
local sandbox = require "pigeon.rules.sandbox"
local throttled = require "pigeon.rules.throttled"
local verdict = require "pigeon.rules.verdict"

local pigeon = {}

local MUCH_KEPT = 8 -- megabytes that a script may keep before they are why memory ran out
local MOST_DIFFERENCES = 20 -- of the shadow script that the log shows for an event

-- {script = {name, source}, words = {queues, env, sampled, noted}, partial = {SQS queue = true}, level = the
-- lowest that is logged}. With a shadow script also tallies = pigeon.report.shadow, and
-- shadow = {name, source, hash}, which is nil where that script does not load.
local setup
local decide -- the loaded rules
local decide_shadow -- the loaded shadow script, only while it runs on a batch
local measure -- what metrics.open() returned
-- {entries, queue, partial, messages, problem, shadow = what pigeon.report.shadow counts, decided = how many
-- of the entries decide() was called for, failed = whether one of these failed}
local batch
local concluded -- the batch, with its facts, between conclude() and tell()
local command -- the desk's command, a module of pigeon.desk, or nil
local report -- what its open() returned

-- "$LATEST" is the version of a function without an alias.
local function published_version(version)
  return version and version:match("^%d+$")
end

-- Module for each variable, in the order in which they are looked at.
local VARIABLES = {
  { "PIGEON_QUEUE", queues }, { "PIGEON_ENV", environment_name }, { "PIGEON_BATCH_FAILURES", batch_failures },
  { "PIGEON_METRICS", metric_kinds },
}

-- The variables' values by name; or nil, and what is wrong with one.
local function read_variables(settings)
  local values = {}
  for _, variable in ipairs(VARIABLES) do
    local value, problem = variable[2].parse(settings[variable[1]])
    if problem then return nil, problem end
    values[variable[1]] = value
  end
  return values
end

local function load_script(script)
  return sandbox.open(script, setup.words, verdict.judge)
end

-- For a command that needs no rules (event), or that only prints its usage.
local function open_without_rules(settings)
  command = require("pigeon.desk." .. settings.command)
  if not settings.help then return command.open(settings) end
  return { finish = function() return command.usage, 0 end }
end

-- Returns the loaded rules. For check, which looks at their text too: also nil or why they do not load,
-- and the script's own function.
local function load_rules(settings)
  if settings.command ~= "check" then return (load_script(setup.script)) end
  local loaded, result, rule = pcall(load_script, setup.script)
  if not loaded then return nil, tostring(result) end
  return result, nil, rule
end

--- Settings under their variables' names, the command, and rules = {source, name} -> the queues' names,
-- with commas; or nil, and what is wrong with a variable. Raises what is wrong with a line of the rules.
function pigeon.open(settings)
  batch, concluded, command, report = nil, nil, nil, nil
  if not settings.rules then
    report = open_without_rules(settings)
    return ""
  end
  local values, problem = read_variables(settings)
  if not values then return nil, problem end
  local list, env = values.PIGEON_QUEUE, values.PIGEON_ENV
  setup = {
    script = settings.rules, words = { queues = list, env = env, sampled = {}, noted = {} },
    partial = values.PIGEON_BATCH_FAILURES,
    level = (settings.AWS_LAMBDA_LOG_LEVEL or "DEBUG"):lower(),
  }
  measure = metrics.open {
    kinds = values.PIGEON_METRICS, queues = list, env = env, function_name = settings.AWS_LAMBDA_FUNCTION_NAME,
    function_version = published_version(settings.AWS_LAMBDA_FUNCTION_VERSION),
  }
  decide, settings.unloaded, settings.rule = load_rules(settings)
  if settings.command ~= "lambda" then
    command = require("pigeon.desk." .. settings.command)
    settings.queues = list
    report, problem = command.open(settings)
    if not report then return nil, problem end
  end
  local names = {}
  for i, queue in ipairs(list) do
    names[i] = queue.name
  end
  return table.concat(names, ",")
end

--- A shadow script {source, name, hash}, to run on the same objects as the rules; nil: there should
-- be one, but it cannot be read, and the metrics of each batch show that. Raises what is wrong with it.
function pigeon.open_shadow(script)
  setup.tallies = require "pigeon.report.shadow"
  if report and script then report.against = script end
  decide_shadow, setup.shadow = nil, nil
  if script then load_script(script) end
  setup.shadow = script
end

-- The desk: a process was stopped while it decided this object of the report's. There is nothing to decide.
local function note_stopped(why, number, by_shadow)
  report.stopped(number, why, by_shadow)
  return { entries = {} }
end

local READ = {
  event = envelope.read,
  lines = function(input, invocation) return report.list.read(input, invocation.line, invocation.most) end,
  rest = function(_, invocation) return report.list.read(nil, nil, invocation.most) end,
  keys = function(input) return require("pigeon.desk.lists").keys(input) end,
  setup = function(_, invocation)
    return { entries = {}, queues = invocation.queues or {},
      login = { virtual_host = invocation.virtual_host, user = invocation.user } }
  end,
  objects = function(_, invocation) -- none, where check has rules that do not load
    return decide and report.objects(invocation.line, invocation.most) or { entries = {} }
  end,
  stopped = function(input, invocation) return note_stopped(input, invocation.line, false) end,
  shadow_stopped = function(input, invocation) return note_stopped(input, invocation.line, true) end,
}

--- Bytes, and {kind = what they are, one of READ, and line, most or queues} -> a label for each object in
-- them. What is wrong with the event or with a record is kept for conclude(). Frees the batch before.
function pigeon.receive(input, invocation)
  batch, concluded = nil, nil
  local problem
  batch, problem = READ[invocation.kind](input, invocation)
  batch = batch or { entries = {}, problem = problem }
  batch.messages, batch.partial = 0, setup.partial[batch.queue or ""]
  batch.decided, batch.failed = 0, false
  batch.shadow = setup.tallies and setup.tallies.tally(batch.entries)
  local entries, labels = batch.entries, {}
  for i = 1, #entries do
    local entry = entries[i]
    labels[i] = entry.label
    if entry.skipped then entry.verdict = { kind = "ignore", reason = entry.skipped } end
  end
  return labels
end

local function note_shadow(entry, other)
  setup.tallies.note(batch.shadow, entry, other, report and math.huge or MOST_DIFFERENCES)
  entry.noted, entry.other = true, report and other
end

-- The script is loaded anew for each batch: while the rules decide, what it hoards must be freed.
local function run_shadow(entry)
  if not entry.object or not (entry.verdict or entry.failures) then return {} end
  if entry.other_problem then -- known before
    note_shadow(entry, { problem = entry.other_problem })
    return nil
  end
  decide_shadow = decide_shadow or load_script(setup.shadow)
  local decision, problem = decide_shadow(entry.object)
  if problem and problem:find("not enough memory", 1, true) then -- reload(), if it follows, knows the line
    batch.unsure = batch.unsure or {}
    batch.unsure[entry] = problem
    return nil
  end
  note_shadow(entry, { verdict = decision, problem = problem })
  return decision and {}
end

-- A word was called with more arguments than it takes.
local function note_surplus(entry, word)
  batch.surplus = batch.surplus or { word = word, entry = entry, count = 0 }
  batch.surplus.count = batch.surplus.count + 1
end

local function fail(entry, failure)
  batch.failed = true
  fates.fail(entry, failure)
end

--- An object's number, and whether the shadow script decides it -> where its messages go to, a list
-- of {exchange, routing_key}, empty where nothing is published, and the id that is message_id and
-- body of each; or nil: it failed, and the batch keeps why.
function pigeon.decide(i, by_shadow)
  local entry = batch.entries[i]
  if by_shadow then return run_shadow(entry) end
  batch.decided = batch.decided + 1
  if entry.problem then
    fail(entry, { cause = "record", text = entry.problem, name = entry.message and "message " .. entry.message })
    return nil
  end
  if entry.skipped then return {} end
  local noted = setup.words.noted
  throttled.reset(setup.words)
  noted.surplus = nil
  local start = entry.timed and os.clock()
  local decision, problem, trace = decide(entry.object, entry.closely or command and command.closely)
  if trace or start then entry.trace, entry.cpu = trace, start and os.clock() - start end
  if noted.surplus then note_surplus(entry, noted.surplus) end
  if not decision then
    fail(entry, { cause = "rules", text = problem, name = entry.label })
    return nil
  end
  entry.first, entry.verdict = batch.messages + 1, decision
  local destinations = decision.destinations
  if not destinations then return {} end
  entry.throttled = throttled.of(setup.words, decision)
  batch.messages = batch.messages + #destinations
  return destinations, decision.id
end

-- The megabytes that are in use now, and not without the script that is forgotten.
local function freed_by(forget)
  collectgarbage()
  local before = collectgarbage("count")
  forget()
  collectgarbage()
  return (before - collectgarbage("count")) // 1024
end

-- What ran out of memory, where it is known the script's line, the megabytes that the object had, and
-- those that the script kept from objects before -> what is wrong.
local function greed(script, line, allowed, kept)
  local where = script.name .. ":" .. (line and line .. ": " or " ")
  if kept >= MUCH_KEPT then
    return ("%sout of memory: the script itself keeps %d MB above its function, from object to object; " ..
      "keep only constants there"):format(where, kept)
  end
  return ("%sout of memory: used the %d MB that an object may have: does a string or table grow in a loop?"):format(
    where, allowed)
end

--- The number of an object whose decision ran out of memory, and which script decided, its line where
-- that is known, and the megabytes that it had: the object fails, whatever was decided. Loads the
-- script anew, which frees what it hoarded; raises where it does not load.
function pigeon.reload(i, by_shadow, line, allowed)
  local entry = batch.entries[i]
  if by_shadow then
    local kept = freed_by(function() decide_shadow = nil end) -- the next object loads it
    if not entry.noted then note_shadow(entry, { problem = greed(setup.shadow, line, allowed, kept) }) end
    return
  end
  local kept = freed_by(function() decide = nil end)
  if entry.first then batch.messages = entry.first - 1 end
  entry.verdict, entry.failures, entry.throttled = nil, nil, nil
  fail(entry, { cause = "rules", text = greed(setup.script, line, allowed, kept), name = entry.label })
  decide = load_script(setup.script)
end

--- Frees the shadow script, once it has decided what there was time for.
function pigeon.rest_shadow()
  decide_shadow = nil
  for i = 1, batch and batch.unsure and #batch.entries or 0 do
    local entry = batch.entries[i]
    local problem = batch.unsure[entry]
    if problem and not entry.noted then note_shadow(entry, { problem = problem }) end
  end
end

local function settle(done, fate_of)
  for i = 1, #done.entries do
    fates.settle(done.entries[i], fate_of)
  end
end

--- The fates of the messages that were not confirmed, by number, each {fate, stage, code, text, lasting},
-- and facts {confirmed, broker_wide, and those of metrics.open()} -> the answer as JSON, and the
-- error's type or nil. On the desk: text for stdout, and nil, or "failed": the command stops, or
-- "refused": it stops, and the text is why; the batch is freed, and tell() is not called. Raises when
-- the fates do not add up.
function pigeon.conclude(fate_of, facts)
  local done = batch
  batch = nil
  fates.check(fate_of, facts.confirmed, done.messages)
  -- Where nothing failed, the answer needs no entry, and tell() settles them, when the answer is on its
  -- way: they are out of the processor's caches by now, and 1,000 of them take 1 ms.
  done.whole = not report and not done.job and not done.failed and done.decided == #done.entries and not next(fate_of)
  if not done.whole then settle(done, fate_of) end
  if report then return report.conclude(done, facts) end
  done.facts, concluded = facts, done
  return answer.make(done, facts)
end

--- After conclude(), when the answer is sent -> log lines, as log_lines.of() makes them, and
-- metric lines. Frees the batch.
function pigeon.tell()
  local done = concluded
  concluded = nil
  if done.whole then settle(done, {}) end
  local lines = log_lines.of(done, setup.level)
  if setup.shadow then
    local first = setup.tallies.lines(done.shadow, setup.shadow.hash) -- few, where the log may get full
    lines = table.move(lines, 1, #lines, #first + 1, first)
  end
  return lines, measure(done, done.facts)
end

--- On the desk: the last text, the exit status, and where that is 1 perhaps what is wrong.
function pigeon.finish()
  return report.finish()
end

return pigeon
