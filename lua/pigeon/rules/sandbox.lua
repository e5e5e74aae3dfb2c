--- Runs a rules script with the words of words.lua, and nothing else.
--
-- A run has a budget of instructions, counted by a debug hook, which looks at the CPU clock, too: an
-- instruction can be a long one. The hook raises only while the flag `running` is set. That flag,
-- and the script's own `string` behind s:method(), are set and cleared inside protected calls; the
-- hook and the message handler clear them first of all, so that the hook never raises in trusted
-- code. A hook makes each instruction nearly three times as slow, so it is
-- set around the script's call alone.
-- The sandbox does not know what a verdict means: `read` judges what the script returns.
local environment = require "pigeon.rules.environment"
local script_text = require "pigeon.rules.script_text"

local find, format, sub = string.find, string.format, string.sub
local getinfo, gethook, sethook = debug.getinfo, debug.gethook, debug.sethook
local clock = os.clock

local sandbox = {}

local STEP = 10000 -- instructions between two looks at the clock
local INSTRUCTIONS = 1000000 -- for an object or a load
local MOST_MS = 50 -- of CPU, from the first look on, so that a short run reads no clock
local HOOK_CALLS = 100000 -- for a run whose lines are noted, where instructions cannot be counted
local LONGEST = 1024 -- bytes of an error value that are kept
local DEEP = 180 -- calls within calls: a function that calls itself
local SPENT, SLOW = {}, {} -- the hook raises them; no script can make them
local STRINGS = getmetatable("")

-- advice.lua is loaded at the first failure.
local function advice(kind, ...)
  return require("pigeon.rules.advice")[kind](...)
end

-- An error value as text; cut before anything else reads it. `deep` is the name of a function that
-- calls itself, where one does.
local function text_of(value, deep)
  local recursion = deep and format("does %s call itself without end?", deep)
  if value == SPENT then
    return format("spent its budget of %d instructions: %s", INSTRUCTIONS, recursion or "is there an endless loop?")
  end
  if value == SLOW then
    return format("kept the processor for %d ms: %s", MOST_MS,
      recursion or "does it build or search long texts again and again?")
  end
  if recursion and type(value) == "string" and find(value, "stack overflow", 1, true) then
    return sub(value, 1, 200) .. ": " .. recursion
  end
  if type(value) == "string" then return sub(value, 1, LONGEST) end
  if type(value) == "number" then return tostring(value) end
  return "an error without a text: a " .. type(value)
end

