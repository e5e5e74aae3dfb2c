local constants = require "pigeon.source.constants"
local coverage = require "pigeon.desk.coverage"
local objects = require "pigeon.source.objects"
local sandbox = require "pigeon.rules.sandbox"
local source = require "pigeon.source"
local verdict = require "pigeon.rules.verdict"

local QUEUES = { { name = "normal", throttle = 100 }, { name = "submitter", throttle = 15 } }

-- The counters of `make coverage` spend the script's budget, too: then this case is left out.
local it_uncounted = os.getenv "COVERAGE" and function() end or it

local RULES = [[
return function(object)
  if object.size and object.size > 7 then return ignore("large") end
  local destinations = {}
  for _, queue in ipairs(queues) do
    if object.key ~= queue.name then destinations[#destinations + 1] = queue.name end
  end
  return accept("id", destinations)
end
]]

local function script_of(text, path)
  return { name = "rules.lua", path = path or "rules/rules.lua", source = text }
end

-- The report after these objects.
local function report(text, list)
  local counted = coverage.new()
  local decide = counted.open(script_of(text), { queues = QUEUES })
  for _, object in ipairs(list) do decide(object) end
  local lines, share, complete = coverage.report(counted.scripts)
  return lines, share, complete, counted
end

describe("pigeon.desk.coverage", function()
  it("lists what was not reached, in the order of the text", function()
    local lines, share, complete = report(RULES, { { key = "normal", size = 1 } })
    assert.same({
      "rules/rules.lua: 6 of 9 decisions (66.6 %); no spec reaches:",
      "  rules/rules.lua:2: object.size is false",
      "  rules/rules.lua:2: object.size > 7 is true",
      "  rules/rules.lua:2: ignore: large",
    }, lines)
    assert.equal(66.6, share)
    assert.is_true(complete)
  end)

  it("has 100 % for all of them, and no less", function()
    local lines, share = report(RULES, { { key = "normal", size = 1 }, { key = "k" }, { key = "k", size = 8 } })
    assert.same({ "rules/rules.lua: 9 of 9 decisions (100 %)" }, lines)
    assert.equal(100, share)
    lines = report("return function() return ignore('x') end", {})
    assert.equal("rules/rules.lua: 0 of 1 decisions (0 %); no spec reaches:", lines[1])
  end)

  it("does not count a verdict that raised, nor a destination that is nil", function()
    local lines = report("return function() local d = {} d[1] = nil return accept(1, d) end", { { key = "k" } })
    assert.same({
      "rules/rules.lua: 0 of 2 decisions (0 %); no spec reaches:",
      "  rules/rules.lua:1: destination nil",
      "  rules/rules.lua:1: accept(1, d)",
    }, lines)
  end)

  it("adds up loads of the same script, and tells scripts apart", function()
    local counted = coverage.new()
    local by_size = "return function(o) if o.size then return ignore('s') end return ignore('n') end"
    counted.open(script_of(by_size), { queues = QUEUES })({ key = "k" })
    counted.open(script_of(by_size), { queues = QUEUES })({ key = "k", size = 1 })
    counted.open(script_of("return function() return ignore('x') end", "other.lua"), { queues = QUEUES })
    assert.same({
      "rules/rules.lua: 4 of 4 decisions (100 %)",
      "other.lua: 0 of 1 decisions (0 %); no spec reaches:",
      "  other.lua:1: ignore: x",
      "all scripts: 4 of 5 decisions (80 %)",
    }, (coverage.report(counted.scripts)))
  end)

  it("counts what runs while the script loads, with the settings", function()
    local by_env = "local name = env or 'none' return function() return ignore(name) end"
    local counted = coverage.new()
    counted.open(script_of(by_env), { queues = QUEUES, env = "prod" })
    assert.same({
      "rules/rules.lua: 1 of 3 decisions (33.3 %); no spec reaches:",
      "  rules/rules.lua:1: env is false",
      "  rules/rules.lua:1: ignore(name)",
    }, (coverage.report(counted.scripts)))
  end)

  -- What a person who tests sees is what the script does without coverage.
  it("changes no verdict, line, error or budget", function()
    local budget = "return function(o) local i = 0 while i < %d do i = i + 1 end return ignore('done') end"
    for _, text in ipairs {
      RULES, budget:format(200000), budget:format(400000), "return function() return error('x') end",
      "return function(o)\n return o.nonsense\nend", "return function() return accept(1) end",
      "return function(o)\n if o.size == nil then\n return ignore(count) end\n end",
    } do
      local counting = coverage.new().open(script_of(text), { queues = QUEUES })
      local plain = sandbox.open(script_of(text), { queues = QUEUES }, verdict.judge)
      for _, closely in ipairs { false, true } do
        local decided, problem, trace = counting({ key = "k" }, closely)
        local expected, expected_problem, expected_trace = plain({ key = "k" }, closely)
        assert.same(expected, decided)
        assert.equal(expected_problem, problem)
        assert.equal(expected_trace and expected_trace.line, trace and trace.line)
      end
    end
  end)

  it_uncounted("counts to the end of the script's budget", function()
    local lines = report("return function(o) local i = 0 while i < 200000 do i = i + 1 end return ignore('done') end",
      { { key = "k" } })
    assert.same({ "rules/rules.lua: 3 of 3 decisions (100 %)" }, lines)
  end)

  it("raises what a script that does not load raises", function()
    for _, text in ipairs { "return 1", "return return", "error('x')" } do
      local counted = coverage.new()
      local _, expected = pcall(sandbox.open, script_of(text), { queues = QUEUES }, verdict.judge)
      local ok, problem = pcall(counted.open, script_of(text), { queues = QUEUES })
      assert.is_false(ok)
      assert.equal(expected, problem)
      assert.same({}, counted.scripts)
    end
  end)

  -- The deepest expression that loads; with a call in it, it does not.
  it("says where it cannot count, which is not complete", function()
    local function nested(depth)
      return ("return function(o) return ignore(%so.key or 'x'%s) end"):format(("("):rep(depth), (")"):rep(depth))
    end
    local depth = 100
    while pcall(sandbox.open, script_of(nested(depth + 1)), { queues = QUEUES }, verdict.judge) do depth = depth + 1 end
    local lines, share, complete = report(nested(depth), { { key = "k" } })
    assert.equal(1, #lines)
    assert.matches("^rules/rules%.lua: its decisions cannot be counted: .*nested more than 200 deep", lines[1])
    assert.equal(0, share)
    assert.is_false(complete)
  end)

  for _, path in ipairs { "spec/fixtures/right/rules.lua", "rules/antenna.lua", "rules/bucket.lua" } do
    it("counts every decision of " .. path .. " over the objects that it tells apart", function()
      local file <close> = assert(io.open(path))
      local text = file:read("a")
      local list = objects.of(constants.of((source.parse(text, path))), QUEUES)
      local counted = coverage.new()
      local decide = counted.open(script_of(text, path), { queues = QUEUES })
      for number = 1, list.count, 1 + list.count // 3000 do decide(list.at(number)) end
      local lines, share = coverage.report(counted.scripts)
      assert.equal(100, share, table.concat(lines, "\n"))
    end)
  end

  it("writes lcov's lines: each decision is a branch", function()
    local _, _, _, counted = report(RULES, { { key = "normal", size = 1 } })
    assert.equal([[
TN:
SF:rules/rules.lua
BRDA:5,9,0,1
BRDA:2,10,0,1
BRDA:2,10,1,0
BRDA:2,11,0,0
BRDA:2,11,1,1
BRDA:5,12,0,1
BRDA:5,12,1,1
BRDA:2,13,0,-
BRDA:7,14,0,1
BRF:9
BRH:6
DA:1,1
DA:2,1
DA:3,1
DA:4,1
DA:5,2
DA:7,1
LF:6
LH:6
end_of_record
]], coverage.lcov(counted.scripts))
  end)
end)
