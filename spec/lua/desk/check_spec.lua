local pigeon = require "pigeon"

-- Checks a script; returns what is said of the text, of the probes, the last text and the status.
local function check(source)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  pigeon.open { command = "check", PIGEON_QUEUE = "normal,15:submitter",
    rules = { name = "rules.lua", path = path, source = source } }
  pigeon.receive("", { kind = "lines", line = 1 })
  local lint = pigeon.conclude({}, { confirmed = 0 })
  local messages = 0
  for i in ipairs(pigeon.receive("", { kind = "probes" })) do
    messages = messages + #(pigeon.decide(i) or {})
  end
  local probes = pigeon.conclude({}, { confirmed = messages })
  os.remove(path)
  return lint, probes, pigeon.finish()
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

describe("pigeon check", function()
  for _, path in ipairs { "rules/rules.lua", "rules/antenna.lua", "rules/bucket.lua" } do
    it("finds nothing in " .. path, function()
      local lint, probes, last, status = check(read(path))
      assert.equal("", lint)
      assert.equal("", probes)
      assert.matches("^rules%.lua: 35 keys decided, nothing found\n$", last)
      assert.equal(0, status)
    end)
  end

  it("finds unknown words, and unused and shadowed locals, by luacheck", function()
    local lint, _, last, status = check([[
local unused = 1
return function(object)
  local key = object.key
  if object.key == "nonsense" then return ignroe(string.rep(key)) end
  do local key = 1 if key == 2 then return ignore("x") end end
  return ignore("x")
end
]])
    assert.matches("rules%.lua:1: unused variable 'unused'\n", lint)
    assert.matches("rules%.lua:4: accessing undefined variable 'ignroe'\n", lint)
    assert.matches("rules%.lua:4: accessing undefined field 'rep' of global 'string'\n", lint)
    assert.matches("rules%.lua:5: shadowing definition of variable 'key'", lint)
    assert.matches("4 findings\n$", last)
    assert.equal(1, status)
  end)

  for _, case in ipairs {
    { "fails with awkward keys", "local name = object.key:match('^v2/.*')\nreturn ignore(name:sub(1, 3))",
      "^rules%.lua:3: attempt to index a nil value %(local 'name'%) %(key \"v1/raw_crash/[^\n]*\", and %d+ more%)\n$" },
    { "fails where an envelope tells less", "if object.size > 5 then return ignore('a') end\nreturn ignore('b')",
      "^rules%.lua:2: attempt to compare number with nil %(key \"v2/raw_crash/000/20180313/0000[^\n]*\"%)\n$" },
    { "fails by its reason's length", "return ignore(object.key)",
      "^rules%.lua:2: ignore: the reason has 1024 bytes, and should have 1 to 200 %(key \"////" },
    { "returns nothing", "if object.key == 'a' then return end\nreturn ignore('b')",
      "^rules%.lua:2: the rule returned nothing, .* %(key \"a\"%)\n$" },
    { "sets a global", "seen = {}\nreturn ignore('b')", '^rules%.lua:2: .* setting "seen"' },
  } do
    it("finds a rule that " .. case[1], function()
      local _, probes, _, status = check("return function(object)\n" .. case[2] .. "\nend\n")
      assert.matches(case[3], probes)
      assert.equal(1, status)
    end)
  end

  it("finds a rule that decides differently, and its line", function()
    local _, probes = check([[
local seen = {}
return function(object)
  if object.key ~= "a" then return ignore("other") end
  seen[#seen + 1] = true
  return ignore(#seen > 1 and "again" or "first")
end
]])
    assert.equal('rules.lua:5: decides differently the second time: ignore first, then ignore again (key "a")\n',
      probes)
  end)

  -- CPU time, so it does not matter what else runs; the sorts take 20 times as long as is allowed
  it("finds a rule that takes too long, and its line", function()
    local _, probes = check([[
local big = {}
for i = 1, 60000 do big[i] = (i * 7919) % 60013 end
return function(object)
  if object.key ~= "a" then return ignore("other") end
  local copy = {}
  for i = 1, 40000 do copy[i] = big[i] end
  for _ = 1, 10 do
    table.sort(copy)
    table.sort(copy)
  end
  return ignore("a")
end
]])
    assert.matches('^rules%.lua[:%d]*: took over 10 ms %(key "a"%)\n$', probes)
  end)
end)
