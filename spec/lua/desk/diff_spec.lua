local cjson = require "cjson"
local made = require "spec.support.made"
local mutants = require "spec.fixtures.mutants"
local walk = require "spec.support.walk"

local RULES = walk.read("spec/fixtures/right/rules.lua")

-- A text with another one in place of what stands in it once.
local function changed(text, from, to)
  local first, last = text:find(from, 1, true)
  assert(first and not text:find(from, last + 1, true), from)
  return text:sub(1, first - 1) .. to .. text:sub(last + 1)
end

local function diff(new, settings, stops)
  return made.run("diff", settings or {}, RULES, new, stops)
end

describe("pigeon diff", function()
  it("finds no difference between a script and itself, says that they are one, and proves nothing", function()
    local text, status = diff(RULES)
    assert.matches("^old: rules%.lua %(0123456789ab%)\nnew: new%.lua %(0123456789ab%): the same script as old\n"
      .. "no difference in %d+ objects, made from the constants of both\n", text)
    assert.matches("\nThis enumerates objects; it proves nothing about any other%.\n$", text)
    assert.equal(0, status)
  end)

  it("finds none where only the order of the destinations and the text changed", function()
    local old = "return function(o) return accept('i', { 'a', 'b' }) end"
    local new = "-- another\nreturn function(object)\n  return accept('i', { 'b', 'a' })\nend"
    local _, status = made.run("diff", {}, old, new)
    assert.equal(0, status)
  end)

  it("shows each kind of change with an object that shows it, the most frequent first", function()
    local accepts_0 = changed(RULES, '["0"] = "defer"', '["0"] = "accept"')
    local text, status = diff(changed(accepts_0, '"junk annotation"', '"junk"'))
    assert.matches("\n%d+ of %d+ objects, made from the constants of both, change; kinds of change: 3\n", text)
    assert.matches("\n +%d+  ignore: junk annotation %-> ignore: junk\n +v2/raw_crash/[^\n]*2180313\n", text)
    assert.matches("\n +%d+  defer: deferred by the collector %-> accept: normal\n +v2/raw_crash/[^\n]*0180313\n", text)
    local counts = {}
    for count in text:gmatch("\n +(%d+)  ") do counts[#counts + 1] = tonumber(count) end
    for i = 2, #counts do assert.is_true(counts[i - 1] >= counts[i]) end
    assert.equal(1, status)
    for line in text:gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
  end)

  it("uses the constants of both scripts", function()
    for _, text in ipairs { "rules/antenna.lua", "rules/bucket.lua" } do
      local other = walk.read(text)
      local _, there = made.run("diff", {}, RULES, other)
      local _, back = made.run("diff", {}, other, RULES)
      assert.same({ 1, 1 }, { there, back })
    end
  end)

  it("is JSON Lines for a program", function()
    local text, status = diff(changed(RULES, "accept(id, destinations)", "accept(object.key, {})"), { json = true })
    local lines = {}
    for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = cjson.decode(line) end
    local summary = table.remove(lines).summary
    assert.equal(2, #lines)
    assert.same({ verdict = "accept", destinations = { "normal", "submitter" } }, lines[1].old)
    assert.same({ verdict = "accept", destinations = {} }, lines[1].new)
    assert.is_true(lines[1].another_id)
    assert.equal("crashes", lines[1].example.bucket)
    assert.equal(lines[1].count + lines[2].count, summary.differences)
    assert.same({ 2, 0, 0 }, { summary.kinds, summary.both_fail, summary.skipped })
    assert.same({ name = "new.lua", hash = "0123456789ab" }, summary.new)
    assert.equal(1, status)
  end)

  it("counts what fails in both, which is not a difference", function()
    local fails = "return function(o) return ignore(o.size > 5 and 'a' or 'b') end"
    local text, status = made.run("diff", {}, fails, "-- another\n" .. fails)
    assert.matches("\nno difference in %d+ objects", text)
    assert.matches("\n%d+ objects fail in both scripts; pigeon check shows why\n", text)
    assert.equal(0, status)
  end)

  it("has status 2 where each object fails in both, since nothing was compared", function()
    local text, status = made.run("diff", {}, "return function(o) return o.a.b end",
      "return function(o) error('x') end")
    assert.matches("\nnothing to compare: each of %d+ objects, made from the constants of both, fails\n", text)
    assert.is_nil(text:find("no difference", 1, true))
    assert.equal(2, status)
  end)

  it("takes a stop for a failure of the script that was stopped", function()
    local why = "rules.lua\nkept the processor for 1 s\n"
    local text, status = diff(RULES, {}, { [2] = { why } })
    assert.matches("\n +1  fail: rules%.lua: kept the processor for 1 s %-> ", text)
    assert.equal(1, status)
    text, status = diff(RULES, {}, { [2] = { "the shadow script new.lua\nkept the processor for 1 s\n", true } })
    assert.matches("\n +1  [^\n]* %-> fail: new%.lua: kept the processor for 1 s\n", text)
    assert.equal(1, status)
  end)

  it("has status 2 where it found none, but not all objects were decided", function()
    local text, status = made.with_clock(11, diff, RULES)
    assert.matches("\nonly 100 of %d+ objects were decided: they took 11 s of CPU\n", text)
    assert.equal(2, status)
  end)

  -- 31 of the 32; the other one compares a sample with a throttle by <= in place of <
  for i, mutant in ipairs(mutants) do
    it(("%s mutant %d of rules.lua"):format(mutant.same and "cannot tell" or "tells", i), function()
      local _, status = diff(changed(RULES, mutant[1], mutant[2]))
      assert.equal(mutant.same and 0 or 1, status, ("%s -> %s"):format(mutant[1], mutant[2]))
    end)
  end

  it("has 32 mutants, and tells all but one", function()
    local same = 0
    for _, mutant in ipairs(mutants) do same = same + (mutant.same and 1 or 0) end
    assert.same({ 32, 1 }, { #mutants, same })
  end)
end)
