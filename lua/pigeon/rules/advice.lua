--- What a failure of a rules script means, for someone who writes Lua once a year. Loaded at the first
-- failure. Reads the script's text, so it may know less than it says: where it is not sure, the
-- text of the failure stays as Lua has it.
local script_text = require "pigeon.rules.script_text"

local find, format, gsub, match = string.find, string.format, string.gsub, string.match

local advice = {}

local LONGEST = 1024 -- bytes of what is wrong with a text that does not load
local LONGEST_PARSED = 65536 -- bytes of a script whose mistake is explained; the tree takes 100 times as many

-- Fields that not every event has, and what stands for a missing one.
local INSTEAD = { size = "0", time = '""', region = '""', version_id = '""', sequencer = '""' }

-- The text of a line, without its comment.
local function code_of(source, line)
  local number = 0
  for text in script_text.lines(source) do
    number = number + 1
    if number == line then return (gsub(text, "%-%-.*", "")) end
  end
  return ""
end

-- for q in queues do
local function no_iterator(text, code)
  if not find(text, "attempt to call a table value (for iterator", 1, true) then return nil end
  local names, list = match(code, "for%s+([%w_,%s]-)%s+in%s+([%a_][%w_.]*)%s+do")
  if not names then return nil end
  return format("%s is a table; to go through it write for %s in ipairs(%s) do", list,
    find(names, ",", 1, true) and names or "_, " .. names, list)
end

-- queues[99].name, queues.normal.throttle
local function no_entry(text, code, _, queues)
  if not find(text, "attempt to index a nil value", 1, true) then return nil end
  local list, index = match(code, "([%a_][%w_.]*)%[(%-?%d+)%]")
  if find(text, "index')", 1, true) or find(text, "field '?')", 1, true) then
    if list == "queues" then
      return format("queues has %d %s, so there is no queues[%s] (lists begin at 1)", #queues,
        #queues == 1 and "entry" or "entries", index)
    end
    return list and format("there is no %s[%s] (lists begin at 1)", list, index)
  end
  local name = match(text, "field '([^']*)'")
  if name and (match(code, "queues%.([%a_][%w_]*)") == name or match(code, "queues%[%s*[\"']([^\"']*)") == name) then
    return format('queues is a list and has no "%s": look for q.name == "%s"', name, name)
  end
end

-- object.size > 5
local function no_field(text, code, object)
  if not object or not find(text, "nil", 1, true) then return nil end
  local named = match(text, "field '([^']*)'")
  for variable, field in string.gmatch(code, "([%a_][%w_]*)%.([%a_][%w_]*)") do
    if INSTEAD[field] and object[field] == nil and (not named or named == field) then
      return format("%s.%s is nil here (not every event has it): write (%s.%s or %s)", variable, field, variable,
        field, INSTEAD[field])
    end
  end
end

-- env("prod"), env:sub(1, 4) without PIGEON_ENV, accept(id { "normal" })
local function no_function(text)
  if find(text, "index a nil value (global 'env')", 1, true) then
    return 'env is nil here, because PIGEON_ENV is not set: write (env or "")'
  elseif find(text, "^attempt to call a %l+ value %(global 'env'%)") then
    return 'env is a text, and not a function: write env == "prod"'
  end
  local kind, name = match(text, "^attempt to call a (%l+) value %(%l+ '([%w_]+)'%)")
  if kind == "string" then
    return format("%s is a text, and not a function: is a comma missing after it?", name)
  end
end

-- tonumber(object.key) > 5
local function no_result(text, code)
  local call = find(text, "^attempt to compare .*nil") and match(code, "tonumber(%b())")
  return call
    and format("tonumber%s is nil, because the text is not a number: write (tonumber%s or 0)", call, call)
end

-- PREFIX + id
local function no_sum(text)
  if find(text, "^attempt to add a 'string' with a ") or find(text, "^attempt to add a '%a+' with a 'string'") then
    return text .. ": texts are joined with .., not with +"
  end
end

-- id:sub(1, 3), where the key has no crash id
local function no_value(text)
  local name = match(text, "^attempt to index a nil value %(local '([%w_]+)'%)$")
  return name and format("%s is nil here: check it first, as in: if %s then", name, name)
end

-- A failure that the text of its line shows, too: what `check` finds there, in check's words. The findings of
-- a script are made once.
local function of_text(text, script, line)
  if #script.source > LONGEST_PARSED or not (find(text, " has no ", 1, true) or find(text, "^there is no word")) then
    return nil
  end
  script.findings = script.findings or require("pigeon.source.findings").of(script)
  for _, found in ipairs(script.findings) do
    local fix = found.line == line and find(found.what, text, 1, true) and found.fix
    if fix and not find(fix, " has ", 1, true) and not find(fix, "^text needs") then -- it knows what is meant
      return format("%s: %s", found.what, fix)
    end
  end
end

--- What failed in a run, without its place; the script, the line, the object or nil, the queues -> the
-- same or a better text.
function advice.run(text, script, line, object, queues)
  local code = code_of(script.source, line)
  for _, better in ipairs { no_iterator, no_entry, no_field, no_function, no_result, no_sum, no_value } do
    local found = better(text, code, object, queues)
    if found then return found end
  end
  return of_text(text, script, line) or text
end

-- How far Lua read a text that it does not load.
local function last_line(script)
  local text = script.source:sub(script_text.start(script.source))
  local line, next_line = 0, string.gmatch(text, "[^\n]*\n?")
  load(function()
    line = line + 1
    return next_line()
  end, "", "t")
  return line
end

-- What the script's text shows, with its place; or nil.
local function mistake_in(script)
  if #script.source > LONGEST_PARSED then return nil end
  local _, found = require("pigeon.source").parse(script.source, script.name)
  if not found then return nil end
  return format("%s:%d: %s%s", script.name, found.line, found.what, found.fix and ": " .. found.fix or "")
end

--- Why a script does not load, and the script -> the text with its place: Lua's own message, where the
-- script's text has no better one.
function advice.load(problem, script)
  problem = problem:sub(1, LONGEST)
  if find(problem, "C stack overflow", 1, true) then
    return format("%s:%d: an expression is nested more than 200 deep (each `..` counts): split it", script.name,
      last_line(script))
  end
  local found = mistake_in(script)
  if found then return found end
  return find(problem, script.name, 1, true) == 1 and problem or script.name .. ": " .. problem
end

return advice
