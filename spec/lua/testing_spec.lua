local testing = require "pigeon.testing"

local SOURCE = [[
return function(object)
  if object.key == "accept" then return accept("id", { "normal", exchange("e", "r") }) end
  if object.key == "none" then return accept("id", {}) end
  if object.key == "defer" then return defer("later") end
  if object.key == "where" then return ignore(object.bucket .. " " .. object.event_name) end
  return error("boom")
end
]]

local path

local function load_source(source, settings)
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  return testing.load(path, settings)
end

-- The message of a failing assertion.
local function complaint(call, ...)
  local ok, why = pcall(call, ...)
  assert.is_false(ok)
  return tostring(why)
end

describe("pigeon.testing", function()
  local rules
  setup(function() path = os.tmpname() end)
  teardown(function() os.remove(path) end)
  before_each(function() rules = load_source(SOURCE, { PIGEON_QUEUE = "normal" }) end)

  it("accepts, with all destinations in any order, or whichever", function()
    assert.accepts(rules, "accept", { "e/r", "normal" })
    assert.accepts(rules, "accept", { "normal", "e/r" })
    assert.accepts(rules, "accept")
    assert.accepts(rules, "none", {})
    assert.is_not.accepts(rules, "none")
    assert.is_not.accepts(rules, "accept", { "normal" })
    assert.is_not.accepts(rules, "none", { "normal" })
    assert.is_not.accepts(rules, "defer")
  end)

  it("defers, ignores and fails, and looks at the reason", function()
    assert.defers(rules, "defer")
    assert.defers(rules, "defer", "later")
    assert.is_not.defers(rules, "defer", "sooner")
    assert.is_not.defers(rules, "accept")
    assert.is_not.accepts(rules, "accept", { "e/r, normal" })
    assert.ignores(rules, "where", "crashes ObjectCreated:Put")
    assert.ignores(rules, { key = "where", bucket = "b", event_name = "e" }, "b e")
    assert.fails(rules, "x")
    assert.fails(rules, "x", "oo")
    assert.is_not.fails(rules, "x", "boo!")
    assert.is_not.fails(rules, "accept")
  end)

  it("shows the explanation where one fails", function()
    assert.matches("Expected: accept, to other\naccept\n  accept id  %(lua_%w+:2%)\n  normal  sample ",
      complaint(assert.accepts, rules, "accept", { "other" }))
    assert.matches("Expected: accept, to no queue\n", complaint(assert.accepts, rules, "accept", {}))
    assert.matches("Expected: accept, to any queue %({} expects none%)\nnone\n",
      complaint(assert.accepts, rules, "none"))
    assert.matches("Expected: defer\nx\n  fail: boom  %(lua_%w+:6%)", complaint(assert.defers, rules, "x"))
    assert.matches("Expected: defer, with the reason: no\ndefer\n  defer: later",
      complaint(assert.defers, rules, "defer", "no"))
    assert.matches("Expected: fail, with an error that contains: bang\n", complaint(assert.fails, rules, "x", "bang"))
    assert.matches("Expected: not defer\n", complaint(assert.is_not.defers, rules, "defer"))
  end)

  it("gives the decision for other questions", function()
    local told = testing.decide(rules, "accept")
    assert.equal("id", told.id)
    assert.equal("e", told.messages[2].exchange)
  end)

  it("has the settings that are given", function()
    local by_env = load_source("return function() return ignore((env or 'none') .. queues[1].name) end")
    assert.ignores(by_env, "k", "nonenormal")
    by_env = load_source("return function() return ignore(env .. queues[1].name) end",
      { PIGEON_ENV = "prod", PIGEON_QUEUE = "5:q" })
    assert.ignores(by_env, "k", "prodq")
  end)

  it("raises what is wrong with a file, a setting, or the script", function()
    assert.matches("/nonsense: No such file", complaint(testing.load, "/nonsense"))
    assert.matches('entry 2 of "a,,b" is empty', complaint(load_source, SOURCE, { PIGEON_QUEUE = "a,,b" }))
    assert.matches("^lua_%w+:2: ", complaint(load_source, "\nreturn funktion() end"))
  end)
end)

