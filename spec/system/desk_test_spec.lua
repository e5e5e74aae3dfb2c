--- pigeon test: busted for people who test rules, in a folder of theirs.
local system = require "spec.support.system"
local zip = require "spec.support.zip"

local quote = system.quote
local PIGEON = system.build .. "/bootstrap "
local KEY = "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313"

describe("pigeon test", function()
  local folder
  before_each(function()
    folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("cp rules/rules.lua %s"):format(folder))
  end)
  after_each(function() os.execute("rm -rf " .. quote(folder)) end)

  local program = system.run(("readlink -f %s"):format(PIGEON)):gsub("\n", "")
  local HEAD = 'local testing = require("pigeon.testing")\nlocal rules = testing.load("rules.lua")\n'

  -- Runs specs in a folder that has nothing but the rules and this one. Returns the status, and stdout
  -- (unless that is written `to` a file) with stderr.
  local function test(body, arguments, env, to)
    system.write(folder .. "/my_spec.lua", HEAD .. body .. "\n")
    local out = os.tmpname()
    local _, _, status = os.execute(("cd %s && env -i PATH=/usr/bin:/bin %s %s test %s 2>%s %s"):format(
      folder, env or "", program, arguments or "", out, to and ">" .. to or ">&2"))
    local said = system.read(out)
    os.remove(out)
    return status, said
  end

  local ACCEPTS = ("it('x', function() assert.accepts(rules, %q, { 'normal' }) end)"):format(KEY)

  it("runs specs in anybody's folder, and fails where one does", function()
    local status, said = test(ACCEPTS)
    assert.are.equal(0, status, said)
    assert.matches("1 success", said)
    local defers = ("it('x', function() assert.defers(rules, %q) end)"):format(KEY)
    status, said = test(defers .. defers, "my_spec.lua")
    assert.are.equal(1, status)
    assert.matches("Expected: defer\n[^\n]+\n  accept 00007bd0%-", said)
    assert.matches("2 failures", said)
  end)

  it("is Lua 5.4, with the modules that are in the program", function()
    local status, said = test([[it('x', function()
      assert.equal("Lua 5.4", _VERSION)
      assert.equal("@lua/pigeon/testing.lua", debug.getinfo(testing.load, "S").source)
    end)]])
    assert.are.equal(0, status, said)
  end)

  it("makes a first spec beside any rules, which then passes", function()
    for _, rules in ipairs { "rules", "antenna", "bucket" } do
      os.execute(("rm -rf %s/spec && cp rules/%s.lua %s/rules.lua"):format(folder, rules, folder))
      local said = system.run(("cd %s && PIGEON_QUEUE=normal,15:submitter %s test --init ."):format(folder, program))
      assert.matches("^%./spec/rules_spec%.lua\n", said)
      said = system.run(("cd %s && %s test"):format(folder, program))
      assert.matches("3 successes / 0 failures", said)
    end
    local status, said = test("", "--init")
    assert.are.equal(2, status)
    assert.matches("pigeon test: --init takes one folder\n", said, 1, true)
    status, said = test("", "--init nosuch")
    assert.are.equal(1, status)
    assert.matches("pigeon test: nosuch/rules.lua: No such file or directory\n", said, 1, true)
  end)

  zip.only(it)("needs no more than an unpacked zip, beside which the specs are", function()
    os.remove(folder .. "/rules.lua")
    system.run(("BUILD=build bin/build/package rules/rules.lua %s/p.zip"):format(folder))
    system.run(("cd %s && unzip -q p.zip && rm p.zip"):format(folder))
    local from_repository = program
    program = "./bootstrap"
    local status, said = test(ACCEPTS)
    program = from_repository
    assert.are.equal(0, status, said)
    assert.matches("1 success", said)
    assert.are.equal("LICENSES\nbootstrap\nmy_spec.lua\nrules.lua\nsbom.cdx.json\n", system.run("ls -A " .. folder))
  end)

  for name, body in pairs {
    ["an empty spec"] = "",
    ["a pending test alone"] = "pending('x')",
    ["a describe without a test"] = "describe('x', function() end)",
  } do
    it("fails where no test runs: " .. name, function()
      local status, said = test(body)
      assert.are.equal(1, status, said)
      assert.matches("pigeon test: no test ran[^\n]*\n$", said)
    end)
  end

  it("fails where there is no spec, and says what writes one", function()
    local said = system.run(("cd %s && %s test 2>&1; echo $?"):format(folder, program))
    assert.matches("No test files found[^\n]*\n", said)
    assert.matches("pigeon test: no spec was read; pigeon test %-%-init %. writes the first one", said)
    assert.matches("\n1\n$", said)
  end)

  it("fails where a spec has no test, though another has", function()
    system.write(folder .. "/other_spec.lua", HEAD)
    local status, said = test(ACCEPTS)
    assert.are.equal(1, status, said)
    assert.matches("1 success", said)
    assert.matches("pigeon test: %./other_spec%.lua has no test\n$", said)
    assert.are.equal(0, (test(ACCEPTS, "my_spec.lua")))
  end)

  it("fails for more failures than a status can count", function()
    local status, said = test("for i = 1, 256 do it('x' .. i, function() error('x') end) end")
    assert.are.equal(1, status)
    assert.matches("256 errors", said)
  end)

  it("fails where a spec ends the run before its end", function()
    for _, code in ipairs { "", "0", "true", "256" } do
      local exit = "os.exit(" .. code .. ")"
      for body, line in pairs {
        ["it('x', function() " .. exit .. " end)\nit('y', function() error('z') end)"] = 3,
        [ACCEPTS .. "\n" .. exit] = 4,
      } do
        local status, said = test(body)
        assert.are.equal(1, status, said)
        assert.matches(("my_spec.lua:%d: a spec called os.exit, which would end the run before all tests are done")
          :format(line), said, 1, true)
      end
    end
    system.write(folder .. "/helper.lua", "os.exit()\n")
    assert.are.equal(1, (test(ACCEPTS, "--helper=helper.lua")))
    assert.are.equal(0, (test("it('x', function() local e = stub(os, 'exit') os.exit(0) e:revert() end)")))
  end)

  it("refuses what is not a spec", function()
    system.write(folder .. "/README.md", "# Rules\n")
    local status, said = test(ACCEPTS, "my_spec.lua README.md")
    assert.are.equal(2, status, said)
    assert.matches("^pigeon test: README%.md is not a spec; name a file that ends in %.lua, or a folder\n\nUsage: ",
      said)
    status, said = test(ACCEPTS, "-o TAP nosuch_spec.lua")
    assert.are.equal(2, status, said)
    assert.matches("^pigeon test: nosuch_spec%.lua: No such file or directory\n\nUsage: ", said)
    status, said = test(ACCEPTS, "--repeat x")
    assert.are.equal(2, status, said)
    assert.matches("^pigeon test: argument to %-%-repeat must be a number\n\nUsage: ", said)
  end)

  describe("hands on busted's own options:", function()
    local two = "it('first one #slow', function() end)\nit('second one', function() end)"
    for arguments, expected in pairs {
      ["--filter 'second one'"] = "1 success",
      ["--filter-out=second my_spec.lua"] = "1 success",
      ["--tags slow"] = "1 success",
      ["--exclude-tags slow ."] = "1 success",
      ["--output TAP"] = "ok 1 %- first one",
      ["-o TAP my_spec.lua"] = "ok 1 %- first one",
      ["--shuffle --seed 7"] = "2 successes",
      ["--repeat 2"] = "Repeating all tests",
      ["--list"] = "second one\n$",
      ["--pattern my_ ."] = "2 successes",
      ["--version"] = "^%d",
    } do
      it(arguments, function()
        local status, said = test(two, arguments)
        assert.are.equal(0, status, said)
        assert.matches(expected, said)
      end)
    end

    it("a --filter that fits no test is a failure", function()
      local status, said = test(two, "--filter third")
      assert.are.equal(1, status, said)
      assert.matches("pigeon test: no test ran; busted's filters [^\n]*\n$", said)
    end)

    it("a folder to change to", function()
      local status, said = test(two, "-C . my_spec.lua")
      assert.are.equal(0, status, said)
      status, said = test(two, "-C / my_spec.lua")
      assert.are.equal(2, status, said)
      assert.matches("^pigeon test: /my_spec%.lua: No such file", said)
    end)
  end)

  it("fails where its output cannot be written", function()
    for _, option in ipairs { "", "-o TAP", "--list" } do
      local status, said = test(ACCEPTS, option, "", "/dev/full")
      assert.are.equal(1, status, said)
      assert.matches("pigeon test: the output could not be written completely: No space left on device\n$", said)
    end
  end)

  it("ends quietly where its output is no longer read", function()
    local status, said = test("for i = 1, 5000 do it('x' .. i, function() end) end", "-o TAP", "",
      "/dev/stdout | head -n1 >/dev/null")
    assert.are.equal(0, status)
    assert.are.equal("", said)
  end)

  it("fails at the line of the spec for misuse", function()
    local status, said = test(("it('x', function() assert.accepts(rules, %q, 'submitter') end)"):format(KEY))
    assert.are.equal(1, status)
    assert.matches("my_spec%.lua:3: accepts: the destinations are a string, but must be a list", said)
  end)

  it("says what is missing", function()
    local status, said = test(ACCEPTS, "", "LUA_PATH_5_4=/nonsense/?.lua")
    assert.are.equal(1, status)
    assert.matches("^pigeon test: busted for Lua 5.4 is missing: apt%-get install ", said)
    status, said = test(ACCEPTS, "", "PATH=/nonsense")
    assert.are.equal(1, status)
    assert.matches("^pigeon test: lua5.4: No such file or directory; apt%-get install ", said)
  end)
end)
