local cjson = require "cjson"
local pigeon = require "pigeon"

local RULES = [[
return function(object)
  local kind = object.key:sub(1, 1)
  if kind == "a" then return accept("id", { "normal", "other" }) end
  if kind == "t" then return accept("id", {}) end
  if kind == "d" then return defer("later") end
  if kind == "f" then error("boom") end
  return ignore("junk")
end
]]

-- Simulates lists of keys, each a batch; returns the text and the status.
local function simulate(batches, more)
  local settings = {
    command = "simulate", PIGEON_QUEUE = "normal", width = 40, rules = { name = "rules.lua", source = RULES },
  }
  local shadow
  for name, value in pairs(more or {}) do
    if name == "shadow" then shadow = value else settings[name] = value end
  end
  pigeon.open(settings)
  if shadow then pigeon.open_shadow(shadow) end
  for _, keys in ipairs(batches) do
    local messages = 0
    local labels = pigeon.receive(keys, { kind = "lines", line = 1 })
    for i in ipairs(labels) do messages = messages + #(pigeon.decide(i, false) or {}) end
    for i in ipairs(shadow and labels or {}) do pigeon.decide(i, true) end
    pigeon.rest_shadow()
    assert.equal("", (pigeon.conclude({}, { confirmed = messages })))
  end
  return pigeon.finish()
end