-- Each misuse as a line of somebody's spec, and what is wrong with it.
local MISUSES = {
  { "testing.load()", "load: the path is a nil, but must be a string" },
  { "testing.load('/tmp')", "/tmp: Is a directory" },
  { "testing.load('/nonsense')", "/nonsense: No such file or directory" },
  { "testing.load(path, 'normal')", "load: the settings are a string, but must be a table" },
  { "testing.load(path, { PIGEON_QUEU = 'a' })",
    'load: there is no setting "PIGEON_QUEU"; there are PIGEON_ENV and PIGEON_QUEUE' },
  { "testing.load(path, { 'normal' })", 'load: there is no setting "1"; there are PIGEON_ENV and PIGEON_QUEUE' },
  { "testing.load(path, { PIGEON_QUEUE = { 'a' } })", "load: PIGEON_QUEUE is a table, but must be a string" },
  { "testing.load(path, { PIGEON_QUEUE = 'a,,b' })", 'PIGEON_QUEUE: entry 2 of "a,,b" is empty' },
  { "testing.load(path, { PIGEON_ENV = 'a b' })", 'PIGEON_ENV: "a b" has a space at position 2' },
  { "testing.load(path, {}, 1)", "load: too many arguments: it takes a path and settings" },
  { "testing.decide('rules.lua', 'k')", "decide: the rules are a string, but must be what testing.load returned" },
  { "testing.decide(rules)", "decide: the key is a nil, but must be a string, or a table of an object's fields" },
  { "testing.decide(rules, { bucket = 'b' })", "decide: the object has no key" },
  { "testing.decide(rules, 'k', 'accept')", "decide: too many arguments: it takes rules and a key" },
  { "assert.accepts({}, 'k')", "accepts: the rules are a table, but must be what testing.load returned" },
  { "assert.accepts('k', rules)", "accepts: the rules are a string, but must be what testing.load returned" },
  { "assert.accepts(rules)", "accepts: the key is a nil, but must be a string, or a table of an object's fields" },
  { "assert.accepts(rules, nil, {})",
    "accepts: the key is a nil, but must be a string, or a table of an object's fields" },
  { "assert.accepts(rules, { keys = 'none' })",
    'accepts: an object has no field "keys"; there are bucket, event_name, key, region, sequencer, size, source, '
      .. 'time and version_id' },
  { "assert.accepts(rules, { key = 'none', [1] = 2 })", 'accepts: an object has no field "1"; there are bucket, ' },
  { "assert.accepts(rules, { key = 'none', size = '1' })",
    "accepts: the object's size is a string, but must be a whole number" },
  { "assert.accepts(rules, { key = 'none', size = 1.5 })",
    "accepts: the object's size is 1.5, but must be a whole number" },
  { "assert.accepts(rules, { key = 'none', bucket = 1 })",
    "accepts: the object's bucket is a number, but must be a string" },
  { "assert.accepts(rules, 'none', 'submitter')",
    'accepts: the destinations are a string, but must be a list: { "submitter" }' },
  { "assert.accepts(rules, 'none', { normal = true })",
    'accepts: the destinations have the key "normal", but must be a list: { "normal" }' },
  { "assert.accepts(rules, 'none', { [2] = 'a' })", "accepts: the destinations have no [1], but more entries" },
  { "assert.accepts(rules, 'none', { {} })", "accepts: destination 1 is a table, but must be a string" },
  { "assert.accepts(rules, 'accept', { 'normal', 'normal' })", "accepts: destination 2 is the same as destination 1" },
  { "assert.accepts(rules, 'accept', 'normal', 'e/r')",
    "accepts: too many arguments: it takes rules, a key and destinations" },
  { "assert.is_not.accepts(rules, 'none', 'submitter')", "accepts: the destinations are a string" },
  { "assert.defers(rules, 'defer', { 'later' })", "defers: the reason is a table, but must be a string" },
  { "assert.ignores(rules, 'where', 1)", "ignores: the reason is a number, but must be a string" },
  { "assert.ignores(rules, 'where', 'a', 'b')", "ignores: too many arguments: it takes rules, a key and a reason" },
  { "assert.fails(rules, 'x', {})", "fails: the part of the error is a table, but must be a string" },
  { "assert.has_no.fails(rules, 'x', 1)", "fails: the part of the error is a number, but must be a string" },
}

describe("misuse of pigeon.testing", function()
  local rules
  setup(function() path = os.tmpname() end)
  teardown(function() os.remove(path) end)
  before_each(function() rules = load_source(SOURCE, { PIGEON_QUEUE = "normal" }) end)

  for _, case in ipairs(MISUSES) do
    it("is told at its own line: " .. case[1], function()
      local environment = { assert = assert, testing = testing, rules = rules, path = path }
      local spec = assert(load("\n\n" .. case[1] .. "\n", "@my_spec.lua", "t", environment))
      local said = complaint(spec)
      assert.equal("my_spec.lua:3: ", said:sub(1, 15))
      assert.is_truthy(said:find(case[2], 1, true), said)
    end)
  end
end)
