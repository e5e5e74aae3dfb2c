local mutation = require "pigeon.desk.mutation"
local sandbox = require "pigeon.rules.sandbox"
local verdict = require "pigeon.rules.verdict"

local RULES = 'return function(o)\n  if o.size == 700 then return ignore("x") end\n  return defer("y")\nend\n'
local SETTINGS = { queues = { { name = "normal", throttle = 100 } } }

local function plain_open(script, settings)
  return sandbox.open(script, settings, verdict.judge)
end

-- A script as the recorder has it after the spec of a person.
local function recorded(source)
  local recorder = mutation.recorder(plain_open)
  recorder.begin_file("a_spec.lua")
  recorder.open({ name = "rules.lua", path = "rules/rules.lua", source = source }, SETTINGS)
  return recorder.scripts[1]
end

-- Tries the mutants; passes(decide) is the spec. Returns the result, and what progress was told.
local function try(source, passes)
  local script, open, seen = recorded(source), nil, {}
  local function failure(files)
    assert.same({ "a_spec.lua" }, files)
    local ok, decide = pcall(open, { name = "rules.lua", path = "rules/rules.lua", source = source }, SETTINGS)
    if not ok or not passes(decide) then return "failed" end
  end
  local result = mutation.try(script, function(new) open = new end, failure, function(number, count)
    seen[#seen + 1] = ("%d of %d"):format(number, count)
  end)
  return result, seen
end

local function is_deferred(decide)
  local decided = decide { key = "k", size = 1 }
  return decided and decided.kind == "defer" and decided.reason == "y"
end

local function all_is_right(decide)
  local decided = decide { key = "k", size = 700 }
  return is_deferred(decide) and decided and decided.kind == "ignore" and decided.reason == "x"
end

describe("pigeon.desk.mutation", function()
  it("lists what the specs do not notice, with what they have to look at", function()
    local result, seen = try(RULES, is_deferred)
    assert.equal("1 of 9", seen[1])
    assert.equal("9 of 9", seen[#seen])
    local lines, share = mutation.report { result }
    assert.equal("rules/rules.lua: 4 of 9 mutants killed (44.4 %); no spec kills:", lines[1])
    assert.equal(44.4, share)
    assert.equal("  rules/rules.lua:2", lines[2])
    assert.equal('    -   if o.size == 700 then return ignore("x") end', lines[3])
    assert.equal("      ignore: x  ->  defer: y", lines[4])
    assert.matches("^      key [^,]+, size 700$", lines[5])
    assert.equal('    +   if o.size == 701 then return ignore("x") end', lines[8])
  end)

  it("has 100 % where the specs notice all", function()
    local lines, share = mutation.report { (try(RULES, all_is_right)) }
    assert.same({ "rules/rules.lua: 9 of 9 mutants killed (100 %)" }, lines)
    assert.equal(100, share)
  end)

  it("does not count what decides the same", function()
    local same = 'local unused = 5\nreturn function(o) return ignore("x") end'
    local lines, share = mutation.report { (try(same, function() return true end)) }
    assert.equal("rules/rules.lua: 0 of 3 mutants killed (0 %); 2 more decide like the script; no spec kills:",
      lines[1])
    assert.equal(0, share)
    lines = mutation.report { (try("return function(o) return nil end", function() return true end)) }
    assert.same({ "rules/rules.lua: 0 of 0 mutants killed (100 %); 1 more decides like the script" }, lines)
  end)

  it("kills what never ends", function()
    local result = try("return function(o) local i = 0 while i < 3 do i = i + 1 end return ignore('x') end",
      function(decide) return decide { key = "k" } ~= nil end)
    local alive = {}
    for i, mutant in ipairs(result.alive) do alive[i] = mutant.mutant.after end
    assert.is_nil(table.concat(alive, "\n"):find("i = i - 1", 1, true), table.concat(alive, "\n"))
    assert.is_true(result.killed >= 2)
  end)

  it("adds up the scripts", function()
    local good, bad = try(RULES, all_is_right), try(RULES, is_deferred)
    local lines, share = mutation.report { good, bad }
    assert.equal("all scripts: 13 of 18 mutants killed (72.2 %)", lines[#lines])
    assert.equal(72.2, share)
  end)

  it("says that the specs fail without a mutant, or load the script once only", function()
    local ok, problem = pcall(try, RULES, function() return false end)
    assert.is_false(ok)
    assert.equal("a second run of the specs fails without a mutant: failed", problem)
    ok, problem = pcall(mutation.try, recorded(RULES), function() end, function() end, function() end)
    assert.is_false(ok)
    assert.equal("the specs load rules/rules.lua only once in a process", problem)
  end)

  it("remembers each script with its specs and settings", function()
    local recorder = mutation.recorder(plain_open)
    local other = { queues = { { name = "normal", throttle = 5 } } }
    recorder.begin_file("a_spec.lua")
    recorder.open({ name = "a.lua", path = "a.lua", source = RULES }, SETTINGS)
    recorder.open({ name = "b.lua", path = "b.lua", source = RULES }, SETTINGS)
    recorder.begin_file("b_spec.lua")
    assert.equal("defer", recorder.open({ name = "a.lua", path = "a.lua", source = RULES }, other)({ key = "" }).kind)
    assert.is_false(pcall(recorder.open, { name = "c.lua", path = "c.lua", source = "return 1" }, other))
    assert.equal(2, #recorder.scripts)
    assert.same({ name = "a.lua", path = "a.lua", source = RULES, settings = { SETTINGS, other },
      files = { "a_spec.lua", "b_spec.lua" } }, recorder.scripts[1])
  end)

  it("remembers all specs for a script that a helper loads", function()
    local recorder = mutation.recorder(plain_open)
    recorder.open({ name = "a.lua", path = "a.lua", source = RULES }, SETTINGS)
    recorder.begin_file("a_spec.lua")
    recorder.open({ name = "a.lua", path = "a.lua", source = RULES }, SETTINGS)
    recorder.begin_file("b_spec.lua")
    assert.same({ "a_spec.lua", "b_spec.lua" }, recorder.scripts[1].files)
  end)

  it("tries each of the settings that specs use", function()
    local source = "return function() return accept('i', queues[1].throttle < 50 and { 'a' } or {}) end"
    local recorder = mutation.recorder(plain_open)
    recorder.begin_file("a_spec.lua")
    for _, throttle in ipairs { 100, 49 } do
      recorder.open({ name = "r.lua", path = "r.lua", source = source },
        { queues = { { name = "q", throttle = throttle } } })
    end
    local open
    local result = mutation.try(recorder.scripts[1], function(new) open = new end, function()
      pcall(open, { name = "r.lua", path = "r.lua", source = source }, SETTINGS)
    end, function() end)
    local after = {}
    for _, alive in ipairs(result.alive) do after[alive.mutant.after] = true end
    assert.is_true(after[source:gsub("< 50", "< 49")])
    assert.is_nil(after[source:gsub("< 50", "< 51")])
    assert.is_nil(after[source:gsub("< 50", "<= 50")])
  end)
end)
