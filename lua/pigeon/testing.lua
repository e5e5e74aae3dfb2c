--- For people who test rules with busted: loads a rules script, and adds assertions about what it
-- decides. `pigeon test` runs such specs, with this module on their path.
--
--   local testing = require("pigeon.testing")
--   local rules = testing.load("rules.lua", { PIGEON_QUEUE = "normal,15:submitter" })
--   assert.accepts(rules, key, { "normal" })      exactly these destinations, in any order; without a
--                                                 list: to one or more
--   assert.defers(rules, key, "a reason")         the reason may be left out
--   assert.ignores(rules, key)
--   assert.fails(rules, key, "part of the error")
--
-- A key stands for an object that was put into the bucket "crashes"; a table of an object's fields
-- may be given instead. A failing assertion shows the explanation of the key. Misuse is an error at the
-- line of the spec, not a case that passes or fails.
local assert = require "luassert"
local environment_name = require "pigeon.settings.environment_name"
local explanation = require "pigeon.desk.explanation"
local queues = require "pigeon.settings.queues"
local script_loader = require "pigeon.desk.script_loader"

local testing = {}

local DEFAULTS = { bucket = "crashes", event_name = "ObjectCreated:Put", source = "aws:s3" }

local FIELDS = {
  bucket = "string", event_name = "string", key = "string", region = "string", sequencer = "string", size = "number",
  source = "string", time = "string", version_id = "string",
}
local SETTINGS = { PIGEON_ENV = "string", PIGEON_QUEUE = "string" }

local Rules = {} -- the metatable of what load() returned

-- ------------------------------------------------------------------------ misuse

local OWN = debug.getinfo(1, "S").source

-- Raises what is wrong, at the line that called this module or luassert.
local function misuse(message, ...)
  local level = 2
  local caller = debug.getinfo(level, "S")
  while caller and (caller.source == OWN or caller.what == "C" or caller.source:find("luassert", 1, true)) do
    level = level + 1
    caller = debug.getinfo(level, "S")
  end
  error(message:format(...), level)
end

local function check_type(word, what, value, kind)
  if type(value) ~= kind then misuse("%s: %s a %s, but must be a %s", word, what, type(value), kind) end
end

local function check_count(arguments, word, most, list)
  if arguments.n > most then misuse("%s: too many arguments: it takes %s", word, list) end
end

