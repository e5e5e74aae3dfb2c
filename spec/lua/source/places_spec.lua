local places = require "pigeon.source.places"
local source = require "pigeon.source"

-- What stands at each place of a kind, in the order of the text.
local function shown(script, kind)
  local tree, problem = source.parse(script, "rules.lua")
  assert.is_nil(problem and problem.what)
  local list = {}
  for i, place in ipairs(places.of(tree)[kind]) do
    local node = place.node or place
    list[i] = script:sub(node.first, node.last)
  end
  return list
end

describe("pigeon.source.places", function()
  for script, expected in pairs {
    ["if a then end"] = { "a" },
    ["if a == 1 then elseif b then end"] = { "a == 1", "b" },
    ["if a and not b or (c) then end"] = { "a", "b", "c" },
    ["while a do end repeat until b"] = { "a", "b" },
    ["local x = a and b or c"] = { "a", "b" },
    ["local x = a or 0"] = { "a" },
    ["local x = (a or 0) > 1 and 2 or 3"] = { "(a or 0) > 1", "a" },
    ["local x = a < b"] = { "a < b" },
    ["return a ~= b"] = { "a ~= b" },
    ["local x = not a"] = { "a" },
    ["if f(a) or t.x or s:find('x') then end"] = { "f(a)", "t.x", "s:find('x')" },
    ["while true do break end"] = {},
    ["if 1 or 'x' or {} or #a or a .. b or a + 1 or function() end then end"] = {},
    ["local x = a"] = {},
    ["for i = 1, a do end"] = {},
  } do
    it("finds what can be true or false: " .. script, function()
      assert.same(expected, shown(script, "conditions"))
    end)
  end

  it("finds verdicts, also under another name", function()
    assert.same({ 'ignore("x")', "no(why)", "accept(id, {})" }, shown([[
      local no = ignore
      local function f(why) if why then ignore("x") end return no(why) end
      return function() return accept(id, {}), f(), object.defer("x") end]], "verdicts"))
    assert.same({}, shown("local function defer() end return defer()", "verdicts"))
  end)

  for script, expected in pairs {
    ['return accept(id, { "a", exchange("b", "c") })'] = { '"a"', 'exchange("b", "c")' },
    ["local d = {} d[1] = q.name return accept(id, d)"] = { "q.name" },
    ["local d = {} d[#d + 1], d[2] = a, b return accept(id, d)"] = { "a", "b" },
    ["local d = {} d[1], d[2] = f() return accept(id, d)"] = {},
    ["local d = {} table.insert(d, a) table.insert(d, 1, b) return accept(id, d)"] = { "a", "b" },
    ["return function() local d = { a } d = { b } return accept(id, d) end"] = { "a", "b" },
    ["local ALL = { a } return function() return accept(id, ALL) end"] = {},
    ["return accept(id, { f() })"] = {},
    ["local d, e = {}, {} e[1] = a return accept(id, d)"] = {},
  } do
    it("finds what is put into a list for accept: " .. script, function()
      assert.same(expected, shown(script, "destinations"))
    end)
  end

  it("finds each statement", function()
    assert.same({ "local a = 1", "a = 2", "f(a)", "while a do break end", "break" },
      shown("local a = 1 a = 2 f(a) while a do break end", "statements"))
  end)
end)
