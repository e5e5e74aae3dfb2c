--- Batches as conclude() leaves them, for the specs of the metrics.
local metrics = require "pigeon.report.metrics"

local metered = {}

metered.NOW = 1474202100000 -- 2016-09-18T12:35:00Z
metered.FACTS = {
  now_ms = metered.NOW, decide_us = 69, publish_us = 1573, connect_us = 0, reconnects = 0, cold = false,
}

local QUEUES = { { name = "normal", throttle = 100 }, { name = "submitter", throttle = 15 } }

--- What metrics.open() returns.
function metered.open(settings)
  settings.kinds = settings.kinds or { emf = true }
  settings.queues = settings.queues or QUEUES
  settings.function_name = "pigeon-prod"
  return metrics.open(settings)
end

--- The facts with some changes.
function metered.with(changes)
  return setmetatable(changes, { __index = metered.FACTS })
end

--- An entry that was accepted for these destinations.
function metered.accept(destinations, entry)
  entry = entry or {}
  entry.object = entry.object or {}
  entry.verdict = { kind = "accept", id = "x", destinations = {} }
  for i, name in ipairs(destinations) do
    local exchange, key = name:match("^(.*)/(.*)$")
    entry.verdict.destinations[i] = { exchange = exchange or "", routing_key = key or name }
  end
  return entry
end

--- A failure of an entry, or of its message by this number.
function metered.failure(cause, entry, number)
  return { cause = cause, text = "why", destination = number and entry.verdict.destinations[number] }
end

--- A batch with each verdict, and a failure of each kind.
function metered.mixed()
  local half = metered.accept { "normal", "submitter" }
  half.failures = { metered.failure("returned", half, 2) }
  local lost = metered.accept { "normal", "crashes/new" }
  lost.failures = { metered.failure("nacked", lost, 1), metered.failure("unknown", lost, 2) }
  return { messages = 6, entries = {
    metered.accept({ "normal" }, { throttled = { "submitter" } }),
    metered.accept({ "elsewhere" }),
    metered.accept({}, { throttled = { "normal", "submitter" } }),
    half, lost,
    { object = {}, verdict = { kind = "defer", reason = "later" } },
    { object = {}, verdict = { kind = "ignore", reason = "junk" } },
    { object = {}, verdict = { kind = "ignore", reason = "junk: no such annotation" } },
    { object = {}, verdict = { kind = "ignore", reason = "not a put" } },
    { verdict = { kind = "ignore", reason = "a record of another source" } },
    { object = {}, failures = { metered.failure("rules") } },
    { failures = { metered.failure("record") } },
    { object = {}, failures = { metered.failure("time") } },
  } }
end

return metered
