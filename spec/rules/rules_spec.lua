--- What the rules decide. To try a case, add a line: key, verdict, queues.
-- Queues are those of "normal,15:submitter,0:nothing" that the crash id goes to.
local queues = require "pigeon.queues"
local sandbox = require "pigeon.sandbox"
local verdict = require "pigeon.verdict"

local QUEUES = queues.parse("normal,15:submitter,0:nothing")

local BOTH = {
  -- key, verdict, queues; the same with every script
  { "v2/dump_names/00007bd0-2d1c-4865-af09-80bc01180313", "ignore: not a raw crash" },
  { "v2/dump/00007bd0-2d1c-4865-af09-80bc01180313", "ignore: not a raw crash" },
  { "v1/upload_file_minidump/00007bd0-2d1c-4865-af09-80bc01180313", "ignore: not a raw crash" },
  { "", "ignore: not a raw crash" },
  { "00007bd0-2d1c-4865-af09-80bc01180313", "ignore: not a raw crash" },
  { "/v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "ignore: not a raw crash" },
  { "v2/raw_crashes/00007bd0-2d1c-4865-af09-80bc01180313", "ignore: not a raw crash" },
  { "v2/raw_crash/", "ignore: not a crash id" },
  { "v2/raw_crash/000/20180313/", "ignore: not a crash id" },
  { "v2/raw_crash/000/20180313/readme.txt", "ignore: not a crash id" },
  { "v2/raw_crash/000/20180313/00007BD0-2D1C-4865-AF09-80BC01180313", "ignore: not a crash id" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313\n", "ignore: not a crash id" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313\0", "ignore: not a crash id" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc0118031a", "ignore: not a crash id" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc02180313", "ignore: junk annotation" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc09180313", "ignore: junk annotation" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc0a180313", "ignore: junk annotation" },
}

-- 0 defers, 1 accepts.
local RULES = {
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "accept", "normal submitter" },
  { "v2/raw_crash/00007bd0-2d1c-4865-af09-80bc01180313", "accept", "normal submitter" },
  { "v2/raw_crash/de1/20160918/de1bb258-cbbf-4589-a673-34f801160918", "accept", "normal" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc00180313", "defer: deferred by the collector" },
  { "v1/raw_crash/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "ignore: not a raw crash" },
}

-- 0 accepts, 1 defers; v1 too.
local ANTENNA = {
  { "v1/raw_crash/20160918/de1bb258-cbbf-4589-a673-34f800160918", "accept", "normal submitter" },
  { "v2/raw_crash/de1/20160918/de1bb258-cbbf-4589-a673-34f800160918", "accept", "normal submitter" },
  { "v1/raw_crash/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "defer: deferred by the collector" },
  { "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313", "defer: deferred by the collector" },
  { "v1/raw_crash/20180313/11111111-2d1c-4865-af09-80bc00180313", "accept", "normal" },
  { "v3/raw_crash/20180313/00007bd0-2d1c-4865-af09-80bc00180313", "ignore: not a raw crash" },
}

local OTHER_EVENTS = {
  "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete",
  "ObjectCreated:Put ", "objectcreated:put", "ReducedRedundancyLostObject",
}

local function open(path)
  local file = assert(io.open(path))
  local source = file:read("a")
  file:close()
  local name = path:match("[^/]*$")
  return sandbox.open({ name = name, source = source }, { queues = QUEUES }, verdict.judge)
end

-- A key in a spec's name, which has to be one line.
local function one_line(key)
  return (("%q"):format(key):gsub("\\\n", "\\n"))
end

local function names(destinations)
  local list = {}
  for i, destination in ipairs(destinations) do
    list[i] = verdict.destination_name(destination)
  end
  return table.concat(list, " ")
end

for path, table_of_cases in pairs { ["rules/rules.lua"] = RULES, ["rules/antenna.lua"] = ANTENNA } do
  describe(path, function()
    local decide = open(path)

    for _, cases in ipairs { table_of_cases, BOTH } do
      for _, case in ipairs(cases) do
        local key, expected, expected_queues = case[1], case[2], case[3] or ""
        it(one_line(key) .. ": " .. expected .. " " .. expected_queues, function()
          local says = assert(decide { key = key, bucket = "crashes", event_name = "ObjectCreated:Put" })
          if says.kind == "accept" then
            assert.equal(expected, "accept")
            assert.equal(expected_queues, names(says.destinations))
            assert.equal(key:match("[^/]*$"), says.id)
          else
            assert.equal(expected, says.kind .. ": " .. says.reason)
          end
        end)
      end
    end

    for _, event_name in ipairs(OTHER_EVENTS) do
      it("ignores " .. event_name, function()
        local says = decide { key = table_of_cases[1][1], bucket = "crashes", event_name = event_name }
        assert.equal("ignore", says.kind)
        assert.equal("not a put", says.reason)
      end)
    end
  end)
end

describe("the throttles over 4,000 accepted ids", function()
  it("are kept within 4 sigma, and decide the same again", function()
    local decide = open("rules/rules.lua")
    math.randomseed(15)
    local counts = { normal = 0, submitter = 0, nothing = 0 }
    for _ = 1, 4000 do
      local n = math.random(0)
      local id = ("%08x-%04x-%04x-%04x-%05x1180313"):format(
        n & 0xffffffff, n >> 32 & 0xffff, n >> 48, math.random(0, 0xffff), math.random(0, 0xfffff))
      local object = { event_name = "ObjectCreated:Put", key = "v2/raw_crash/000/20180313/" .. id }
      local chosen = decide(object).destinations
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
