--- Runs a rules script with the words of words.lua, and nothing else.
--
-- A run has a budget of instructions, counted by a debug hook. The hook raises only while the flag
-- `running` is set. That flag, and the script's own `string` behind s:method(), are set and cleared
-- inside protected calls; the hook and the message handler clear them first of all, so that the hook
-- never raises in trusted code. A hook makes each instruction nearly three times as slow, so it is
-- set around the script's call alone.
-- The sandbox does not know what a verdict means: `read` judges what the script returns.
local environment = require "pigeon.rules.environment"
local script_text = require "pigeon.rules.script_text"

local find, format, sub = string.find, string.format, string.sub
local getinfo, gethook, sethook = debug.getinfo, debug.gethook, debug.sethook

local sandbox = {}

local INSTRUCTIONS = 1000000 -- for an object or a load
local HOOK_CALLS = 100000 -- for a run whose lines are noted, where instructions cannot be counted
local LONGEST = 1024 -- bytes of an error value that are kept
local LONGEST_PARSED = 65536 -- bytes of a script whose mistake is explained; the tree takes 100 times as many
local SPENT = {} -- the hook raises it; no script can make it
local STRINGS = getmetatable("")

-- An error value as text; cut before anything else reads it.
local function text_of(value)
  if value == SPENT then
    return format("spent its budget of %d instructions: is there an endless loop?", INSTRUCTIONS)
  end
  if type(value) == "string" then return sub(value, 1, LONGEST) end
  if type(value) == "number" then return tostring(value) end
  return "an error without a text: a " .. type(value)
end

-- Lua's own message, where the script's text has no better one. Only a broken script is parsed.
local function why_not_loaded(script, problem)
  problem = sub(problem, 1, LONGEST)
  if #script.source <= LONGEST_PARSED then
    local _, found = require("pigeon.source").parse(script.source, script.name)
    if found then
      return format("%s:%d: %s%s", script.name, found.line, found.what, found.fix and ": " .. found.fix or "")
    end
  end
  return find(problem, script.name, 1, true) == 1 and problem or script.name .. ": " .. problem
end

--- Loads a script: {name, source}, what environment.globals() takes, and `read`, a function from
-- what the script returned for an object to a verdict, or to nil and what is wrong with it. The settings
-- may have another budget, `instructions`.
-- Returns decide(): an object -> its verdict, or nil and what went wrong, with the script's line.
-- decide(object, true) takes twenty times as long, and has a third result: {line = where it was
-- decided, lines = the set of lines that ran}, or nil where that would have taken too long.
-- Raises why a script does not load.
function sandbox.open(script, settings, read)
  local source = "@" .. script.name
  local instructions = settings.instructions or INSTRUCTIONS
  local globals, strings = environment.globals(settings)
  local chunk, problem = load(sub(script.source, script_text.start(script.source)), source, "t", globals)
  if not chunk then error(why_not_loaded(script, problem), 0) end
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

  -- The script's current line: that of its innermost frame.
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
    return false, { text = wrong }
  end

  -- Runs it and notes the lines that ran, and the last line that ran or was returned to: that one
  -- is known even where a word was called by `return`.
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

  -- Runs it again, only to find the line.
  local function second_look(call, object, judge)
    local _, _, trace = trace_run(call, object, judge)
    return trace.line and trace.calls <= HOOK_CALLS and format("%s:%d: ", name, trace.line) or nil
  end

  -- A failure as text, with its line.
  local function describe(failure, call, object, judge)
    if type(failure) == "string" then return name .. ": " .. failure end
    local text, where = failure.text, failure.place
    if not where then
      where = not failure.spent and second_look(call, object, judge) or name .. ": "
    end
    return sub(text, 1, #where) == where and text or where .. text
  end

  local function look(call, object, judge)
    local ok, value = run(out_of_budget, "", instructions, call, object, judge)
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

  return function(object, closely)
    if closely then return close_look(rule, object, read) end
    return look(rule, object, read)
  end
end

return sandbox
