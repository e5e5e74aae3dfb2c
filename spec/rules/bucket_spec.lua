--- What rules/bucket.lua decides. To try a case, add a line: the bucket, the size, where it goes.
local testing = require "pigeon.testing"

local KEY = "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313"
local MEGABYTE = 1024 * 1024

local CASES = {
  { "crashes", 1024, { "normal", "submitter" } },
  { "crashes", 30 * MEGABYTE, { "normal", "submitter" } },
  { "crashes-stage", 1024, { "normal", "submitter", "stage/crash.normal" } },
  { "crashes-stage", 30 * MEGABYTE, { "normal", "submitter", "stage/crash.large" } },
  { "crashes-partner", 20 * MEGABYTE, { "partners/crash.normal" } },
  { "crashes-partner", 20 * MEGABYTE + 1, { "partners/crash.large" } },
  { "crashes-partner", nil, { "partners/crash.normal" } }, -- an event without a size
}

describe("rules/bucket.lua", function()
  local rules = testing.load("rules/bucket.lua", { PIGEON_QUEUE = "normal,15:submitter,0:nothing" })

  for _, case in ipairs(CASES) do
    local bucket, size, destinations = case[1], case[2], case[3]
    it(("sends %s bytes of %s to %s"):format(size, bucket, table.concat(destinations, ", ")), function()
      assert.accepts(rules, { key = KEY, bucket = bucket, size = size }, destinations)
    end)
  end

  it("throttles the queues, not the exchange", function()
    local out = "v2/raw_crash/96a/20180313/96af9a3d-2d1c-4865-af09-80bc01180313" -- sample 15.01
    assert.accepts(rules, { key = out, bucket = "crashes-stage" }, { "normal", "stage/crash.normal" })
    local just_in = "v2/raw_crash/bf6/20180313/bf6756ac-2d1c-4865-af09-80bc01180313" -- 14.6
    assert.accepts(rules, { key = just_in, bucket = "crashes-stage" }, { "normal", "submitter", "stage/crash.normal" })
  end)

  it("ignores the rest", function()
    assert.ignores(rules, { key = KEY, bucket = "others" }, "not one of our buckets")
    assert.ignores(rules, { key = KEY, bucket = "crashes", event_name = "ObjectCreated:Copy" }, "not a put")
    assert.ignores(rules, { key = "v1/dump/x", bucket = "crashes" }, "not a raw crash")
    assert.ignores(rules, { key = "v2/raw_crash/x", bucket = "crashes" }, "not a crash id")
    assert.ignores(rules, { key = KEY:gsub("1180313$", "2180313"), bucket = "crashes" }, "junk annotation")
    assert.defers(rules, { key = KEY:gsub("1180313$", "0180313"), bucket = "crashes" }, "deferred by the collector")
  end)
end)
