local mutants = require "pigeon.source.mutants"

-- What the script becomes, in the order of the text.
local function texts(script)
  local list = {}
  for i, mutant in ipairs((assert(mutants.of(script, "rules.lua")))) do list[i] = mutant.text end
  return list
end

-- A script, and what it becomes.
local CASES = {
  { "local x = a == b", "local x = a ~= b" },
  { "local x = a ~= b", "local x = a == b" },
  { "local x = a < b", "local x = a <= b", "local x = a >= b" },
  { "local x = a <= b", "local x = a < b", "local x = a > b" },
  { "local x = a > b", "local x = a >= b", "local x = a <= b" },
  { "local x = a >= b", "local x = a > b", "local x = a < b" },
  { "local x = 7", "local x = 8", "local x = 6" },
  { "local x = 0", "local x = 1" },
  { "local x = 0x10", "local x = 17", "local x = 15" },
  { "local x = a + b", "local x = a - b" },
  { "local x = a * b", "local x = a / b" },
  { 'local x = "put"', 'local x = "puu"' },
  { 'local x = "0"', 'local x = "1"' },
  { 'local x = "v2/"', 'local x = "v2/x"' },
  { "local x = 'a\\nz'", 'local x = "a\\nzx"' },
  { 'local x = f"a"', 'local x = f"b"' },
  { "local x = true", "local x = false" },
  { "local x = false", "local x = true" },
  { "local x = a.b.c" },
  { "local x = { b = c }" },
  { "local x = a and b", "local x =  not a and b", "local x = a or b" },
  { "local x = not a", "local x =  a" },
  { "while a do end", "", "while  not a do end" },
  { "local x = sample(id, s) < t", "local x = sample(id, s) <= t", "local x = sample(id, s) >= t",
    "local x = sample(id, s) < t + 1", "local x = sample(id, s) < t - 1" },
  { "local x = t > sample(id, s)", "local x = t + 1 > sample(id, s)", "local x = t - 1 > sample(id, s)",
    "local x = t >= sample(id, s)", "local x = t <= sample(id, s)" },
  { "return ignore(x)", "return defer(x)" },
  { "return defer(x)", "return ignore(x)" },
  { "return accept(x, y)", 'return ignore("not accepted")' },
  { "return x" },
  { "x = y", "" },
  { "f(x)\ng(\ny)", "\ng(\ny)", "f(x)\n\n" },
  { "if a then b() end", "", "if  not a then b() end" },
  { "if a then b() c() end", "", "if  not a then b() c() end", "if a then  c() end", "if a then b()  end" },
  { "if a then b() else c() end", "", "if  not a then b() else c() end", "if a then  else c() end",
    "if a then b() else  end" },
  { "local function f() return x end", "local function f()  end" },
  { "#!lua\nlocal x = true", "#!lua\nlocal x = false" },
}

describe("pigeon.source.mutants", function()
  for _, case in ipairs(CASES) do
    it("changes " .. case[1], function()
      assert.same({ table.unpack(case, 2) }, texts(case[1]))
    end)
  end

  it("says which lines differ", function()
    local list = mutants.of("local y\nif x\nthen\n  y = 1\n  f()\nend\nlocal z = y ==\n  x\n", "rules.lua")
    local shown = {}
    for i, mutant in ipairs(list) do shown[i] = ("%d|%s|%s"):format(mutant.line, mutant.before, mutant.after) end
    assert.same({
      "2|if x\nthen\n  y = 1\n  f()\nend|", "2|if x|if  not x", "4|  y = 1|", "4|  y = 1|  y = 2", "4|  y = 1|  y = 0",
      "5|  f()|", "7|local z = y ==|local z = y ~=",
    }, shown)
  end)

  it("makes mutants that load, none twice", function()
    for _, path in ipairs { "spec/fixtures/right/rules.lua", "rules/antenna.lua", "rules/bucket.lua" } do
      local file <close> = assert(io.open(path))
      local text = file:read("a")
      local known, list = { [text] = true }, texts(text)
      for _, mutated in ipairs(list) do
        assert(load(mutated))
        assert.is_nil(known[mutated])
        known[mutated] = true
      end
      assert.is_true(#list > 40)
    end
  end)

  it("has none of what does not parse", function()
    local list, problem = mutants.of("return return", "rules.lua")
    assert.is_nil(list)
    assert.equal(1, problem.line)
  end)
end)
