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

  it("is no success where the rules accept and defer nothing, and shows the first line", function()
    local text, status, problem = simulate {}
    assert.matches("^0 objects, by verdict\n  accept   0   0%.00 %%\n", text)
    assert.equal(1, status)
    assert.equal("the list is empty: stdin has no line with an object", problem)
    text, status, problem = simulate({ "j\n" }, { json = true })
    assert.equal(1, cjson.decode(text).verdicts.ignore)
    assert.equal(1, status)
    assert.matches("^the rules accept and defer none of 1 objects; line 1 is \"j\": ", problem)
  end)

  it("fails lines that are no keys, with the number of the first", function()
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

  local SHADOW = { name = "other.lua", source = RULES:gsub('"normal", "other"', '"normal"'):gsub('"d"', '"j"') }

  it("says what would change, with ten examples", function()
    local keys = { "d1" }
    for i = 1, 12 do keys[#keys + 1] = "a" .. i end
    local text = simulate({ table.concat(keys, "\n"), "t" }, { shadow = SHADOW })
    assert.matches("\n13 of 14 would change\n  12  accept: normal, other  %->  accept: normal\n       a1\n", text)
    assert.matches("\n       a10\n  1  defer: later  %->  ignore: junk\n       d1\n$", text)
  end)

  it("says it for a script that fails, and one that accepts another id", function()
    local text = simulate({ "t\nj\n" }, { shadow = { name = "other.lua", source =
      "return function(o)\nif o.key == 't' then return accept('di', {}) end\nerror('no')\nend" } })
    assert.matches("2 of 2 would change\n", text)
    assert.matches("  1  accept: no queue  %->  accept: no queue\n       t\n", text)
    assert.matches("  1  ignore: junk  %->  fail: other%.lua:3: no\n       j\n", text)
  end)

  it("says of how many the other script was not asked", function()
    pigeon.open { command = "simulate", PIGEON_QUEUE = "normal", width = 40, rules = { name = "r", source = RULES } }
    pigeon.open_shadow(SHADOW)
    pigeon.receive("j1\nj2\nd\n", { kind = "lines", line = 1 })
    for i = 1, 3 do pigeon.decide(i) end
    pigeon.decide(3, true)
    pigeon.conclude({}, { confirmed = 0 })
    assert.matches("\n1 of 3 would change\n  2 not decided by the other script: out of time\n  1  defer",
      (pigeon.finish()))
  end)

  it("is JSON where a program reads it", function()
    local text = simulate({ "a\nd\nj\n" }, { json = true, shadow = SHADOW })
    local told = cjson.decode(text)
    assert.equal(3, told.objects)
    assert.same({ accept = 1, defer = 1, ignore = 1, fail = 0 }, told.verdicts)
    assert.same({ normal = 1, other = 1 }, told.queues)
    assert.equal(1, told.reasons.defer.later)
    assert.equal(3, told.changed)
    assert.same({ change = "accept: normal, other  ->  accept: normal", count = 1, examples = { "a" } },
      told.changes[1])
    assert.matches('"changes":%[%]', (simulate({ "x" }, { json = true, shadow = SHADOW })))
  end)
end)
