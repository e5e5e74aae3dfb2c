--- What an invocation adds to the operator's numbers: one line in CloudWatch's embedded metric
-- format (EMF), and those that Socorro's dashboards read.
-- https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
--
-- Each name is a metric that is billed, so none comes from an event: queues have their own
-- where PIGEON_QUEUE names them, and all other destinations are "other".
local list = require "pigeon.list"
local rfc3339 = require "pigeon.rfc3339"
local text = require "pigeon.text"

local concat, find, format = table.concat, string.find, string.format

local metrics = {}

local MOST_QUEUES = 32 -- with names of their own: a directive takes 100 metrics, each queue has three
local MOST_VALUES = 100 -- of one metric in a line
local LONGEST_NAME = 200 -- bytes of a queue's name

local COUNTERS = {
  "Objects", "Accepted", "Deferred", "Ignored", "Junk", "Throttled", "Published",
  "Failed", "Unroutable", "Nacked", "Unknown", "RuleErrors", "BadRecords", "Undecided",
  "Reconnects", "ColdStarts",
}
-- What a deploy's alarms watch of the new version alone: deploy/template.yaml.
local OF_VERSION = { "Objects", "Published", "Failed", "Junk" }
local VERDICTS = { accept = "Accepted", defer = "Deferred", ignore = "Ignored" }
local CAUSES = {
  returned = "Unroutable", nacked = "Nacked", unknown = "Unknown",
  rules = "RuleErrors", record = "BadRecords", time = "Undecided",
}

local function parse_kind(name)
  if name == "emf" or name == "monitoring" or name == "off" then return { name = name } end
  return nil, "is not emf, monitoring or off"
end

--- "emf,monitoring" -> {emf=true, monitoring=true}; nil and "" are emf, and off is none. Returns
-- nil and what is wrong, with the entry's position and the value.
function metrics.parse(setting)
  if not setting or setting == "" then return { emf = true } end
  local entries, problem = list.parse("PIGEON_METRICS", setting, "kind", parse_kind)
  if not entries then return nil, problem end
  local kinds = {}
  for position, entry in ipairs(entries) do
    if entry.name == "off" and #entries > 1 then
      return nil, ('PIGEON_METRICS: entry %d, "off", stands beside others in %s'):format(position, list.quote(setting))
    end
    kinds[entry.name] = true
  end
  kinds.off = nil
  return kinds
end

-- ------------------------------------------------------------------------ counting

