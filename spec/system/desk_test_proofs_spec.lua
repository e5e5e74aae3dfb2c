--- pigeon test --coverage and --mutate, in a folder of somebody's rules.
local system = require "spec.support.system"

local quote = system.quote
local program = system.run(("readlink -f %s/bootstrap"):format(system.build)):gsub("\n", "")

local RULES = [[
return function(object)
  if object.size == 700 then return defer("later") end
  return ignore("small")
end
]]

local HEAD = 'local testing = require("pigeon.testing")\nlocal rules = testing.load("rules.lua")\n'
local IGNORES = 'it("ignores", function() assert.ignores(rules, "k", "small") end)\n'
local DEFERS = 'it("defers", function() assert.defers(rules, { key = "k", size = 700 }, "later") end)\n'
  .. 'it("ignores others", function() for _, size in ipairs { 699, 701 } do\n'
  .. '  assert.ignores(rules, { key = "k", size = size }, "small") end end)\n'

describe("pigeon test", function()
  local folder
  before_each(function()
    folder = system.run("mktemp -d"):gsub("\n", "")
    system.write(folder .. "/rules.lua", RULES)
  end)
  after_each(function() os.execute("rm -rf " .. quote(folder)) end)

  -- Runs a spec there. Returns the status, stdout and stderr.
  local function test(body, arguments)
    system.write(folder .. "/my_spec.lua", HEAD .. body)
    local out, err = os.tmpname(), os.tmpname()
    local _, _, status = os.execute(("cd %s && env -i PATH=/usr/bin:/bin %s test %s >%s 2>%s"):format(
      folder, program, arguments, out, err))
    local printed, said = system.read(out), system.read(err)
    os.remove(out)
    os.remove(err)
    return status, printed, said
  end

  describe("--coverage", function()
    it("lists the decisions that no spec reaches", function()
      local status, printed, said = test(IGNORES, "--coverage")
      assert.are.equal(0, status, said)
      assert.matches("1 success[^\n]*\n\nrules.lua: 2 of 4 decisions %(50 %%%); no spec reaches:\n"
        .. "  rules.lua:2: object.size == 700 is true\n  rules.lua:2: defer: later\n$", printed)
      assert.are.equal("", said)
    end)

    it("fails below a minimum", function()
      assert.are.equal(0, (test(IGNORES, "--coverage=50")))
      local status, printed, said = test(IGNORES, "--coverage=50.1 my_spec.lua")
      assert.are.equal(1, status)
      assert.matches("rules.lua: 2 of 4 decisions", printed)
      assert.are.equal("pigeon test: --coverage=50.1: 50 % of the decisions are reached\n", said)
      assert.are.equal(0, (test(IGNORES .. DEFERS, "--coverage=100")))
    end)

    it("reports after a failure too, which is the status", function()
      local status, printed = test(IGNORES .. 'it("fails", function() assert.defers(rules, "k") end)', "--coverage=100")
      assert.are.equal(1, status)
      assert.matches("1 failure.*rules%.lua:2: defer: later\n$", printed)
    end)

    it("leaves stdout to an output for programs", function()
      local status, printed, said = test(IGNORES, "--coverage -o json")
      assert.are.equal(0, status, said)
      assert.matches("^{.*}%s*$", printed)
      assert.matches("rules.lua: 2 of 4 decisions", said)
    end)

    it("writes a file for genhtml", function()
      local status, _, said = test(IGNORES, "--lcov x.info")
      assert.are.equal(0, status, said)
      assert.matches("^TN:\nSF:rules%.lua\n.*\nBRF:4\nBRH:2\n.*end_of_record\n$", system.read(folder .. "/x.info"))
      status, _, said = test(IGNORES, "--lcov nosuch/x.info")
      assert.are.equal(2, status)
      assert.matches("^pigeon test: %-%-lcov: nosuch/x.info: No such file or directory\n\nUsage: ", said)
      status, _, said = test(IGNORES, "--lcov /dev/full")
      assert.are.equal(1, status)
      assert.are.equal("pigeon test: --lcov: /dev/full: No space left on device\n", said)
    end)

    it("fails where no spec loads a script", function()
      system.write(folder .. "/my_spec.lua", "")
      local _, _, status = os.execute(("cd %s && echo 'it(\"x\", function() end)' >my_spec.lua && %s test --coverage "
        .. ">/dev/null 2>err"):format(folder, program))
      assert.are.equal(1, status)
      assert.matches("^pigeon test: %-%-coverage: no spec loaded a script", system.read(folder .. "/err"))
    end)

    it("leaves -c to busted", function()
      local status, _, said = test(IGNORES, "--coverage 90")
      assert.are.equal(2, status)
      assert.matches("^pigeon test: %-%-coverage 90: write %-%-coverage=90\n\nUsage: ", said)
      local _, printed = test(IGNORES, "--list --coverage=100")
      assert.are_not.matches("decisions", printed)
    end)
  end)

  describe("--mutate", function()
    it("lists the changes that no spec notices", function()
      local status, printed, said = test(IGNORES, "--mutate")
      assert.are.equal(0, status, said)
      assert.matches("1 success.*\nrules.lua: 4 of 9 mutants killed %(44.4 %%%); no spec kills:\n", printed)
      assert.matches('\n  rules.lua:2\n    %-   if object.size == 700 then return defer%("later"%) end\n'
        .. '    %+   if object.size == 701 then return defer%("later"%) end\n'
        .. "      defer: later  %->  ignore: small\n      key [^,\n]*, size 700\n", printed)
      assert.are.equal("", said)
    end)

    it("fails below a minimum, also together with coverage", function()
      local status, printed, said = test(IGNORES, "--mutate=45 --coverage=51")
      assert.are.equal(1, status)
      assert.matches("decisions.*mutants killed", printed)
      assert.are.equal("pigeon test: --coverage=51: 50 % of the decisions are reached\n"
        .. "pigeon test: --mutate=45: 44.4 % of the mutants are killed\n", said)
      status, printed, said = test(IGNORES .. DEFERS, "--mutate=100 --coverage=100")
      assert.are.equal(0, status, said)
      assert.matches("rules.lua: 9 of 9 mutants killed %(100 %%%)\n$", printed)
    end)

    it("is not tried where a test fails", function()
      local status, printed, said = test('it("fails", function() assert.defers(rules, "k") end)', "--mutate")
      assert.are.equal(1, status)
      assert.are_not.matches("mutant", printed)
      assert.are.equal("pigeon test: --mutate: not tried, because tests fail\n", said)
    end)

    it("prints what the specs print once", function()
      local _, printed = test(IGNORES .. 'it("prints", function() print("hello") io.write("hello") end)', "--mutate")
      assert.are.equal(2, select(2, printed:gsub("hello", "")))
    end)

    it("runs the tests that are asked for", function()
      local status, printed = test(IGNORES .. DEFERS, "--mutate --filter=ignores$")
      assert.are.equal(0, status)
      assert.matches("rules.lua: 4 of 9 mutants killed", printed)
    end)

    it("loads a helper for each mutant", function()
      system.write(folder .. "/helper.lua", HEAD .. "_G.helped = rules\n")
      system.write(folder .. "/my_spec.lua", 'it("x", function() assert.ignores(helped, "k", "small") end)\n')
      local printed = system.run(("cd %s && %s test --mutate --helper=helper.lua"):format(folder, program))
      assert.matches("rules.lua: 4 of 9 mutants killed", printed)
    end)

    it("kills mutants that never end, or take all memory", function()
      system.write(folder .. "/rules.lua", "return function()\n  local text, i = 'a', 0\n  while i < 3 do\n"
        .. "    text = text .. text\n    i = i + 1\n  end\n  return ignore(text)\nend\n")
      local body = 'it("x", function() assert.ignores(rules, "k", "aaaaaaaa") end)'
      local status, printed, said = test(body, "--mutate=100")
      assert.are.equal(0, status, printed .. said)
    end)

    it("says that a script is loaded only once", function()
      local status, _, said = test(("_G.kept = _G.kept or rules\nrules = _G.kept\n") .. IGNORES,
        "--mutate --no-auto-insulate")
      assert.are.equal(0, status, said) -- loaded, though not used
      system.write(folder .. "/once.lua", HEAD .. "return rules\n")
      system.write(folder .. "/my_spec.lua", "")
      local body = 'it("x", function() assert.ignores(rules, "k") end)'
      local _, _, code = os.execute(("cd %s && (echo 'local rules = require(\"once\")' && echo '%s') >my_spec.lua && "
        .. "%s test --mutate --no-auto-insulate --lpath './?.lua' >/dev/null 2>err"):format(folder, body, program))
      assert.are.equal(1, code)
      assert.are.equal("pigeon test: --mutate: the specs load rules.lua only once in a process\n",
        system.read(folder .. "/err"))
    end)
  end)

  it("reaches every decision of the rules that ship, and kills every mutant", function()
    local printed = system.run(program .. " test --coverage=100 --mutate=100 spec/rules") -- raises for another status
    assert.matches("all scripts: (%d+) of %1 decisions", printed)
    assert.matches("all scripts: (%d+) of %1 mutants killed", printed)
  end)
end)
