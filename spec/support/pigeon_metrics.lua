--- The metrics that Pigeon writes, by the module that writes them.
local cjson = require "cjson"

local metrics = require "pigeon.report.metrics"

local pigeon_metrics = {}

local NOW_MS = 1474202100000

local function destination(queue)
  return { exchange = "", routing_key = queue }
end

-- An object that was accepted for a queue, and failed there for a cause, or did not.
local function accepted(queue, cause)
  local to = destination(queue)
  return {
    object = { time = "2016-09-18T12:34:56.000Z" }, throttled = { "normal", "submitter", "elsewhere" },
    verdict = { kind = "accept", destinations = { to } }, failures = cause and { { cause = cause, destination = to } },
  }
end

local function deferred()
  return { object = {}, verdict = { kind = "defer", reason = "later" } }
end

-- A batch of which no counter is zero.
local function batch_of_all()
  return {
    messages = 6, shadow = { differences = 1, skipped = 1 },
    entries = {
      accepted "normal", accepted "submitter", accepted "elsewhere",
      accepted("normal", "returned"), accepted("submitter", "nacked"), accepted("elsewhere", "unknown"),
      deferred(),
      { object = {}, verdict = { kind = "ignore", reason = "junk" } },
      { object = {}, failures = { { cause = "rules" } } },
      { object = {}, failures = { { cause = "record" } } },
      { object = {}, failures = { { cause = "time" } } },
    },
  }
end

local function written(env, batch)
  local lines_of = metrics.open {
    kinds = { emf = true }, queues = { { name = "normal" }, { name = "submitter" } }, env = env ~= "" and env or nil,
    function_name = "x", function_version = "1",
  }
  local line = lines_of(batch,
    { now_ms = NOW_MS, decide_us = 1, publish_us = 1, connect_us = 1, reconnects = 1, cold = true })[1]
  local found = {}
  for _, directive in ipairs(cjson.decode(line)._aws.CloudWatchMetrics) do
    for _, metric in ipairs(directive.Metrics) do
      for _, set in ipairs(directive.Dimensions) do found[metric.Name .. " by " .. table.concat(set, ",")] = true end
    end
  end
  return found
end

--- The environment's name, or "" -> {["Published.normal by FunctionName"] = true, ...}: all metrics of a function
-- with the queues normal and submitter, in the line of an event that has each of them.
function pigeon_metrics.written(env)
  return written(env, batch_of_all())
end

--- The same, in the line of an event of which nothing was published.
function pigeon_metrics.at_least(env)
  return written(env, { messages = 0, entries = { deferred() } })
end

return pigeon_metrics
