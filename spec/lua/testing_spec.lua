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
    assert.is_not.accepts(rules, "accept", { "normal" })
    assert.is_not.accepts(rules, "none", { "normal" })
    assert.is_not.accepts(rules, "defer")
  end)

  it("defers, ignores and fails, and looks at the reason", function()
    assert.defers(rules, "defer")
    assert.defers(rules, "defer", "later")
    assert.is_not.defers(rules, "defer", "sooner")
    assert.is_not.defers(rules, "accept")
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
