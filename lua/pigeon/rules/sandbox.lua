--- Runs a rules script with the words of words.lua, and nothing else.
--
-- A run has a budget of instructions, counted by a debug hook. The hook raises only while
-- `running` says that the script runs. That flag, and the script's own `string` behind
-- s:method(), are set and cleared inside protected calls, and cleared by the hook and the
-- message handler as their first act, so that nothing fires in trusted code. While a hook is
-- set each instruction takes nearly three times as long, so it is set around the script's call alone.
-- Nothing here knows what a verdict means: `read` judges what the script returns.
local library = require "pigeon.rules.environment"

local find, format, sub = string.find, string.format, string.sub
local getinfo, gethook, sethook = debug.getinfo, debug.gethook, debug.sethook

local sandbox = {}

local INSTRUCTIONS = 1000000 -- an object or a load
local HOOK_CALLS = 100000 -- of a second look, where instructions cannot be counted
local LONGEST = 1024 -- bytes of an error value that are looked at
local SPENT = {} -- what the hook raises; no script can make it
local STRINGS = getmetatable("")

-- An error value as text; cut before anything else touches it.
local function text_of(value)
  if value == SPENT then
    return format("spent its budget of %d instructions: is there an endless loop?", INSTRUCTIONS)
  end
  if type(value) == "string" then return sub(value, 1, LONGEST) end
  if type(value) == "number" then return tostring(value) end
  return "an error without a text: a " .. type(value)
end

--- Loads a script: {name, source}, {queues = list, env = name or nil}, and `read`, which turns
-- what the script returned for an object into a verdict, or returns nil and what is wrong with it.
-- Returns decide: an object -> its verdict, or nil and what went wrong, with the
-- script's line. decide(object, true) looks closely, which takes twenty times as long: a third
-- result is {line = where it was decided, lines = a set of those that ran}, or nil where that
-- would have taken too long. Raises what went wrong with a script that does not load.
function sandbox.open(script, settings, read)
  local source = "@" .. script.name
  local environment, strings = library.environment(settings)
  local chunk, problem = load(script.source, source, "t", environment)
  if not chunk then
    problem = sub(problem, 1, LONGEST)
    error(find(problem, script.name, 1, true) == 1 and problem or script.name .. ": " .. problem, 0)
  end
  local name = getinfo(chunk, "S").short_src
  local running = false

  local function stop()
    running = false
    STRINGS.__index = string
  end

  local function out_of_budget()
    if not running then return end
    stop()
    error(SPENT, 0)
  end

  -- Where the script is: its innermost frame.
  local function place()
    local level = 3 -- above this function and the message handler
    local frame = getinfo(level, "Sl")
    while frame do
      if frame.source == source then return format("%s:%d: ", name, frame.currentline) end
      level = level + 1
      frame = getinfo(level, "Sl")
    end
  end

  local function explain(value)
    stop()
    return { text = text_of(value), place = place(), spent = value == SPENT }
  end

  local function enter(call, argument, hook, mask, count)
    STRINGS.__index, running = strings, true
    sethook(hook, mask, count)
    local value = call(argument)
    sethook()
    stop()
    return value
  end

  local function protected(call, argument, hook, mask, count)
    local ok, value = xpcall(enter, explain, call, argument, hook, mask, count)
    if not ok then stop() end -- a lack of memory passes the message handler by
    return ok, value
  end

  -- Calls it with a copy of the object, if there is one. True and what `judge` made of the result,
  -- or false and the failure: explain's table, or Lua's own string where the handler was passed by.
  local function run(hook, mask, count, call, object, judge)
    local old_hook, old_mask, old_count = gethook() -- a coverage tool's
    debug.setupvalue(chunk, 1, environment) -- a script can assign to _ENV
    local ended, ok, value = pcall(protected, call, object and library.object(object), hook, mask, count)
    if not ended or not ok or old_hook then
      stop() -- without memory, not even the calls of it above are sure
      sethook(old_hook, old_mask, old_count)
    end
    if not ended then return false, { text = text_of(ok), spent = true } end
    if not ok then return false, value end
    local result, wrong = judge(value)
    if result then return true, result end
    return false, { text = wrong }
  end

  -- Runs it with its lines noted: `lines` that ran, and the last `line` that ran or was
  -- returned to, which no word called by `return` can hide.
  local function trace_run(call, object, judge)
    local trace = { calls = 0, lines = {} }
    local function note(event, current)
      trace.calls = trace.calls + 1
      if trace.calls > HOOK_CALLS then return out_of_budget() end
      if event == "line" then
        if getinfo(2, "S").source ~= source then return end
        trace.line, trace.lines[current] = current, true
      else
        local caller = getinfo(3, "Sl")
        if caller and caller.source == source then trace.line = caller.currentline end
      end
    end
    local ok, value = run(note, "lr", 0, call, object, judge)
    return ok, value, trace
  end

  -- Runs it once more, for the line alone.
  local function second_look(call, object, judge)
    local _, _, trace = trace_run(call, object, judge)
    return trace.line and trace.calls <= HOOK_CALLS and format("%s:%d: ", name, trace.line) or nil
  end

  -- A failure in words.
  local function tell(failure, call, object, judge)
    if type(failure) == "string" then return name .. ": " .. failure end
    local text, where = failure.text, failure.place
    if not where then
      where = not failure.spent and second_look(call, object, judge) or name .. ": "
    end
    return sub(text, 1, #where) == where and text or where .. text
  end

  local function look(call, object, judge)
    local ok, value = run(out_of_budget, "", INSTRUCTIONS, call, object, judge)
    if ok then return value end
    return nil, tell(value, call, object, judge)
  end

  -- The same, with its lines noted. What is too long for that is decided without.
  local function close_look(call, object, judge)
    local ok, value, trace = trace_run(call, object, judge)
    if trace.calls > HOOK_CALLS then return look(call, object, judge) end
    if ok then return value, nil, trace end
    return nil, tell(value, call, object, judge), trace
  end

  local function must_be_function(value)
    if type(value) == "function" then return value end
    return nil, format("the script returns a %s, and has to return a function from an object to a verdict",
      type(value))
  end

  local rule
  rule, problem = look(chunk, nil, must_be_function)
  if not rule then error(problem, 0) end

  return function(object, closely)
    if closely then return close_look(rule, object, read) end
    return look(rule, object, read)
  end
end

return sandbox
