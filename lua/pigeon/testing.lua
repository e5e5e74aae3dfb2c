--- For people who test rules with busted: loads a script, and says what it decides in words of
-- busted. `pigeon test` runs such specs, with this module on their path.
--
--   local testing = require("pigeon.testing")
--   local rules = testing.load("rules.lua", { PIGEON_QUEUE = "normal,15:submitter" })
--   assert.accepts(rules, key, { "normal" })      exactly these destinations, in any order
--   assert.defers(rules, key, "a reason")         the reason may be left out
--   assert.ignores(rules, key)
--   assert.fails(rules, key, "part of the error")
--
-- A key stands for an object that was put into the bucket "crashes"; a table of an object's
-- fields may stand there instead. What fails shows the explanation of the key.
local assert = require "luassert"
local explanation = require "pigeon.desk.explanation"
local queues = require "pigeon.settings.queues"
local sandbox = require "pigeon.rules.sandbox"
local verdict = require "pigeon.rules.verdict"

local testing = {}

local DEFAULTS = { bucket = "crashes", event_name = "ObjectCreated:Put", source = "aws:s3" }

local function object_of(key)
  local object = {}
  for name, value in pairs(DEFAULTS) do object[name] = value end
  for name, value in pairs(type(key) == "table" and key or { key = key }) do object[name] = value end
  return object
end

--- A script's path, and settings under their variables' names: PIGEON_QUEUE ("normal" unless
-- given), PIGEON_ENV. Returns rules; decide(object) of it is a verdict, or nil and what went wrong.
-- Raises what is wrong with the file, a setting, or the script.
function testing.load(path, settings)
  settings = settings or {}
  if _VERSION ~= "Lua 5.4" then error("rules are tested with Lua 5.4, not " .. _VERSION .. ": run pigeon test", 2) end
  local file, problem = io.open(path)
  if not file then error(problem, 2) end
  local script = { name = path:match("[^/]*$"), source = file:read("a") }
  file:close()
  local list
  list, problem = queues.parse(settings.PIGEON_QUEUE or "normal")
  if not list then error(problem, 2) end
  local ok, decide = pcall(sandbox.open, script, { queues = list, env = settings.PIGEON_ENV }, verdict.judge)
  if not ok then error(decide, 0) end
  return { name = script.name, queues = list, decide = decide }
end

--- Rules, and a key or an object -> what explain says of it: {verdict, reason, where, id, queues,
-- messages}.
function testing.decide(rules, key)
  local object = object_of(key)
  local says, problem, trace = rules.decide(object, true)
  return explanation.of({ label = object.key, object = object, verdict = says, problem = problem, trace = trace },
    rules.name, rules.queues)
end

local function names_of(told)
  local names = {}
  for i, message in ipairs(told.messages) do names[i] = message.to end
  table.sort(names)
  return table.concat(names, ", ")
end

-- What is expected and not so, or nil.
local EXPECTATIONS = {
  accept = function(told, destinations)
    if not destinations then return nil end
    local expected = table.move(destinations, 1, #destinations, 1, {})
    table.sort(expected)
    local names = table.concat(expected, ", ")
    if names ~= names_of(told) then return "to go to " .. (names == "" and "no queue" or names) end
  end,
  fail = function(told, part)
    if part and not told.reason:find(part, 1, true) then return "to say: " .. part end
  end,
}

local function same_reason(told, reason)
  if reason and told.reason ~= reason then return "for the reason: " .. reason end
end

-- An assertion: the word of the verdict, and a look at the rest.
local function expect(word)
  return function(state, arguments)
    local rules, key, rest = arguments[1], arguments[2], arguments[3]
    local told = testing.decide(rules, key)
    local wrong
    if told.verdict == word then wrong = (EXPECTATIONS[word] or same_reason)(told, rest) end
    local expected = wrong and ("%s, %s"):format(word, wrong) or word
    state.failure_message = ("Expected: %s%s\n%s"):format(state.mod and "" or "not ", expected,
      table.concat(explanation.lines(told), "\n"))
    return told.verdict == word and not wrong
  end
end

for name, word in pairs { accepts = "accept", defers = "defer", ignores = "ignore", fails = "fail" } do
  assert:register("assertion", name, expect(word))
end

return testing
