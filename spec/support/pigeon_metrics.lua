--- The metrics that Pigeon writes, by the module that writes them.
local cjson = require "cjson"

local metrics = require "pigeon.report.metrics"

local pigeon_metrics = {}

local NOW_MS = 1474202100000

-- An object that was accepted for both queues, and the throttle left it out of the second.
local function batch_of_all()
  local destination = { exchange = "", routing_key = "normal" }
  return {
    messages = 1, shadow = { differences = 1, skipped = 1 },
    entries = {
      { object = { time = "2016-09-18T12:34:56.000Z" }, throttled = { "submitter" },
        verdict = { kind = "accept", destinations = { destination } } },
    },
  }
end

--- The environment's name, or "" -> {["Published.normal by FunctionName"] = true, ...}: all metrics of a function
-- with the queues normal and submitter, in the line of an event that has each of them.
function pigeon_metrics.written(env)
  local lines_of = metrics.open {
    kinds = { emf = true }, queues = { { name = "normal" }, { name = "submitter" } }, env = env ~= "" and env or nil,
    function_name = "x", function_version = "1",
  }
  local line = lines_of(batch_of_all(),
    { now_ms = NOW_MS, decide_us = 1, publish_us = 1, connect_us = 1, reconnects = 0, cold = true })[1]
  local written = {}
  for _, directive in ipairs(cjson.decode(table.concat(line))._aws.CloudWatchMetrics) do
    for _, metric in ipairs(directive.Metrics) do
      written[metric.Name .. " by " .. table.concat(directive.Dimensions[1], ",")] = true
    end
  end
  return written
end

return pigeon_metrics
