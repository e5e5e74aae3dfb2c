--- The metric lines of an invocation: one in CloudWatch's embedded metric format (emf.lua), and
-- those that Socorro's dashboards read. PIGEON_METRICS chooses.
local counters = require "pigeon.report.counters"
local emf = require "pigeon.report.emf"

local format = string.format

local metrics = {}

local AT = counters.places

-- Socorro's names, and the counters whose sum each is.
local MONITORED = {
  { "accept", { "Accepted" } }, { "defer", { "Deferred" } }, { "throttled", { "Throttled" } }, { "junk", { "Junk" } },
  { "pika_error", { "Unroutable", "Nacked", "Unknown" } },
}

local function add_monitoring(lines, counts, facts, tag)
  for _, row in ipairs(MONITORED) do
    local sum = 0
    for _, name in ipairs(row[2]) do sum = sum + counts[AT[name]] end
    if sum > 0 then
      lines[#lines + 1] = format("MONITORING|%d|%d|count|socorro.pigeon.%s|%s", facts.now_ms // 1000, sum, row[1], tag)
    end
  end
end

--- {kinds = what metric_kinds.parse() returned, queues = list, env = name or nil, function_name,
-- function_version, which is nil where none was published} -> a function from a concluded batch and
-- facts {now_ms, decide_us, publish_us, connect_us, reconnects, cold} to the lines, that of EMF first.
function metrics.open(settings)
  local names, count = counters.open(settings.queues)
  local emf_line = settings.kinds.emf and emf.open(settings, names)
  local tag = settings.env and "#env:" .. settings.env or ""

  return function(batch, facts)
    local lines = {}
    if not next(settings.kinds) then return lines end
    local counts = count(batch, facts)
    if emf_line then lines[1] = emf_line(counts, batch, facts) end
    if settings.kinds.monitoring then add_monitoring(lines, counts, facts, tag) end
    return lines
  end
end

return metrics
