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

  for _, command in ipairs { "explain", "simulate", "event", "test" } do
    it(command .. " says how it is used", function()
      local status, said = run(command .. " --help")
      assert.are.equal(0, status)
      assert.matches("^Usage: pigeon " .. command, said)
    end)
  end

  for _, arguments in ipairs {
    "explain --nonsense", "explain --rules", "explain --rules /nonsense k", "event",
    "simulate k", "simulate --against /nonsense", "event --nonsense", "nonsense",
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

describe("pigeon simulate", function()
  -- 2,500 lines: keys, then rows of an inventory, then an event of two objects.
  local function list()
    local lines = {}
    for i = 1, 1500 do lines[i] = system.key(system.id(i)) end
    for i = 1501, 2499 do lines[i] = ('"crashes","%s","","true"'):format(system.key(system.id(i))) end
    local event = system.run(PIGEON .. "event s3 --key x --key " .. system.key(system.id(2500)))
    lines[2500] = event:gsub("\n", "")
    return file_of(table.concat(lines, "\n"))
  end

  it("counts keys, rows of an inventory and events, over several batches", function()
    local keys = list()
    local status, said, complained = run("simulate <" .. keys)
    assert.are.equal(0, status)
    assert.matches("^2501 objects, by verdict\n  accept +2500  99.96 %% #", said)
    assert.matches("\n  ignore: not a raw crash +1 ", said)
    assert.matches("\n  normal +2500 ", said)
    assert.are.equal("", complained) -- no terminal
    os.remove(keys)
  end)

  it("compares with another script", function()
    local keys = file_of(KEY)
    local status, said = run("simulate --against rules/antenna.lua <" .. keys)
    os.remove(keys)
    assert.are.equal(0, status)
    assert.matches("\n1 of 1 would change\n  1  accept: normal  %->  defer: deferred by the collector\n", said)
  end)

  it("shows how far it is on a terminal", function()
    local keys = list()
    local command = ("PIGEON_QUEUE=normal %s simulate <%s >/dev/null"):format(PIGEON, keys)
    local said = system.run(("script -qec '%s' /dev/null"):format(command))
    assert.matches("%[#+ *%] +%d+ %%  1000 lines, %d+/s", said)
    os.remove(keys)
  end)

  it("says what the input lacks", function()
    local status, _, complained = run("simulate </")
    assert.are.equal(1, status)
    assert.matches("^pigeon simulate: stdin: Is a directory", complained)
  end)
end)
