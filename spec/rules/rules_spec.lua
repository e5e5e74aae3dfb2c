--- What the rules decide. To try a case, add a line: key, what the rules do with it, and the
-- reason or the queues, which are those of "normal,15:submitter,0:nothing".
local testing = require "pigeon.testing"

local SETTINGS = { PIGEON_QUEUE = "normal,15:submitter,0:nothing" }

local BOTH = {
  -- the same with every script
  { "v2/dump_names/00007bd0-2d1c-4865-af09-80bc01180313", "ignores", "not a raw crash" },
  { "v2/dump/00007bd0-2d1c-4865-af09-80bc01180313", "ignores", "not a raw crash" },
  { "v1/upload_file_minidump/00007bd0-2d1c-4865-af09-80bc01180313", "ignores", "not a raw crash" },
  { "", "ignores", "not a raw crash" },
  { "00007bd0-2d1c-4865-af09-80bc01180313", "ignores", "not a raw crash" },
  { "/v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "ignores", "not a raw crash" },
  { "v2/raw_crashes/00007bd0-2d1c-4865-af09-80bc01180313", "ignores", "not a raw crash" },
  { "v2/raw_crash/", "ignores", "not a crash id" },
  { "v2/raw_crash/000/20180313/", "ignores", "not a crash id" },
  { "v2/raw_crash/000/20180313/readme.txt", "ignores", "not a crash id" },
  { "v2/raw_crash/000/20180313/00007BD0-2D1C-4865-AF09-80BC01180313", "ignores", "not a crash id" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313\n", "ignores", "not a crash id" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313\0", "ignores", "not a crash id" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc0118031a", "ignores", "not a crash id" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc02180313", "ignores", "junk annotation" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc09180313", "ignores", "junk annotation" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc0a180313", "ignores", "junk annotation" },
}

-- 0 defers, 1 accepts. The number is the id's sample for submitter, which has a throttle of 15.
local RULES = {
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "accepts", { "normal", "submitter" } },
  { "v2/raw_crash/00007bd0-2d1c-4865-af09-80bc01180313", "accepts", { "normal", "submitter" } },
  { "v2/raw_crash/de1/20160918/de1bb258-cbbf-4589-a673-34f801160918", "accepts", { "normal" } },
  { "v2/raw_crash/bf6/20180313/bf6756ac-2d1c-4865-af09-80bc01180313", "accepts", { "normal", "submitter" } }, -- 14.6
  { "v2/raw_crash/96a/20180313/96af9a3d-2d1c-4865-af09-80bc01180313", "accepts", { "normal" } }, -- 15.01
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc00180313", "defers", "deferred by the collector" },
  { "v1/raw_crash/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "ignores", "not a raw crash" },
}

-- 0 accepts, 1 defers; v1 too.
local ANTENNA = {
  { "v1/raw_crash/20160918/de1bb258-cbbf-4589-a673-34f800160918", "accepts", { "normal", "submitter" } },
  { "v2/raw_crash/de1/20160918/de1bb258-cbbf-4589-a673-34f800160918", "accepts", { "normal", "submitter" } },
  { "v1/raw_crash/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "defers", "deferred by the collector" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "defers", "deferred by the collector" },
  { "v1/raw_crash/20180313/11111111-2d1c-4865-af09-80bc00180313", "accepts", { "normal" } },
  { "v1/raw_crash/20180313/a851f637-2d1c-4865-af09-80bc00180313", "accepts", { "normal", "submitter" } }, -- 14.5
  { "v1/raw_crash/20180313/c623a9b0-2d1c-4865-af09-80bc00180313", "accepts", { "normal" } }, -- 15.06
  { "v3/raw_crash/20180313/00007bd0-2d1c-4865-af09-80bc00180313", "ignores", "not a raw crash" },
}

local OTHER_EVENTS = {
  "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete",
  "ObjectCreated:Put ", "objectcreated:put", "ReducedRedundancyLostObject",
}

-- A key in a case's name, which must be one line.
local function one_line(key)
  return (("%q"):format(key):gsub("\\\n", "\\n"))
end

for path, table_of_cases in pairs { ["rules/rules.lua"] = RULES, ["rules/antenna.lua"] = ANTENNA } do
  describe(path, function()
    local rules = testing.load(path, SETTINGS)

    for _, cases in ipairs { table_of_cases, BOTH } do
      for _, case in ipairs(cases) do
        local key, does, what = case[1], case[2], case[3]
        it(does .. " " .. one_line(key), function()
          assert[does](rules, key, what)
          if does == "accepts" then assert.equal(key:match("[^/]*$"), testing.decide(rules, key).id) end
        end)
      end
    end

    for _, event_name in ipairs(OTHER_EVENTS) do
      it("ignores " .. event_name, function()
        assert.ignores(rules, { key = table_of_cases[1][1], event_name = event_name }, "not a put")
      end)
    end
  end)
end

describe("the throttles over 4,000 accepted ids", function()
  it("are kept within 4 sigma, and decide the same again", function()
    local rules = testing.load("rules/rules.lua", SETTINGS)
    local decide = rules.decide
    math.randomseed(15)
    local counts = { normal = 0, submitter = 0, nothing = 0 }
    for _ = 1, 4000 do
      local n = math.random(0)
      local id = ("%08x-%04x-%04x-%04x-%05x1180313"):format(
        n & 0xffffffff, n >> 32 & 0xffff, n >> 48, math.random(0, 0xffff), math.random(0, 0xfffff))
      local object = { bucket = "crashes", event_name = "ObjectCreated:Put", source = "aws:s3",
        key = "v2/raw_crash/000/20180313/" .. id }
      local decided = decide(object)
      if not decided or decided.kind ~= "accept" then assert.accepts(rules, object) end -- it shows the line, and why
      local chosen = decided.destinations
      assert.same(chosen, decide(object).destinations)
      for _, destination in ipairs(chosen) do
        counts[destination.routing_key] = counts[destination.routing_key] + 1
      end
    end
    assert.equal(4000, counts.normal)
    assert.equal(0, counts.nothing)
    assert.is_true(math.abs(counts.submitter - 600) < 4 * math.sqrt(4000 * 0.15 * 0.85), counts.submitter .. " of 4000")
  end)
end)
