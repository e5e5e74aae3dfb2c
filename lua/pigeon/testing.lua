--- For people who test rules with busted: loads a rules script, and adds assertions about what it
-- decides. `pigeon test` runs such specs, with this module on their path.
--
--   local testing = require("pigeon.testing")
--   local rules = testing.load("rules.lua", { PIGEON_QUEUE = "normal,15:submitter" })
--   assert.accepts(rules, key, { "normal" })      exactly these destinations, in any order
--   assert.defers(rules, key, "a reason")         the reason may be left out
--   assert.ignores(rules, key)
--   assert.fails(rules, key, "part of the error")
--
-- A key stands for an object that was put into the bucket "crashes"; a table of an object's fields
-- may be given instead. A failing assertion shows the explanation of the key.
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

--- A script's path, and settings under their variables' names, PIGEON_QUEUE (default: "normal") and
-- PIGEON_ENV -> rules, for the other functions. Raises what is wrong with the file, a setting, or the
-- script.
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

--- Rules, and a key or an object -> its explanation: {verdict, reason, where, id, queues, messages}.
function testing.decide(rules, key)
  local object = object_of(key)
  local entry = { label = object.key, object = object }
  entry.verdict, entry.problem, entry.trace = rules.decide(object, true)
  return explanation.of(entry, rules.name, rules.queues)
end

local function names_of(explained)
  local names = {}
  for i, message in ipairs(explained.messages) do names[i] = message.to end
  table.sort(names)
  return table.concat(names, ", ")
end

-- By verdict: what was expected beside it and is not so, or nil.
local EXPECTATIONS = {
  accept = function(explained, destinations)
    if not destinations then return nil end
    local expected = table.move(destinations, 1, #destinations, 1, {})
    table.sort(expected)
    local names = table.concat(expected, ", ")
    if names ~= names_of(explained) then return "to " .. (names == "" and "no queue" or names) end
  end,
  fail = function(explained, part)
    if part and not explained.reason:find(part, 1, true) then return "with an error that contains: " .. part end
  end,
}

local function same_reason(explained, reason)
  if reason and explained.reason ~= reason then return "with the reason: " .. reason end
end

-- The word of a verdict -> the assertion for it.
local function expect(word)
  return function(state, arguments)
    local rules, key, rest = arguments[1], arguments[2], arguments[3]
    local explained = testing.decide(rules, key)
    local wrong
    if explained.verdict == word then wrong = (EXPECTATIONS[word] or same_reason)(explained, rest) end
    local expected = wrong and ("%s, %s"):format(word, wrong) or word
    state.failure_message = ("Expected: %s%s\n%s"):format(state.mod and "" or "not ", expected,
      table.concat(explanation.lines(explained), "\n"))
    return explained.verdict == word and not wrong
  end
end

for name, word in pairs { accepts = "accept", defers = "defer", ignores = "ignore", fails = "fail" } do
  assert:register("assertion", name, expect(word))
end

return testing
