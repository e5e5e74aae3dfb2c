-- What changes C files for `make mutants`.
package.path = "./?.lua;" .. package.path
local c = require "spec.mutants.c"

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
