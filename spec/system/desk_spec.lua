--- bin/pigeon COMMAND: what people run on their desk.
local cjson = require "cjson"
local system = require "spec.support.system"

local quote = system.quote
local PIGEON = system.build .. "/bootstrap "
local KEY = "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313"

-- Runs the program without a configuration but these variables: status, stdout, stderr.
local function run(arguments, env)
  local out, err, words = os.tmpname(), os.tmpname(), {}
  for name, value in pairs(env or { PIGEON_QUEUE = "normal" }) do
    words[#words + 1] = name .. "=" .. quote(value)
  end
  local _, _, status = os.execute(("env -i PATH=\"$PATH\" %s %s%s >%s 2>%s"):format(
    table.concat(words, " "), PIGEON, arguments, out, err))
  local said, complained = system.read(out), system.read(err)
  os.remove(out)
  os.remove(err)
  return status, said, complained
end

local function file_of(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

describe("pigeon", function()
  it("says on one screen what it can", function()
    local status, said = run("--help")
    assert.are.equal(0, status)
    local lines = select(2, said:gsub("\n", ""))
    assert.is_true(lines <= 24, lines .. " lines")
    for line in said:gmatch("[^\n]+") do
      assert.is_true(#line <= 80, line)
    end
  end)

  for _, command in ipairs { "explain", "event", "test" } do
    it(command .. " says how it is used", function()
      local status, said = run(command .. " --help")
      assert.are.equal(0, status)
      assert.matches("^Usage: pigeon " .. command, said)
    end)
  end

  for _, arguments in ipairs {
    "explain --nonsense", "explain --rules", "explain --rules /nonsense k", "event", "event --nonsense", "nonsense",
  } do
    it(arguments .. " is misuse", function()
      local status, said, complained = run(arguments .. " </dev/null")
      assert.are.equal(2, status)
      assert.are.equal("", said)
      assert.matches("^pigeon[^\n]*: [^\n]+\n\nUsage: pigeon", complained)
    end)
  end
end)

describe("pigeon explain", function()
  it("explains keys by the repository's rules, and assumes a queue", function()
    local status, said, complained = run("explain " .. KEY .. " junk", {})
    assert.are.equal(0, status)
    assert.matches("\n  accept 00007bd0%-[^\n]* %(rules%.lua:27%)\n  normal  sample ", said)
    assert.matches("\njunk\n  ignore: not a raw crash  %(rules%.lua:12%)\n$", said)
    assert.matches("PIGEON_QUEUE is not set", complained)
    local _, _, silence = run("explain " .. KEY)
    assert.are.equal("", silence)
  end)

  it("explains an event, and what fails has status 1", function()
    local rules = file_of("return function(object) return ignore(object.reason) end")
    local status, said = run(("event sqs --key a | %s explain --rules %s"):format(PIGEON, rules))
    assert.are.equal(1, status)
    assert.matches('^a\n  fail: an object has no "reason"  %(lua_%w+:1%)\n$', said)
    os.remove(rules)
  end)

  it("takes the rules beside the program first", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("cp %sbootstrap %s && cp rules/antenna.lua %s/rules.lua"):format(system.build .. "/", folder, folder))
    local said = system.run(("%s/bootstrap explain --json %s 2>/dev/null"):format(folder, KEY))
    assert.are.equal("defer", cjson.decode(said).verdict)
    os.execute("rm -rf " .. quote(folder))
  end)

  it("says what is wrong with the rules or a setting, and decides nothing", function()
    local rules = file_of("\nreturn funktion() end")
    local status, said, complained = run("explain k --rules " .. rules)
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.matches("^pigeon explain: lua_%w+:2: ", complained)
    os.remove(rules)
    status, said, complained = run("explain k", { PIGEON_QUEUE = "a,,b" })
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.matches('PIGEON_QUEUE: entry 2 of "a,,b" is empty', complained)
  end)
end)

describe("pigeon test", function()
  local folder
  before_each(function()
    folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("cp rules/rules.lua %s"):format(folder))
  end)
  after_each(function() os.execute("rm -rf " .. quote(folder)) end)

  -- Runs the specs in a folder that has nothing but the rules and this one.
  local function test(body, arguments)
    local file = assert(io.open(folder .. "/my_spec.lua", "w"))
    file:write('local testing = require("pigeon.testing")\nlocal rules = testing.load("rules.lua")\n', body, "\n")
    file:close()
    local program = system.run(("readlink -f %s"):format(PIGEON)):gsub("\n", "")
    local out = os.tmpname()
    local _, _, status = os.execute(("cd %s && %s test %s >%s 2>&1"):format(folder, program, arguments or "", out))
    local said = system.read(out)
    os.remove(out)
    return status, said
  end

  it("runs specs in anybody's folder, and fails where one does", function()
    local status, said = test(("it('x', function() assert.accepts(rules, %q, { 'normal' }) end)"):format(KEY))
    assert.are.equal(0, status, said)
    assert.matches("1 success", said)
    status, said = test(("it('x', function() assert.defers(rules, %q) end)"):format(KEY), "my_spec.lua")
    assert.are.equal(1, status)
    assert.matches("Expected: defer\n[^\n]+\n  accept 00007bd0%-", said)
  end)

  it("is Lua 5.4, with the modules that are in the program", function()
    local status, said = test([[it('x', function()
      assert.equal("Lua 5.4", _VERSION)
      assert.matches("^pigeon", debug.getinfo(testing.load, "S").source:sub(2))
    end)]])
    assert.are.equal(0, status, said)
  end)
end)
