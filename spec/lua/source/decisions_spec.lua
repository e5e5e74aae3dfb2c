local decisions = require "pigeon.source.decisions"

-- A script's decisions, without statements: "line kind text".
local function listed(script)
  local list = {}
  for _, item in ipairs(decisions.of(script, "rules.lua").items) do
    if item.kind ~= "statement" then list[#list + 1] = ("%d %s %s"):format(item.line, item.kind, item.text) end
  end
  table.sort(list)
  return list
end

-- Runs a script's new text. Returns its results and which items were called, with their values.
local function run(script, globals)
  local made = decisions.of(script, "rules.lua")
  local calls = {}
  globals[made.name] = function(number, value)
    local item = made.items[number]
    calls[#calls + 1] = item.kind == "statement" and item.line or ("%s %s"):format(item.text, tostring(value))
    return value
  end
  return { assert(load(made.text, "=script", "t", globals))() }, calls
end

describe("pigeon.source.decisions", function()
  it("lists verdicts with their reasons, destinations and conditions", function()
    assert.same({
      "1 condition object.size", "1 verdict ignore: empty", "2 verdict defer(why \"x\")", "4 destination q",
      "5 verdict accept(id, d)",
    }, listed('if object.size then return ignore("empty") end\nlocal x = defer(why  "x")\nlocal d = {}\n'
      .. "d[1] = q\nreturn accept(id, d)"))
  end)

  it("shows what is long in 60 bytes, and in one line", function()
    assert.same({ "1 condition a == b", "3 condition a == " .. ("b"):rep(52) .. "..." },
      listed("return a ==\nb,\na == " .. ("b"):rep(80)))
  end)

  it("counts each in the order in which it runs, and passes the value on", function()
    local results, calls = run("local a = x or 5\nif a == 5 and not y then\n  return f(a)\nend", {
      f = function(a) return a, a end,
    })
    assert.same({ 5, 5 }, results)
    assert.same({ 1, "x nil", 2, "a == 5 true", "y nil", 3 }, calls)
  end)

  it("keeps the lines", function()
    local script = "#!lua\nlocal a = {\n 1,\n}\nif a == 1\n or a then\n return debug.getinfo(1, 'l').currentline end"
    local made = decisions.of(script, "rules.lua")
    assert.equal(select(2, script:gsub("\n", "")), select(2, made.text:gsub("\n", "")))
    assert.equal("#!lua\n", made.text:sub(1, 6))
  end)

  it("takes a name that the script does not have", function()
    assert.equal("count", decisions.of("return a", "rules.lua").name)
    assert.equal("count__", decisions.of("local count_ = counts return count_", "rules.lua").name)
  end)

  for _, script in ipairs {
    "if(a)then end", 'if"a"==b then end', "local x = y\nlocal z = 1;(f)()", "::l:: if a then goto l end",
    "repeat local x = a until x", "return ... or 1", "return function(...) return ... and 1 end",
    "if a--[[c]]then--x\nend", "return(a==b)and c", "do local _ENV = {} if a then a() end end",
    "local x <const> = 1 return x", "if a then return end", "if a then return; end", "return [[\n]]==a",
    "return not not a", "for _, x in f() do if x then break end end", "return a == b == c", "return -a == b ^ c",
  } do
    it("makes a text that loads, from " .. script, function()
      assert(load(script))
      assert(load(decisions.of(script, "rules.lua").text))
    end)
  end

  it("does not count what does not parse", function()
    local made, problem = decisions.of("return\nreturn x y", "rules.lua")
    assert.is_nil(made)
    assert.equal(2, problem.line)
  end)
end)
