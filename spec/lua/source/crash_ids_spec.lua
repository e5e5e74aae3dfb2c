local constants = require "pigeon.source.constants"
local crash_id = require "pigeon.rules.crash_id"
local crash_ids = require "pigeon.source.crash_ids"
local queues = require "pigeon.settings.queues"
local sample = require "pigeon.rules.sample"
local source = require "pigeon.source"

local function of(text, setting)
  return crash_ids.of(constants.of(assert(source.parse(text, "rules.lua"))), queues.parse(setting or "normal"))
end

local SAMPLES = [[
return function(object)
  local id = crash_id(object.key)
  for _, queue in ipairs(queues) do
    if sample(id, queue.name) < queue.throttle then return accept(id, { queue.name }) end
  end
end]]

-- How near the ids with this annotation come to a threshold, from below and from above.
local function nearest(ids, salt, threshold, annotation)
  local below, above = math.huge, math.huge
  for _, id in ipairs(ids) do
    if crash_id.of_key(id) and id:sub(-7, -7) == annotation then
      local distance = sample.of(id, salt) - threshold
      if distance < 0 then below = math.min(below, -distance) else above = math.min(above, distance) end
    end
  end
  return below, above
end

local function has(list, pattern)
  for _, text in ipairs(list) do
    if text:find(pattern) then return true end
  end
  return false
end

describe("crash_ids", function()
  it("are few, where nothing samples them", function()
    local ids = of("return function(object) return ignore('x') end", "15:normal")
    assert.is_true(#ids < 20)
    for _, annotation in ipairs { "0", "1", "2", "a" } do
      assert.is_true(has(ids, annotation .. "180313$"), annotation)
    end
  end)

  for _, case in ipairs {
    { "each throttle of PIGEON_QUEUE", SAMPLES, "normal,15:submitter,90:nightly",
      { { "submitter", 15 }, { "nightly", 90 } } },
    { "a literal salt and threshold", "return function(o) return sample(o.key, 'x') < 0.7 end", "normal",
      { { "x", 0.7 } } },
    { "a literal salt with the throttles", "return function(o) return sample(o.key, 'x') < queues[1].throttle end",
      "7:normal", { { "x", 7 } } },
    { "a literal threshold with the queues", "return function(o) return sample(o.key, queues[1].name) > 40 end",
      "normal", { { "normal", 40 } } },
  } do
    it("lie close to " .. case[1] .. ", on both sides, with each annotation", function()
      local ids = of(case[2], case[3])
      for _, test in ipairs(case[4]) do
        for _, annotation in ipairs { "0", "1", "2", "a" } do
          local below, above = nearest(ids, test[1], test[2], annotation)
          assert.is_true(below < 1 and above < 1, ("%s: %f %f"):format(test[1], below, above))
        end
      end
      assert.is_true(#ids < 100)
    end)
  end

  it("pass each combination of two queues", function()
    local seen = {}
    for _, id in ipairs((of(SAMPLES, "40:a,60:b"))) do
      if crash_id.of_key(id) then
        seen[tostring(sample.of(id, "a") < 40) .. tostring(sample.of(id, "b") < 60)] = true
      end
    end
    assert.same({ truetrue = true, truefalse = true, falsetrue = true, falsefalse = true }, seen)
  end)

  it("have the annotations that the script names", function()
    local ids = of("return function(o) return o.key:sub(-7, -7) == 'x' or o.key:sub(-7, -7) == '7' end")
    assert.is_true(has(ids, "x180313$"))
    assert.is_true(has(ids, "7180313$"))
  end)

  it("have the dates that the script names, one less and one more, in each place", function()
    local _, more = of("return function(o) return o.key:sub(-6, -5) < '18' or o.key:sub(-6) == '200229' or x < 7 "
      .. "end")
    for _, date in ipairs {
      "170313", "190313", "181713", "180319", "200228", "200229", "200230", "060313", "080313",
    } do
      assert.is_true(has(more, "1" .. date .. "$"), date)
    end
    for _, id in ipairs(more) do assert.equal(id, crash_id.of_key(id)) end
  end)

  it("begin as the script names it", function()
    local _, more = of("return function(o) return o.key == 'ab' or o.key == 'AB' end")
    assert.is_true(has(more, "^ab000000%-"))
    assert.is_false(has(more, "^AB"))
  end)

  it("have what is nearly one, and the endings that the script names", function()
    local ids = of("return function(o) return o.key:find('%.json$') or o.key:sub(-5) == '.gzip' end")
    for _, pattern in ipairs { "^$", "^readme%.txt$", "^[^a-f]*%-", "/$", "%.gzip$" } do
      assert.is_true(has(ids, pattern), pattern)
    end
  end)

  it("are the same each time", function()
    assert.same({ of(SAMPLES, "15:a,3:b") }, { of(SAMPLES, "15:a,3:b") })
  end)
end)
