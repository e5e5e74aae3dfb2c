local difference = require "pigeon.desk.difference"

local RULES = [[
return function(object)
  if object.size and object.size > 700 then return ignore("large") end
  local id = crash_id(object.key)
  if not id then return ignore("no id") end
  local destinations = {}
  for _, queue in ipairs(queues) do
    if sample(id, queue.name) < queue.throttle then destinations[#destinations + 1] = queue.name end
  end
  return accept(id, destinations)
end
]]

-- The first difference after this change of the text.
local function change(from, to, throttle)
  local first, last = RULES:find(from, 1, true)
  assert(first, from)
  return difference.between({ name = "a.lua", source = RULES },
    { name = "b.lua", source = RULES:sub(1, first - 1) .. to .. RULES:sub(last + 1) },
    { queues = { { name = "normal", throttle = throttle or 15 } } })
end

describe("pigeon.desk.difference", function()
  for from, to in pairs {
    ["> 700"] = ">= 700", ["700"] = "701", ['"large"'] = '"huge"', ['ignore("no id")'] = 'defer("no id")',
    ["queue.throttle"] = "queue.throttle + 1", ["queue.name end"] = '"other" end', ["accept(id"] = 'accept("x"',
    ["if object.size and"] = "if",
  } do
    it(("sees %s -> %s"):format(from, to), function()
      local found = change(from, to)
      assert.not_equal(found.from, found.to)
      assert.is_string(found.object.key)
      assert.is_true(found.fields.size)
    end)
  end

  it("has both decisions and the object", function()
    local found = change("> 700", ">= 700")
    assert.matches("^ignore: no id$", found.from:gsub("^accept: .*", "ignore: no id"))
    assert.equal("ignore: large", found.to)
    assert.equal(700, found.object.size)
  end)

  for from, to in pairs {
    ["queue.throttle"] = "(queue.throttle)", ["sample(id"] = "100 - 100 + sample(id", ["if not id"] = "if id == nil",
    ["local id"] = "local unused local id",
  } do
    it(("sees no difference where there is none: %s -> %s"):format(from, to), function()
      assert.is_nil(change(from, to))
    end)
  end

  it("has the queues that it is given", function()
    assert.is_nil(change("queue.throttle", "queue.throttle + 1", 100))
  end)

  it("says that it is the id", function()
    local found = change("accept(id", 'accept("x"', 100)
    assert.equal("accept: normal", found.from)
    assert.equal("accept: normal, with another id", found.to)
  end)

  it("sees that one of them does not load", function()
    assert.same({ from = "loads", to = "does not load" }, change("return function", "x = function"))
  end)
end)
