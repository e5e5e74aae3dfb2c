--- What an invocation adds to the operator's numbers: one line in CloudWatch's embedded metric
-- format (EMF), and those that Socorro's dashboards read.
-- https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
--
-- Each name is a metric that is billed, so none comes from an event: queues have their own
-- where PIGEON_QUEUE names them, and all other destinations are "other".
local list = require "pigeon.settings.comma_list"
local parse_time = require("pigeon.report.rfc3339").parse
local text = require "pigeon.text"

local concat, find, format = table.concat, string.find, string.format

local metrics = {}

local NONE = {}

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
-- The place of each in that list: counts are kept by place, those of queues behind them.
local AT = {}
for place, name in ipairs(COUNTERS) do AT[name] = place end

local VERDICTS = { accept = AT.Accepted, defer = AT.Deferred, ignore = AT.Ignored }
local CAUSES = {
  returned = AT.Unroutable, nacked = AT.Nacked, unknown = AT.Unknown,
  rules = AT.RuleErrors, record = AT.BadRecords, time = AT.Undecided,
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

-- The names of all counters by their places, and where those of a queue are: {Published = {a
-- queue's name = place}, ...}.
local function counters_of(queues)
  local names, place_of, places = { table.unpack(COUNTERS) }, {}, {}
  local function place(name) -- two queues' may be the same after all
    if not place_of[name] then names[#names + 1], place_of[name] = name, #names + 1 end
    return place_of[name]
  end
  for _, counter in ipairs { "Published", "Failed", "Throttled" } do
    local other = place(counter .. ".other")
    local of_queue = setmetatable({}, { __index = function() return other end })
    for i = 1, math.min(#queues, MOST_QUEUES) do
      local queue = queues[i].name
      of_queue[queue] = place(counter .. "." .. queue:sub(1, LONGEST_NAME):gsub('[^!-~]', "_"):gsub('["\\]', "_"))
    end
    places[counter] = of_queue
  end
  return names, places
end

local function queue_of(destination)
  return destination.exchange == "" and destination.routing_key or ""
end

local function count(counts, place, by)
  counts[place] = counts[place] + (by or 1)
end

local function count_failures(counts, places, failures)
  for _, failure in ipairs(failures) do
    count(counts, AT.Failed)
    count(counts, CAUSES[failure.cause])
    if failure.destination then
      local queue = queue_of(failure.destination)
      count(counts, AT.Published, -1)
      count(counts, places.Published[queue], -1)
      count(counts, places.Failed[queue])
    end
  end
end

-- Every destination counts as published until a failure takes it back.
local function count_destinations(counts, places, destinations)
  counts[AT.Published] = counts[AT.Published] + #destinations
  for i = 1, #destinations do
    local place = places.Published[queue_of(destinations[i])]
    counts[place] = counts[place] + 1
  end
end

local function count_entry(counts, places, entry)
  local verdict = entry.verdict
  if verdict then
    local place = VERDICTS[verdict.kind]
    counts[place] = counts[place] + 1
    if verdict.kind == "ignore" and find(verdict.reason, "^junk") then count(counts, AT.Junk) end
    if verdict.destinations then count_destinations(counts, places, verdict.destinations) end
    local throttled = entry.throttled or NONE
    for i = 1, #throttled do
      count(counts, AT.Throttled)
      count(counts, places.Throttled[throttled[i]])
    end
  end
  if entry.failures then count_failures(counts, places, entry.failures) end
end

-- An event that cannot be read is one object that failed.
local function count_all(counts, batch, facts, places)
  local entries = batch.entries
  for place = 1, #counts do counts[place] = 0 end
  counts[AT.Objects] = #entries
  for i = 1, #entries do count_entry(counts, places, entries[i]) end
  if batch.problem then
    for _, name in ipairs { "Objects", "Failed", "BadRecords" } do count(counts, AT[name]) end
  end
  counts[AT.Reconnects], counts[AT.ColdStarts] = facts.reconnects, facts.cold and 1 or 0
end

-- How old each object was when all its messages were confirmed, in milliseconds.
local function lags_of(entries, now_ms)
  local lags = {}
  for i = 1, #entries do
    local entry = entries[i]
    local destinations = entry.verdict and not entry.failures and entry.verdict.destinations
    local time = destinations and #destinations > 0 and entry.object.time
    local time_ms = time and parse_time(time)
    if time_ms then lags[#lags + 1] = time_ms < now_ms and now_ms - time_ms or 0 end
  end
  return lags
end

-- ------------------------------------------------------------------------ EMF

local UNITS = {
  DecideTime = "Milliseconds", PublishTime = "Milliseconds", ConnectTime = "Milliseconds", Lag = "Milliseconds",
}
-- What one invocation has and another may not.
local OCCASIONAL = { { "PublishTime" }, { "ConnectTime" }, { "Lag" }, { "ShadowDifferences", "ShadowSkipped" } }

local function define_all(names, first, last)
  local definitions = {}
  for i = first or 1, last or #names do
    definitions[#definitions + 1] = format('{"Name":"%s","Unit":"%s"}', names[i], UNITS[names[i]] or "Count")
  end
  return concat(definitions, ",")
end

-- Microseconds -> milliseconds.
local function milliseconds(us)
  return format("%d.%03d", us // 1000, us % 1000)
end

-- Sorted. Of more than a line takes, as many evenly spaced ones, the longest among them.
local function list_lags(lags)
  table.sort(lags)
  local some = lags
  if #lags > MOST_VALUES then
    some = {}
    for i = 1, MOST_VALUES do some[i] = lags[i * #lags // MOST_VALUES] end
  end
  return "[" .. concat(some, ",") .. "]"
end

-- The member of each that there is, and "" of the others.
local function occasional(batch, facts)
  local lags, shadow = lags_of(batch.entries, facts.now_ms), batch.shadow
  return batch.messages > 0 and ',"PublishTime":' .. milliseconds(facts.publish_us) or "",
    facts.connect_us > 0 and ',"ConnectTime":' .. milliseconds(facts.connect_us) or "",
    #lags > 0 and ',"Lag":' .. (#lags == 1 and lags[1] or list_lags(lags)) or "",
    shadow and format(',"ShadowDifferences":%d,"ShadowSkipped":%d', shadow.differences, shadow.skipped) or ""
end

-- What is between the time and the counters, by the set of occasional metrics, bit i for the
-- i-th. Each is made once.
local function head_writer(settings, counters)
  local dimensions, values = '"FunctionName"', '"FunctionName":' .. text.json(settings.function_name or "-", 255)
  if settings.env then
    dimensions, values = dimensions .. ',"Environment"', values .. ',"Environment":' .. text.json(settings.env, 255)
  end
  local before = '{"Namespace":"Pigeon","Dimensions":[[' .. dimensions .. ']],"Metrics":['
  local directives = before .. define_all(counters, 1, #COUNTERS) .. "," .. define_all { "DecideTime" } .. "]},"
    .. before .. define_all(counters, #COUNTERS + 1) .. "]}"
  if settings.function_version then
    values = values .. ',"Version":' .. text.json(settings.function_version, 255)
    directives = directives .. ',{"Namespace":"Pigeon","Dimensions":[["FunctionName","Version"]],"Metrics":['
      .. define_all(OF_VERSION) .. "]}"
  end

  local heads = {}
  return function(set)
    if not heads[set] then
      local there = {}
      for i, names in ipairs(OCCASIONAL) do
        if set >> i & 1 == 1 then there[#there + 1] = define_all(names) end
      end
      local more = #there > 0 and "," .. before .. concat(there, ",") .. "]}" or ""
      heads[set] = ',"CloudWatchMetrics":[' .. directives .. more .. "]}," .. values
    end
    return heads[set]
  end
end

-- The counters as text. It is kept: most events count alike.
local function counter_writer(names)
  local counted, shown = {}, nil
  return function(counts)
    local before, changed = counted, false
    for place = 1, #counts do
      local value = counts[place]
      if before[place] ~= value then before[place], changed = value, true end
    end
    if changed then
      local members = {}
      for place, name in ipairs(names) do members[place] = format(',"%s":%d', name, counted[place]) end
      shown = concat(members)
    end
    return shown
  end
end

local function emf_writer(settings, names)
  local head_of, show = head_writer(settings, names), counter_writer(names)
  return function(counts, batch, facts)
    local publish, connect, lag, shadow = occasional(batch, facts)
    local set = (publish ~= "" and 2 or 0) | (connect ~= "" and 4 or 0) | (lag ~= "" and 8 or 0)
      | (shadow ~= "" and 16 or 0)
    return { '{"_aws":{"Timestamp":', facts.now_ms, head_of(set), show(counts),
      ',"DecideTime":', milliseconds(facts.decide_us), publish, connect, lag, shadow, "}" }
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
    for _, name in ipairs(row[2]) do sum = sum + counts[AT[name]] end
    if sum > 0 then
      lines[#lines + 1] = { format("MONITORING|%d|%d|count|socorro.pigeon.%s|%s", facts.now_ms // 1000, sum, row[1],
        tag) }
    end
  end
end

--- {kinds = what parse() made, queues = list, env = name or nil, function_name, function_version = nil
-- where none was published} -> a function from a concluded batch and facts {now_ms, decide_us, publish_us,
-- connect_us, reconnects, cold} to the lines, each a list of pieces: what is long and the same in every
-- line is not copied here.
function metrics.open(settings)
  local names, places = counters_of(settings.queues)
  local emf = settings.kinds.emf and emf_writer(settings, names)
  local tag = settings.env and "#env:" .. settings.env or ""
  local counts = {}
  for place = 1, #names do counts[place] = 0 end

  return function(batch, facts)
    local lines = {}
    if not next(settings.kinds) then return lines end
    count_all(counts, batch, facts, places)
    if emf then lines[1] = emf(counts, batch, facts) end
    if settings.kinds.monitoring then monitoring_lines(counts, facts, tag, lines) end
    return lines
  end
end

return metrics