describe("pigeon simulate", function()
  it("counts by verdict, reason and queue, over all batches", function()
    local text, status = simulate { "a1\na2\nd\n", "j1\nj2\nj3\nt\nf\n" }
    assert.equal([[
8 objects, by verdict
  accept   3  37.50 % #######
  defer    1  12.50 % ###
  ignore   3  37.50 % #######
  fail     1  12.50 % ###
by reason
  defer: later            1  12.50 % ##
  ignore: junk            3  37.50 % ####
  fail: rules.lua:6: boom 1  12.50 % ##
by queue
  normal     2  25.00 % ####
  other      2  25.00 % ####
  (no queue) 1  12.50 % ##
]], text)
    assert.equal(1, status)
  end)

  it("has status 0 where nothing failed", function()
    local _, status = simulate { "a\nj\n" }
    assert.equal(0, status)
    _, status = simulate { "d\n" }
    assert.equal(0, status)
  end)

  it("fails where the rules accept and defer nothing, and shows the first line", function()
    local text, status, problem = simulate {}
    assert.matches("^0 objects, by verdict\n  accept   0   0%.00 %%\n", text)
    assert.equal(1, status)
    assert.equal("the list is empty: stdin has no line with an object", problem)
    text, status, problem = simulate({ "j\n" }, { json = true })
    assert.equal(1, cjson.decode(text).verdicts.ignore)
    assert.equal(1, status)
    assert.matches("^the rules accept and defer none of 1 objects; line 1 is \"j\": ", problem)
  end)

  it("fails lines that are not keys, with the number of the first", function()
    local ids = "00007bd0-2d1c-4865-af09-80bc01180313\n00007bd0-2d1c-4865-af09-80bc01180314"
    local text, status, problem = simulate { "a\n" .. ids }
    assert.matches("\n  fail %(first: line 2%): a crash id alone; %-%-ids [^\n]* 2 ", text)
    assert.equal(1, status)
    assert.is_nil(problem)
    text = simulate({ ids }, { json = true })
    local reason, count = next(cjson.decode(text).reasons.fail)
    assert.matches("^a crash id alone", reason)
    assert.equal(2, count)
    assert.equal(1, cjson.decode(text).lines[reason])
  end)

  it("does not count what is not in the bucket, and says how much that is", function()
    local rows = '"b","a","v","true","false"\n"b","x","v","true","true"\n"b","a","u","false","false"'
    assert.matches("^1 objects.*\nnot counted: 2 rows of older versions or deleted objects\n", (simulate { rows }))
    assert.equal(2, cjson.decode((simulate({ rows }, { json = true }))).not_counted)
  end)

  it("does not grow with made-up reasons", function()
    local keys = {}
    for i = 1, 3000 do keys[i] = "k" .. i end
    local text = simulate({ table.concat(keys, "\n") },
      { rules = { name = "rules.lua", source = "return function(o) return ignore(o.key) end" } })
    assert.matches("\n  ignore: %(others%) +2000 ", text)
    assert.equal(1000, select(2, text:gsub("\n  ignore: k", "\n  ignore: k")))
  end)

  local OTHER = {
    name = "rules.lua", path = "new/rules.lua", hash = "0123456789ab",
    source = RULES:gsub('"normal", "other"', '"normal"'):gsub('"d"', '"j"'),
  }
  local HASHED = { name = "rules.lua", path = "rules.lua", hash = "ba9876543210", source = RULES }

  it("compares verdicts, reasons and queues, says which script is which, and gives three examples", function()
    local keys = { "d1" }
    for i = 1, 12 do keys[#keys + 1] = "a" .. i end
    local text, status = simulate({ table.concat(keys, "\n"), "t" }, { shadow = OTHER, rules = HASHED })
    assert.equal([[
old: rules.lua (ba9876543210)
new: new/rules.lua (0123456789ab)
14 objects, by verdict       old       new  difference
  accept                      13        13
  defer                        1         0          -1
  ignore                       0         1          +1
  fail                         0         0
by reason                    old       new  difference
  defer: later                 1         0          -1
  ignore: junk                 0         1          +1
by queue                     old       new  difference
  normal                      12        12
  other                       12         0         -12
  (no queue)                   1         1
13 of 14 would change
  12  accept: normal, other  ->  accept: normal
       a1
       a2
       a3
  1  defer: later  ->  ignore: junk
       d1
]], text)
    assert.equal(0, status)
  end)

  it("gives more examples where more are wanted", function()
    local keys = {}
    for i = 1, 12 do keys[i] = "a" .. i end
    local text = simulate({ table.concat(keys, "\n") }, { shadow = OTHER, examples = 11 })
    assert.matches("\n       a11\n$", text)
  end)

  it("has status 1 where either script failed", function()
    local fails = { name = "new.lua", source = "return function(o) if o.key == 'j' then error('no') end return "
      .. "ignore('junk') end" }
    local text, status = simulate({ "k\nj\n" }, { shadow = fails })
    assert.matches("\n  fail +0 +1 +%+1\n", text)
    assert.matches("\n  fail: new%.lua:1: no +0 +1 +%+1\n", text)
    assert.matches("  1  ignore: junk  %->  fail: new%.lua:1: no\n       j\n", text)
    assert.equal(1, status)
    local ignores = { name = "new.lua", source = "return function() return ignore('x') end" }
    text, status = simulate({ "f\n" }, { shadow = ignores })
    assert.matches("\n  fail +1 +0 +%-1\n", text)
    assert.equal(1, status)
  end)

  it("names another id, and both ids of the examples", function()
    local text, status = simulate({ "t\n" }, { shadow = { name = "new.lua", source =
      "return function(o) return accept('di', {}) end" } })
    assert.matches("\n1 of 1 would change\n"
      .. "  1  accept: no queue  %->  accept: no queue, with another id\n       t  %(id %-> di%)\n$", text)
    assert.equal(0, status)
  end)

  it("counts a queue and an exchange of the same text apart", function()
    local text = simulate({ "k\n" }, {
      rules = { name = "old.lua", source = "return function() return accept('id', { 'x/y' }) end" },
      shadow = { name = "new.lua", source = "return function() return accept('id', { exchange('x', 'y') }) end" },
    })
    assert.matches('\n  "x/y" +1 +0 +%-1\n  x/y +0 +1 +%+1\n1 of 1 would change\n'
      .. '  1  accept: "x/y"  %->  accept: x/y\n       k\n$', text)
  end)

  it("counts what is not an object on both sides", function()
    local event = cjson.encode { Records = { { eventSource = "aws:other" } } }
    local text, status = simulate({ event .. "\nt" }, { shadow = OTHER })
    assert.matches("\n  ignore +1 +1\n", text)
    assert.matches("\n0 of 2 would change\n$", text)
    assert.equal(0, status)
    text, status = simulate({ '{"Records":[{"eventSource":"aws:s3"}]}' }, { shadow = OTHER })
    assert.matches("\n  fail +1 +1\n", text)
    assert.matches("\n  fail %(first: line 1%): [^\n]+ 1 +1\n", text)
    assert.equal(1, status)
  end)

  it("has no complaint about a list of which one of two scripts accepts something", function()
    local ignores = { name = "old.lua", source = "return function() return ignore('x') end" }
    local accepts = { name = "new.lua", source = "return function() return accept('id', {}) end" }
    local _, status, problem = simulate({ "k\n" }, { rules = ignores, shadow = accepts })
    assert.equal(0, status)
    assert.is_nil(problem)
    _, status, problem = simulate({ "k\n" }, { rules = ignores, shadow = ignores })
    assert.equal(1, status)
    assert.matches("^the rules accept and defer none of 1 objects; ", problem)
  end)

  it("says of how many the other script was not asked, and has status 1", function()
    pigeon.open { command = "simulate", PIGEON_QUEUE = "normal", width = 40, rules = { name = "r", source = RULES } }
    pigeon.open_shadow(OTHER)
    pigeon.receive("j1\nj2\nd\n", { kind = "lines", line = 1 })
    for i = 1, 3 do pigeon.decide(i) end
    pigeon.decide(3, true)
    pigeon.conclude({}, { confirmed = 0 })
    local text, status = pigeon.finish()
    assert.matches("\n  ignore +2 +1 +%-1\n", text)
    assert.matches("\n1 of 3 would change\n  2 not decided by the new script\n  1  defer", text)
    assert.equal(1, status)
  end)

  it("does not forget a new script that was switched off", function()
    pigeon.open { command = "simulate", PIGEON_QUEUE = "normal", width = 40, rules = HASHED }
    pigeon.open_shadow(OTHER)
    pigeon.receive("j1\n", { kind = "lines", line = 1 })
    pigeon.decide(1)
    pigeon.open_shadow(nil)
    pigeon.conclude({}, { confirmed = 0 })
    local text, status = pigeon.finish()
    assert.matches("^old: rules.lua %(ba9876543210%)\nnew: new/rules.lua ", text)
    assert.matches("\n0 of 1 would change\n  1 not decided by the new script\n$", text)
    assert.equal(1, status)
  end)

  it("is JSON where a program reads it", function()
    local text = simulate({ "a\nd\nj\n" }, { json = true, rules = HASHED, shadow = OTHER })
    local told = cjson.decode(text)
    assert.equal(3, told.objects)
    assert.same({ accept = 1, defer = 1, ignore = 1, fail = 0 }, told.verdicts)
    assert.same({ normal = 1, other = 1 }, told.queues)
    assert.equal(1, told.reasons.defer.later)
    assert.same({ name = "rules.lua", hash = "ba9876543210" }, told.rules)
    assert.same({
      objects = 3, rules = { name = "new/rules.lua", hash = "0123456789ab" },
      verdicts = { accept = 1, defer = 1, ignore = 1, fail = 0 }, queues = { normal = 1 },
      reasons = { accept = {}, defer = { later = 1 }, ignore = { junk = 1 }, fail = {} },
    }, told.new)
    assert.equal(3, told.changed)
    assert.equal(0, told.skipped)
    assert.same({ change = "accept: normal, other  ->  accept: normal", count = 1, examples = { "a" } },
      told.changes[1])
    assert.matches('"changes":%[%]', (simulate({ "x" }, { json = true, shadow = OTHER })))
    assert.is_nil(cjson.decode((simulate({ "x" }, { json = true }))).new)
  end)
end)
