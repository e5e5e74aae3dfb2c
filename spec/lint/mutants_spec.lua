-- What changes C files for `make mutants`.
package.path = "./?.lua;" .. package.path
local c = require "spec.mutants.c"
local step = require "spec.mutants.step"

local function changed_lines(text)
  local lines = {}
  for i, mutant in ipairs(c.of(text)) do lines[i] = (mutant.after:gsub("^%s+", "")) end
  return lines
end

local CASES = {
  { "a comparison", "a = b == c;", { ";", "a = b != c;" } },
  { "an order", "return a < b;", { "return a <= b;", "return a >= b;" } },
  { "and, with its operands", "return a && b;", { "return a || b;" } },
  { "a condition", "if (a) return;", { "if (!(a)) return;" } },
  { "a condition with calls", "while (f(a)) continue;", { "while (!(f(a))) continue;" } },
  { "a negation", "return !a;", { "return a;" } },
  { "a number", "return 7;", { "return 8;" } },
  { "a word", "return true;", { "return false;" } },
  { "a sum, and not a sign", "return a + -b;", { "return a - -b;" } },
  { "a call", "f(a);", { ";" } },
  { "a call over two lines", "f(a,\n  b);", { ";" } },
  { "a jump", "break;", { ";" } },
  { "no declaration", "int a = b;", {} },
  { "no text, comment or directive", 'g = "a == 1"; /* a == b */ // a == b\n#if A == 1 \\\n && B\n', { ";" } },
  { "no character", "return a != ';';", { "return a == ';';" } },
  { "a number in another base", "return 0x10 | x;", { "return 17 | x;" } },
}

describe("a mutant of C changes", function()
  for _, case in ipairs(CASES) do
    it(case[1], function()
      local lines = changed_lines("void f(void) {\n" .. case[2] .. "\n}\n")
      for i, line in ipairs(lines) do lines[i] = line:gsub("%s*/%*.*", "") end
      assert.same(case[3], lines)
    end)
  end

  it("nothing outside of functions", function()
    assert.same({}, c.of "int a = 1;\nint f(int x);\n")
  end)

  it("one place, and keeps all other bytes", function()
    local text = "int f(int a) {\n  return a + 1;\n}\n"
    local texts = {}
    for i, mutant in ipairs(c.of(text)) do texts[i] = mutant.text end
    assert.same({ "int f(int a) {\n  return a - 1;\n}\n", "int f(int a) {\n  return a + 2;\n}\n" }, texts)
  end)
end)

describe("a step of make mutants", function()
  local log = os.tmpname()
  local function run(command, seconds) return step.run(command, "spec", log, seconds or 60) end

  teardown(function() os.remove(log) end)

  it("ends well or badly, in its folder, and what it says is kept", function()
    assert.equal("well", run "echo \"it's here\"; test -d mutants")
    assert.equal("badly", run "test -d spec")
    assert.equal("badly", run "kill $$")
    assert.equal("it's here\n", io.open(log):read "a")
  end)

  it("that takes too long has not failed", function()
    assert.equal("too long", run("sleep 600", 1))
    assert.equal("too long", run "exit 137") -- timeout(1) had to kill it
  end)

  it("is ended by ^C, with all that it started", function()
    -- The signal goes where a terminal sends it: to the group of the shell that runs the step.
    local script = ([[local command = "sleep 600 & echo $! >%s; kill -INT -$(ps -o sid= $$ | tr -d \" \"); wait"
      print(require("spec.mutants.step").run(command, ".", "/dev/null", 60))]]):format(log)
    local pipe <close> = io.popen(("LUA_PATH='./?.lua;;' setsid --wait env --default-signal=INT lua5.4 -e '%s'")
      :format(script))
    assert.equal("interrupted\n", pipe:read "a")
    local pid = assert(io.open(log)):read "n"
    local function is_gone()
      local stat <close> = io.open(("/proc/%d/stat"):format(pid))
      return not stat or stat:read("a"):find "%) Z"
    end
    for _ = 1, 600 do -- a signal takes a moment
      if is_gone() then break end
      os.execute "sleep 0.1"
    end
    assert.truthy(is_gone(), "sleep still runs")
  end)

  local function verdict(...)
    local ends, commands = { ... }, {}
    local words = step.verdict({ { "a", 1 }, { "b", 2 }, { "c", 3 } }, function(command)
      commands[#commands + 1] = command
      return ends[command]
    end)
    return { words, #commands }
  end

  it("decides what becomes of a change", function()
    assert.same({ "NOT SEEN", 3 }, verdict("well", "well", "well"))
    assert.same({ "seen by b", 2 }, verdict("well", "badly"))
    assert.same({ "TOO LONG: b", 2 }, verdict("well", "too long"))
    assert.same({ "interrupted", 1 }, verdict "interrupted")
  end)
end)
