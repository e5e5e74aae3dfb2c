local constants = require "pigeon.source.constants"
local source = require "pigeon.source"

local function of(...)
  local trees = {}
  for i, text in ipairs { ... } do trees[i] = assert(source.parse(text, "rules.lua")) end
  return constants.of(table.unpack(trees))
end

describe("constants", function()
  for _, case in ipairs {
    { "strings, in the order of the text, once each", "local a, b = 'x', 'y' return 'x'", { "x", "y" }, {} },
    { "the keys of a table, but no field and no method that is read",
      "local t = { crashes = 1, ['b'] = 'c' } return t.field:method()", { "crashes", "b", "c" }, { 1 } },
    { "numbers as they are meant", "local LARGE = 20 * 1024 * 1024 return -7, 2 ^ 3, (1 + 2) // 2", {},
      { 20971520, -7, 8, 1 } },
    { "nothing of a division by zero but its numbers", "return 7 // 0", {}, { 7, 0 } },
    { "a number through a local", "local MB = 1024 local n = 3 * MB return n", {}, { 1024, 3072 } },
  } do
    it("are " .. case[1], function()
      local found = of(case[2])
      assert.same(case[3], found.strings)
      assert.same(case[4], found.numbers)
    end)
  end

  it("belong to a field that they are compared with, also through a local and a table", function()
    local found = of([[
      local BUCKETS = { crashes = 1, ["crashes-stage"] = 2 }
      return function(object)
        local name = object.event_name
        if name == "ObjectCreated:Put" or "2018" < object.time then return BUCKETS[object.bucket] end
        return object.region ~= "eu-west-1"
      end]])
    assert.same({ "crashes", "crashes-stage" }, found.of_field.bucket)
    assert.same({ "ObjectCreated:Put" }, found.of_field.event_name)
    assert.same({ "2018" }, found.of_field.time)
    assert.same({ "eu-west-1" }, found.of_field.region)
    assert.same({}, found.of_field.key)
    assert.same({ bucket = true, event_name = true, time = true, region = true }, found.fields)
  end)

  it("name a field in whatever way it is read", function()
    local found = of("local name = 'size' return function(o) return o[name], o.key end")
    assert.same({ size = true, key = true }, found.fields)
  end)

  it("are the salts and thresholds of sample()", function()
    local found = of([[
      local SALT = "a"
      return function(o)
        if sample(o.key, "nightly") < 10 then return 1 end
        local s = sample(o.key, SALT)
        if sample(o.key, q.name) < q.throttle then return 2 end
        return 0.5 > s or sample(o.key, q.name) >= 1 + 2
      end]])
    assert.same({ { salt = "nightly", threshold = 10 }, { salt = "a", threshold = 0.5 }, {}, { threshold = 3 } },
      found.samples)
  end)

  it("are those of all scripts, once each", function()
    local found = of("return 'a', 1", "return 'b', 'a', 2")
    assert.same({ "a", "b" }, found.strings)
    assert.same({ 1, 2 }, found.numbers)
  end)

  it("come to an end where a local is set to itself", function()
    assert.same({ "x" }, of("local a = a local b = b return function(o) return a.bucket == 'x' end").strings)
  end)
end)