-- The queues' metrics: {Published = {a queue's name = "Published.name"}, ...}, and a list of all.
local function queue_metrics(queues)
  local names, all = {}, {}
  for _, counter in ipairs { "Published", "Failed", "Throttled" } do
    local other = counter .. ".other"
    local of_queue = setmetatable({}, { __index = function() return other end })
    names[counter], all[#all + 1] = of_queue, other
    local seen = { [other] = true } -- two names may be the same after all
    for i = 1, math.min(#queues, MOST_QUEUES) do
      local queue = queues[i].name
      local name = counter .. "." .. queue:sub(1, LONGEST_NAME):gsub('[^!-~]', "_"):gsub('["\\]', "_")
      of_queue[queue] = name
      if not seen[name] then all[#all + 1] = name end
      seen[name] = true
    end
  end
  return names, all
end

local function queue_of(destination)
  return destination.exchange == "" and destination.routing_key or nil
end

local function count(counts, name, by)
  counts[name] = counts[name] + (by or 1)
end

local function count_failures(counts, names, failures)
  for _, failure in ipairs(failures) do
    count(counts, "Failed")
    count(counts, CAUSES[failure.cause])
    if failure.destination then
      local queue = queue_of(failure.destination) or ""
      count(counts, "Published", -1)
      count(counts, names.Published[queue], -1)
      count(counts, names.Failed[queue])
    end
  end
end

-- Every destination counts as published until a failure takes it back.
local function count_entry(counts, names, entry)
  count(counts, "Objects")
  local verdict = entry.verdict
  if verdict then
    count(counts, VERDICTS[verdict.kind])
    if verdict.kind == "ignore" and find(verdict.reason, "^junk") then count(counts, "Junk") end
    for _, destination in ipairs(verdict.destinations or {}) do
      count(counts, "Published")
      count(counts, names.Published[queue_of(destination) or ""])
    end
    for _, queue in ipairs(entry.throttled or {}) do
      count(counts, "Throttled")
      count(counts, names.Throttled[queue])
    end
  end
  if entry.failures then count_failures(counts, names, entry.failures) end
end

-- An event that cannot be read is one object that failed.
local function count_all(counts, batch, facts, names)
  for _, entry in ipairs(batch.entries) do
    count_entry(counts, names, entry)
  end
  if batch.problem then
    for _, name in ipairs { "Objects", "Failed", "BadRecords" } do count(counts, name) end
  end
  counts.Reconnects, counts.ColdStarts = facts.reconnects, facts.cold and 1 or 0
end

-- How old each object was when all its messages were confirmed, in milliseconds, sorted. Of more
-- than a line takes, as many evenly spaced ones, the longest among them.
local function lags_of(batch, now_ms)
  local lags = {}
  for _, entry in ipairs(batch.entries) do
    local sent = entry.verdict and not entry.failures and #(entry.verdict.destinations or {}) > 0
    local time = sent and entry.object.time and rfc3339.parse(entry.object.time)
    if time then lags[#lags + 1] = math.max(now_ms - time, 0) end
  end
  table.sort(lags)
  if #lags <= MOST_VALUES then return lags end
  local some = {}
  for i = 1, MOST_VALUES do some[i] = lags[i * #lags // MOST_VALUES] end
  return some
end

-- ------------------------------------------------------------------------ EMF

local function define(name, unit)
  return format('{"Name":"%s","Unit":"%s"}', name, unit)
end

-- What one invocation has and another may not: its definition, and what precedes its value.
local OCCASIONAL = {}
for name, unit in pairs {
  PublishTime = "Milliseconds", ConnectTime = "Milliseconds", Lag = "Milliseconds",
  ShadowDifferences = "Count", ShadowSkipped = "Count",
} do
  OCCASIONAL[name] = { define(name, unit), format(',"%s":', name) }
end

-- The definitions and the members of those that there are.
local function occasional(batch, facts)
  local definitions, members = {}, {}
  local function add(name, value)
    definitions[#definitions + 1] = OCCASIONAL[name][1]
    members[#members + 1] = OCCASIONAL[name][2]
    members[#members + 1] = value
  end
  if batch.messages > 0 then add("PublishTime", format("%.3f", facts.publish_us / 1000)) end
  if facts.connect_us > 0 then add("ConnectTime", format("%.3f", facts.connect_us / 1000)) end
  local lags = lags_of(batch, facts.now_ms)
  if #lags > 0 then add("Lag", #lags == 1 and lags[1] or "[" .. concat(lags, ",") .. "]") end
  if batch.shadow then
    add("ShadowDifferences", batch.shadow.differences)
    add("ShadowSkipped", batch.shadow.skipped)
  end
  return concat(definitions, ","), concat(members)
end

-- What is the same in every line is made once: what precedes and follows the definitions of a
-- directive, the definitions that are always there, and the dimensions' values.
local function emf_writer(settings, names, queue_names)
  local dimensions, values = '"FunctionName"', '"FunctionName":' .. text.json(settings.function_name or "-", 255)
  if settings.env then
    dimensions, values = dimensions .. ',"Environment"', values .. ',"Environment":' .. text.json(settings.env, 255)
  end
  -- The counters as text are kept: most events count alike.
  local before, counted, shown = '{"Namespace":"Pigeon","Dimensions":[[' .. dimensions .. ']],"Metrics":[', {}, nil
  local always, members = {}, {}
  for i, name in ipairs(COUNTERS) do
    always[i], members[i] = define(name, "Count"), ',"' .. name .. '":'
  end
  always[#always + 1] = define("DecideTime", "Milliseconds")
  local of_queues = {}
  for i, name in ipairs(queue_names) do
    of_queues[i], members[#members + 1] = define(name, "Count"), ',"' .. name .. '":'
  end
  local directives = before .. concat(always, ",") .. "]}," .. before .. concat(of_queues, ",") .. "]}"
  if settings.function_version then
    values = values .. ',"Version":' .. text.json(settings.function_version, 255)
    local of_version = {}
    for i, name in ipairs(OF_VERSION) do of_version[i] = define(name, "Count") end
    directives = directives .. ',{"Namespace":"Pigeon","Dimensions":[["FunctionName","Version"]],"Metrics":['
      .. concat(of_version, ",") .. "]}"
  end

  local function show(counts)
    local changed = false
    for i = 1, #names do
      local value = counts[names[i]]
      if counted[i] ~= value then counted[i], changed = value, true end
    end
    if changed then
      local pieces = {}
      for i, value in ipairs(counted) do pieces[i] = members[i] .. value end
      shown = concat(pieces)
    end
    return shown
  end

  return function(counts, batch, facts)
    local definitions, extra = occasional(batch, facts)
    if definitions ~= "" then definitions = "," .. before .. definitions .. "]}" end
    return format('{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[%s%s]},%s%s,"DecideTime":%.3f%s}', facts.now_ms,
      directives, definitions, values, show(counts), facts.decide_us / 1000, extra)
  end
end

-- ------------------------------------------------------------------------ MONITORING

local MONITORED = {
  { "accept", { "Accepted" } }, { "defer", { "Deferred" } }, { "throttled", { "Throttled" } }, { "junk", { "Junk" } },
  { "pika_error", { "Unroutable", "Nacked", "Unknown" } },
}

local function monitoring_lines(counts, facts, tag, lines)
  for _, row in ipairs(MONITORED) do
    local sum = 0
    for _, name in ipairs(row[2]) do sum = sum + counts[name] end
    if sum > 0 then
      lines[#lines + 1] = format("MONITORING|%d|%d|count|socorro.pigeon.%s|%s", facts.now_ms // 1000, sum, row[1], tag)
    end
  end
end

--- {kinds = what parse() made, queues = list, env = name or nil, function_name, function_version = nil
-- where none was published} -> a function from a concluded batch and facts {now_ms, decide_us, publish_us,
-- connect_us, reconnects, cold} to the lines.
function metrics.open(settings)
  local of_queues, queue_names = queue_metrics(settings.queues)
  local names = table.move(queue_names, 1, #queue_names, #COUNTERS + 1, { table.unpack(COUNTERS) })
  local counts = {}
  local emf = settings.kinds.emf and emf_writer(settings, names, queue_names)
  local tag = settings.env and "#env:" .. settings.env or ""

  return function(batch, facts)
    local lines = {}
    if not next(settings.kinds) then return lines end
    for i = 1, #names do counts[names[i]] = 0 end
    count_all(counts, batch, facts, of_queues)
    if emf then lines[1] = emf(counts, batch, facts) end
    if settings.kinds.monitoring then monitoring_lines(counts, facts, tag, lines) end
    return lines
  end
end

return metrics
