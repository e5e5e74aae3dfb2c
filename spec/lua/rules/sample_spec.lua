local module = require "pigeon.rules.sample"
local sample = module.of

local COUNT = 4000

-- Ids as in production: random, with the same date at the end.
local function ids()
  math.randomseed(20180313)
  local list = {}
  for i = 1, COUNT do
    local n = math.random(0)
    list[i] = ("%08x-%04x-%04x-%04x-%05x1180313"):format(
      n & 0xffffffff, n >> 32 & 0xffff, n >> 48 & 0xffff, i, i * 7919 & 0xfffff)
  end
  return list
end

local function picked(list, queue, throttle)
  local set, count = {}, 0
  for _, id in ipairs(list) do
    if sample(id, queue) < throttle then
      set[id] = true
      count = count + 1
    end
  end
  return set, count
end

local function assert_near(share, count)
  local sigma = math.sqrt(COUNT * share * (1 - share))
  assert.is_true(math.abs(count - COUNT * share) < 4 * sigma,
    ("%d of %d at %g"):format(count, COUNT, share))
end

describe("sample.of", function()
  -- computed with Python's integers, not with this code
  for _, case in ipairs {
    { "", "", 72.27064863403389 },
    { "a", "", 52.72853979907387 },
    { "", "a", 37.838970776447745 },
    { "00007bd0-2d1c-4865-af09-80bc01180313", "normal", 51.4637710328882 },
    { "00007bd0-2d1c-4865-af09-80bc01180313", "submitter", 14.884344094042445 },
    { "de1bb258-cbbf-4589-a673-34f801160918", "normal", 53.61863856475107 },
    { "ÿ", "é", 21.23238553416462 },
  } do
    it(("is %.3f for %q and %q"):format(case[3], case[1], case[2]), function()
      assert.equal(case[3], sample(case[1], case[2]))
    end)
  end

  it("takes a salt of any length as it takes the list of its bytes", function()
    local start, text = module.begin("an id"), ""
    for n = 0, 80 do
      assert.equal(module.finish_bytes(start, { text:byte(1, -1) }), module.finish(start, text))
      text = text .. string.char(n * 37 % 256)
    end
  end)

  it("keeps everything at 100 and nothing at 0", function()
    local list = ids()
    assert.equal(COUNT, select(2, picked(list, "normal", 100)))
    assert.equal(0, select(2, picked(list, "normal", 0)))
  end)

  it("keeps the share that was asked for, within 4 sigma", function()
    local list = ids()
    for _, throttle in ipairs { 1, 15, 50, 85, 99 } do
      assert_near(throttle / 100, select(2, picked(list, "submitter", throttle)))
    end
  end)

  it("only adds ids when a throttle is raised", function()
    local list = ids()
    local before = {}
    for throttle = 0, 100, 5 do
      local now = picked(list, "submitter", throttle)
      for id in pairs(before) do
        assert.is_true(now[id])
      end
      before = now
    end
  end)

  it("picks for each queue on its own", function()
    local list = ids()
    local first, second = picked(list, "normal", 50), picked(list, "submitter", 50)
    local both = 0
    for id in pairs(first) do
      if second[id] then both = both + 1 end
    end
    assert_near(0.25, both)
  end)
end)
