--- What Pigeon's log costs: its bytes by the built program, and the table of deploy/COSTS.md.
local bill = require "spec.support.bill"
local system = require "spec.support.system"

-- Bytes are those of an event, with times of the usual length.
local WAYS = {
  { name = "S3", objects = 1, lines = 1, bytes = 942, most = 0.70 },
  { name = "SQS, by 1", objects = 1, sqs = true, lines = 1, bytes = 942 },
  { name = "SQS, by 10", objects = 10, sqs = true, lines = 11, bytes = 3948, most = 0.72 },
  { name = "SQS, by 1,000", objects = 1000, sqs = true, lines = 1001, bytes = 315266 },
}

-- The rows of the table: their first words -> the figures of each way.
local function rows_of(page)
  local rows = {}
  for line in page:match("\n## The bill\n.-\n(|.-\n)\n"):gmatch("[^\n]+") do
    local name, rest = line:match("^| ([%a ]*)[^|]*(|.*)$")
    local figures = {}
    for cell in (rest or ""):gmatch("|([^|]*)") do figures[#figures + 1] = tonumber(cell) or 0 end
    if name then rows[name:match("^%S*")] = figures end
  end
  return rows
end

describe("the bill", function()
  local env
  local rows = rows_of(system.read("deploy/COSTS.md"))

  setup(function() env = system.vhost({ "normal" }) end)
  teardown(function() system.drop(env) end)

  for i, way in ipairs(WAYS) do
    it("of a million objects is that of deploy/COSTS.md: " .. way.name, function()
      local bytes, lines = bill.measure(env, bill.event(way.objects, way.sqs))
      system.consume(env)
      assert.same({ way.lines, way.bytes }, { lines, bytes })
      local of = bill.of { objects = way.objects, sqs = way.sqs, bytes = bytes, cpu_us = 0, wait_ms = 0 }
      assert.near(of.log, rows.log[i], 0.00501)
      assert.near(of.sqs, rows.SQS[i], 0.00501)
      assert.near(of.invocations, rows.invocations[i], 0.00501)
      local together = rows.duration[i] + of.log + of.sqs + of.invocations
      assert.near(together, rows.together[i], 0.00501)
      assert.truthy(together <= (way.most or 2.5), together)
    end)
  end

  it("has nothing but the metrics of an object that is deferred", function()
    local bytes, lines = bill.measure(env, system.event(system.key(system.id(1, "0"))))
    assert.same({ 1, 595 }, { lines, bytes })
  end)
end)