--- Loads a script: {name, source}, what environment.globals() takes, and `read`, a function from
-- what the script returned for an object to a verdict, or to nil and what is wrong with it. The settings
-- may have another budget, `instructions`, and as many times the CPU.
-- Returns decide(): an object -> its verdict, or nil and what went wrong, with the script's line.
-- decide(object, true) takes twenty times as long, and has a third result: {line = where it was
-- decided, lines = the set of lines that ran}, or nil where that would have taken too long.
-- Returns also the script's function, to look at what it keeps, never to call it.
-- Raises why a script does not load.
function sandbox.open(script, settings, read)
  local source = "@" .. script.name
  local most_steps = (settings.instructions or INSTRUCTIONS) // STEP
  local most_seconds = most_steps * STEP / INSTRUCTIONS * MOST_MS / 1000
  local globals, strings, verdict_words = environment.globals(settings)
  local chunk, problem = load(sub(script.source, script_text.start(script.source)), source, "t", globals)
  if not chunk then error(advice("load", problem, script), 0) end
  local name = getinfo(chunk, "S").short_src
  local running, steps, latest = false, 0, 0

  local function stop()
    running = false
    STRINGS.__index = string
  end

  local function give_up(value)
    stop()
    error(value, 0)
  end

  -- The hook that counts. It is set anew each time, so that its own instructions do not count.
  local function step()
    if not running then return end
    steps = steps + 1
    if steps >= most_steps then give_up(SPENT) end
    local now = clock()
    if steps == 1 then latest = now + most_seconds end
    if now > latest then give_up(SLOW) end
    return sethook(step, "", STEP)
  end

  -- The script's innermost frame, and whether a tail call hides one that was further inside: the one
  -- with the line that is wrong.
  local function innermost()
    local level, hidden = 3, false -- above this function and the message handler
    local frame = getinfo(level, "Sltn")
    while frame do
      if frame.source == source then return frame, hidden end
      hidden = hidden or frame.istailcall
      level = level + 1
      frame = getinfo(level, "Sltn")
    end
  end

  local function explain(value)
    stop()
    local frame, hidden = innermost()
    local deep = frame and getinfo(DEEP, "l") and (frame.name or "a function")
    return {
      text = text_of(value, deep), line = frame and frame.currentline, hidden = hidden,
      spent = value == SPENT or value == SLOW,
    }
  end

  local function enter(call, argument, hook, mask, count)
    STRINGS.__index, running, steps = strings, true, 0
    sethook(hook, mask, count)
    local value = call(argument)
    sethook()
    running = false -- as stop() does, without a call: this is on every object's way
    STRINGS.__index = string
    return value
  end

  local function protected(call, argument, hook, mask, count)
    local ok, value = xpcall(enter, explain, call, argument, hook, mask, count)
    if not ok then stop() end -- without memory, Lua does not call the message handler
    return ok, value
  end

  -- Calls it with a copy of the object, if there is one -> true and what `judge` made of the result,
  -- or false and the failure: explain's table, or Lua's own string where the handler was not called.
  local function run(hook, mask, count, call, object, judge)
    local old_hook, old_mask, old_count = gethook() -- a coverage tool's
    debug.setupvalue(chunk, 1, globals) -- a script can assign to _ENV
    local ended, ok, value = pcall(protected, call, object and environment.object(object), hook, mask, count)
    if not ended or not ok or old_hook then
      stop() -- without memory, even the calls of stop() above can fail
      sethook(old_hook, old_mask, old_count)
    end
    if not ended then return false, { text = text_of(ok), spent = true } end
    if not ok then return false, value end
    local result, wrong = judge(value)
    if result then return true, result end
    return false, { text = wrong, nothing = value == nil }
  end

  -- Runs it and notes the lines that ran, and the last line that ran or was returned to: that one
  -- is known even where a word was called by `return`; and where the last verdict was made.
  local function trace_run(call, object, judge)
    local trace = { calls = 0, lines = {} }
    local function note(event, current)
      trace.calls = trace.calls + 1
      if trace.calls > HOOK_CALLS and running then give_up(SPENT) end
      if event == "line" then
        if getinfo(2, "S").source ~= source then return end
        trace.line, trace.lines[current] = current, true
      else
        local caller = getinfo(3, "Sl")
        if not caller or caller.source ~= source then return end
        trace.line = caller.currentline
        local word = verdict_words[getinfo(2, "f").func]
        if word then trace.made = { word = word, line = trace.line } end
      end
    end
    local ok, value = run(note, "lr", 0, call, object, judge)
    return ok, value, trace
  end

  -- Runs it again, only to see more of how it fails. Nil where it takes too long or fails otherwise.
  local function second_look(failure, call, object, judge)
    local ok, value, trace = trace_run(call, object, judge)
    if ok or trace.calls > HOOK_CALLS or type(value) ~= "table" or value.text ~= failure.text then return nil end
    return trace
  end

  -- A failure as text, with its line.
  local function describe(failure, call, object, judge)
    if type(failure) == "string" then return name .. ": " .. failure end
    local text, line = failure.text, failure.line
    if not failure.spent and (not line or failure.hidden) then
      local trace = second_look(failure, call, object, judge)
      line = trace and trace.line or line
      if failure.nothing and trace and trace.made then
        line = trace.made.line
        text = format("made a verdict and did not return it: write return %s(...)", trace.made.word)
      end
    end
    local where = line and format("%s:%d: ", name, line) or name .. ": "
    if sub(text, 1, #where) == where then text = sub(text, #where + 1) end
    if line and (find(text, "nil", 1, true) or find(text, "attempt to", 1, true) or find(text, " no ", 1, true)) then
      text = advice("run", text, script, line, object, settings.queues)
    end
    return where .. text
  end

  local function look(call, object, judge)
    local ok, value = run(step, "", STEP, call, object, judge)
    if ok then return value end
    return nil, describe(value, call, object, judge)
  end

  -- The same, with the lines noted. A run that is too long for that is repeated without.
  local function close_look(call, object, judge)
    local ok, value, trace = trace_run(call, object, judge)
    if trace.calls > HOOK_CALLS then return look(call, object, judge) end
    if ok then return value, nil, trace end
    return nil, describe(value, call, object, judge), trace
  end

  local function must_be_function(value)
    if type(value) == "function" then return value end
    return nil, format("the script returns a %s, but must return a function from an object to a verdict",
      type(value))
  end

  local rule
  rule, problem = look(chunk, nil, must_be_function)
  if not rule then error(problem, 0) end

  local function decide(object, closely)
    if closely then return close_look(rule, object, read) end
    return look(rule, object, read)
  end
  return decide, rule
end

return sandbox