local function names_in(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  local last = table.remove(names)
  return table.concat(names, ", ") .. " and " .. last
end

local function check_names(word, what, given, known)
  for name in pairs(given) do
    if not known[name] then misuse('%s: %s "%s"; there are %s', word, what, tostring(name), names_in(known)) end
  end
end

local function check_settings(settings)
  check_type("load", "the settings are", settings, "table")
  check_names("load", "there is no setting", settings, SETTINGS)
  for name, value in pairs(settings) do check_type("load", name .. " is", value, SETTINGS[name]) end
end

local function check_rules(word, rules)
  if getmetatable(rules) ~= Rules then
    misuse("%s: the rules are a %s, but must be what testing.load returned", word, type(rules))
  end
end

local function check_object(word, object)
  check_names(word, "an object has no field", object, FIELDS)
  if not object.key then misuse("%s: the object has no key", word) end
  for name, value in pairs(object) do
    if name == "size" and math.type(value) ~= "integer" then
      misuse("%s: the object's size is %s, but must be a whole number", word,
        type(value) == "number" and value or "a " .. type(value))
    end
    check_type(word, ("the object's %s is"):format(name), value, FIELDS[name])
  end
end

local function check_key(word, key)
  if type(key) == "table" then return check_object(word, key) end
  if type(key) ~= "string" then
    misuse("%s: the key is a %s, but must be a string, or a table of an object's fields", word, type(key))
  end
end

-- A list of names, each of them once.
local function check_destinations(word, list)
  if type(list) == "string" then
    misuse('%s: the destinations are a string, but must be a list: { "%s" }', word, list)
  end
  check_type(word, "the destinations are", list, "table")
  local count, seen = 0, {}
  for key in pairs(list) do
    count = count + 1
    if math.type(key) ~= "integer" then
      misuse('%s: the destinations have the key "%s", but must be a list: { "%s" }', word, tostring(key), tostring(key))
    end
  end
  for i = 1, count do
    local name = list[i]
    if name == nil then misuse("%s: the destinations have no [%d], but more entries", word, i) end
    check_type(word, ("destination %d is"):format(i), name, "string")
    if seen[name] then misuse("%s: destination %d is the same as destination %d", word, i, seen[name]) end
    seen[name] = i
  end
end

-- ------------------------------------------------------------------------ rules

local function read(path)
  local file <close>, problem = io.open(path)
  if not file then return nil, problem end
  local source, why = file:read("a")
  return source, why and path .. ": " .. why -- a folder can be opened
end

--- A script's path, and settings under their variables' names, PIGEON_QUEUE (default: "normal") and
-- PIGEON_ENV -> rules, for the other functions. Raises what is wrong with the file, a setting, or the
-- script.
function testing.load(path, ...)
  if _VERSION ~= "Lua 5.4" then misuse("rules are tested with Lua 5.4, not %s: run pigeon test", _VERSION) end
  local settings = ... or {}
  check_type("load", "the path is", path, "string")
  check_count({ n = select("#", ...) }, "load", 1, "a path and settings")
  check_settings(settings)
  local source, problem = read(path)
  if not source then misuse("%s", problem) end
  local script = { name = path:match("[^/]*$"), path = path, source = source }
  local list, env
  list, problem = queues.parse(settings.PIGEON_QUEUE or "normal")
  if not list then misuse("%s", problem) end
  env, problem = environment_name.parse(settings.PIGEON_ENV)
  if problem then misuse("%s", problem) end
  local ok, decide = pcall(script_loader.open, script, { queues = list, env = env })
  if not ok then error(decide, 0) end
  return setmetatable({ name = script.name, queues = list, decide = decide }, Rules)
end

local function object_of(key)
  local object = {}
  for name, value in pairs(DEFAULTS) do object[name] = value end
  for name, value in pairs(type(key) == "table" and key or { key = key }) do object[name] = value end
  return object
end

local function explain(word, rules, key)
  check_rules(word, rules)
  check_key(word, key)
  local object = object_of(key)
  local entry = { label = object.key, object = object }
  entry.verdict, entry.problem, entry.trace = rules.decide(object, true)
  return explanation.of(entry, rules.name, rules.queues)
end

--- Rules, and a key or an object -> its explanation: {verdict, reason, where, id, queues, messages}.
function testing.decide(rules, ...)
  check_count({ n = select("#", ...) }, "decide", 1, "rules and a key")
  return explain("decide", rules, (...))
end

-- ------------------------------------------------------------------------ assertions

-- Whether the messages go to exactly these destinations, each of which is in the list once.
local function same_destinations(list, messages)
  local expected = {}
  for _, name in ipairs(list) do expected[name] = true end
  for _, message in ipairs(messages) do
    if not expected[message.to] then return false end
  end
  return #list == #messages
end

local function same_reason(explained, reason)
  if reason and explained.reason ~= reason then return "with the reason: " .. reason end
end

-- By verdict: what it takes, the check of what was expected beside it, and what of that is not so, or nil.
local EXPECTATIONS = {
  accept = {
    takes = "rules, a key and destinations", check = check_destinations,
    wrong = function(explained, list)
      if not list then return #explained.messages == 0 and "to any queue ({} expects none)" or nil end
      if same_destinations(list, explained.messages) then return nil end
      return "to " .. (#list == 0 and "no queue" or table.concat(list, ", "))
    end,
  },
  fail = {
    takes = "rules, a key and a part of the error", what = "the part of the error is",
    wrong = function(explained, part)
      if part and not explained.reason:find(part, 1, true) then return "with an error that contains: " .. part end
    end,
  },
  defer = { takes = "rules, a key and a reason", what = "the reason is", wrong = same_reason },
  ignore = { takes = "rules, a key and a reason", what = "the reason is", wrong = same_reason },
}

-- The assertion's name and the word of a verdict -> the assertion.
local function expect(name, word)
  local expectation = EXPECTATIONS[word]
  return function(state, arguments)
    local rules, key, rest = arguments[1], arguments[2], arguments[3]
    check_count(arguments, name, 3, expectation.takes)
    if rest ~= nil and expectation.check then expectation.check(name, rest) end
    if rest ~= nil and expectation.what then check_type(name, expectation.what, rest, "string") end
    local explained = explain(name, rules, key)
    local wrong
    if explained.verdict == word then wrong = expectation.wrong(explained, rest) end
    local expected = wrong and ("%s, %s"):format(word, wrong) or word
    state.failure_message = ("Expected: %s%s\n%s"):format(state.mod and "" or "not ", expected,
      table.concat(explanation.lines(explained), "\n"))
    return explained.verdict == word and not wrong
  end
end

for name, word in pairs { accepts = "accept", defers = "defer", ignores = "ignore", fails = "fail" } do
  assert:register("assertion", name, expect(name, word))
end

return testing
