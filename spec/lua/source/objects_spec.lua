local constants = require "pigeon.source.constants"
local objects = require "pigeon.source.objects"
local queues = require "pigeon.settings.queues"
local source = require "pigeon.source"
local walk = require "spec.support.walk"

local function enumerate(text, setting)
  return objects.of(constants.of(assert(source.parse(text, "rules.lua"))), queues.parse(setting or "normal"))
end

local function rule(condition)
  return ("return function(object)\n if %s then return ignore('yes') end return ignore('no')\nend"):format(condition)
end

-- The set of the values that a field has.
local function values(list, field)
  local set = {}
  for i = 1, list.count do set[tostring(list.at(i)[field])] = true end
  return set
end

describe("objects", function()
  it("have what the script compares them with, and what is beside", function()
    local list = enumerate([[
      local BUCKETS = { crashes = true, ["crashes-stage"] = true }
      return function(object)
        if object.event_name ~= "ObjectCreated:put" then return ignore("a") end
        if object.size > 20 * 1024 then return ignore("b") end
        if object.key:sub(1, 4) == "v9/x" then return ignore("c") end
        return BUCKETS[object.bucket]
      end]])
    local buckets, events, sizes = values(list, "bucket"), values(list, "event_name"), values(list, "size")
    assert.is_true(buckets.crashes and buckets["crashes-stage"] and buckets["another-bucket"])
    assert.is_true(events["ObjectCreated:put"] and events["ObjectCreated:Put"] and events["ObjectRemoved:Delete"])
    assert.is_true(sizes["20480"] and sizes["20481"] and sizes["nil"] and sizes["1024"])
    local keys, seen = values(list, "key"), {}
    for key in pairs(keys) do seen[key:match("^%w*/?%w?/")  or "-"] = true end
    assert.is_true(seen["v9/x"] or seen["v9/"], "prefix")
  end)

  it("begin with the plainest, and the first of each outcome is a plain one", function()
    local list = enumerate(walk.read("rules/bucket.lua"))
    local first = list.at(1)
    assert.same({ "crashes", "ObjectCreated:Put", 1024 }, { first.bucket, first.event_name, first.size })
    assert.equal("v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", first.key)
    for name, value in pairs(objects.usual) do assert.equal(value, list.base[name]) end
  end)

  for _, condition in ipairs {
    'object.time < "2018-06"', "object.time == nil", 'object.region == "eu-west-1"', "object.region == nil",
    "object.version_id == nil", "object.sequencer == nil", 'object.source == "aws:other"', "object.size == nil",
    "object.size == 77", "object.size == 78 - 1", "#object.key > 90", "#object.key == 90",
    'object.event_name:find("^ObjectRemoved")', 'object.event_name:sub(1, 14) == "ObjectCreated:"',
    'object.bucket:sub(1, 3) == "abc"', 'object.bucket:sub(-6) == "-stage"', 'object.bucket:sub(1, 5) == "logs-"',
    'object.bucket:match("^crashes%-(%a+)$") == "stage"', 'object.bucket:match("-(%a+)$") == "stage"',
    'object.key:match("^v7/(%d+)/x")', 'object.key:find("/dump_names/", 1, true)',
    'object.key == "exactly/this"', 'object.key:find("%.json$")', 'object.key:find("[^ -~]")',
    'object.key:sub(-1) == "/"',
    'object.key:find("20190401")', '(crash_id(object.key) or ""):sub(1, 4) == "beef"',
    'tonumber((crash_id(object.key) or "00"):sub(-6, -5)) >= 21',
  } do
    it("tell both sides of " .. condition, function()
      local list = enumerate(rule(condition))
      local test = assert(load("local crash_id, object = ... return " .. condition))
      local seen, crash_id = {}, require("pigeon.rules.crash_id").of_key
      for i = 1, list.count do
        local ok, result = pcall(test, crash_id, list.at(i))
        seen[not ok and "fails" or result and "yes" or "no"] = true
      end
      assert.is_true(seen.yes, "no object meets it")
      assert.is_true(seen.no, "every object meets it")
    end)
  end

  it("are objects as S3 has them: a key of 1 to 1,024 bytes, and a new table each", function()
    for _, path in ipairs { "spec/fixtures/right/rules.lua", "rules/antenna.lua", "rules/bucket.lua" } do
      local list = enumerate(walk.read(path))
      for i = 1, list.count do
        local object = list.at(i)
        assert(type(object.key) == "string" and #object.key >= 1 and #object.key <= 1024, object.key)
        assert(object.bucket and object.event_name and object.source)
        assert(object.size == nil or math.type(object.size) == "integer")
      end
      assert.are_not.equal(list.at(1), list.at(1))
    end
  end)

  it("are not more than the script's constants need", function()
    local most_of = {
      ["spec/fixtures/right/rules.lua"] = 1000, ["rules/antenna.lua"] = 2000, ["rules/bucket.lua"] = 25000,
    }
    for path, most in pairs(most_of) do
      local list = enumerate(walk.read(path), "normal,15:submitter")
      assert.is_true(list.count < most, path .. " " .. list.count)
      assert.is_false(list.thinned)
      assert.equal(list.total, list.count)
    end
  end)

  it("are spread over all, where there would be too many", function()
    local names, conditions = {}, {}
    for i = 1, 30 do names[i] = ('["bucket-%d"] = %d'):format(i, 1000 * i) end
    for _, field in ipairs { "size", "time", "region", "version_id", "event_name", "sequencer" } do
      conditions[#conditions + 1] = ("object.%s == nil"):format(field)
    end
    local text = "local SIZES = { %s } return function(object) return SIZES[object.bucket] or %s end"
    local list = enumerate(text:format(table.concat(names, ", "), table.concat(conditions, " or ")))
    assert.is_true(list.thinned)
    assert.is_true(list.total > 1000000 and list.count > 100000 and list.count < 110000, list.count)
    local pairs_seen = {}
    for i = 1, 100000 do
      local object = list.at(i)
      pairs_seen[object.bucket .. " " .. tostring(object.size)] = true
    end
    local count = 0
    for _ in pairs(pairs_seen) do count = count + 1 end
    assert.equal(31 * 32, count) -- each bucket with each size
  end)

  it("are the same each time", function()
    local script = walk.read("rules/bucket.lua")
    local one, two = enumerate(script), enumerate(script)
    assert.equal(one.count, two.count)
    for i = 1, one.count do assert.same(one.at(i), two.at(i)) end
  end)
end)
