--- A batch's metrics as one line in CloudWatch's embedded metric format (EMF).
-- https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
local counters = require "pigeon.report.counters"
local json = require "pigeon.json"
local rfc3339 = require "pigeon.report.rfc3339"
local text = require "pigeon.text"

local concat, sub = table.concat, string.sub

local emf = {}

local MOST_VALUES = 100 -- of one metric in a line

-- The metrics that the alarms of a deploy watch for the new version alone: deploy/template.yaml.
local OF_VERSION = { "Objects", "Published", "Failed", "Junk" }

local UNITS = {
  DecideTime = "Milliseconds", PublishTime = "Milliseconds", ConnectTime = "Milliseconds", Lag = "Milliseconds",
}
-- The metrics that not every invocation has.
local OCCASIONAL = { { "PublishTime" }, { "ConnectTime" }, { "Lag" }, { "ShadowDifferences", "ShadowSkipped" } }

-- How old each object was when all its messages were confirmed, in milliseconds.
local function lags_of(entries, now_ms, parse_time)
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

-- A directive: the metrics of these names, from the first to the last of them.
local function directive(dimensions, names, first, last)
  local metrics = {}
  for i = first or 1, last or #names do
    metrics[#metrics + 1] = { Name = names[i], Unit = UNITS[names[i]] or "Count" }
  end
  return { Namespace = "Pigeon", Dimensions = { dimensions }, Metrics = metrics }
end

-- Sorted. Where there are more than a line takes: evenly spaced ones, with the longest.
local function some_of(lags)
  table.sort(lags)
  if #lags <= MOST_VALUES then return lags end
  local some = {}
  for i = 1, MOST_VALUES do some[i] = lags[i * #lags // MOST_VALUES] end
  return some
end

-- The members that differ from event to event.
local function changing(batch, facts, parse_time)
  local members = { DecideTime = facts.decide_us / 1000 }
  if batch.messages > 0 then members.PublishTime = facts.publish_us / 1000 end
  if facts.connect_us > 0 then members.ConnectTime = facts.connect_us / 1000 end
  local lags = lags_of(batch.entries, facts.now_ms, parse_time)
  if #lags > 0 then members.Lag = #lags == 1 and lags[1] or some_of(lags) end
  if batch.shadow then
    members.ShadowDifferences, members.ShadowSkipped = batch.shadow.differences, batch.shadow.skipped
  end
  return members
end

-- Returns a function from these members to their JSON as a list of pieces. The form for each set of
-- occasional metrics is made once; writing it for each event takes 15 % of its CPU.
local function changing_writer(settings, names)
  local dimensions = { "FunctionName", settings.env and "Environment" }
  local of_queues = #counters.names + 1
  local forms = {}

  local function make(members)
    local list = {
      directive(dimensions, { "DecideTime", table.unpack(names, 1, of_queues - 1) }),
      directive(dimensions, names, of_queues),
    }
    if settings.function_version then list[#list + 1] = directive({ "FunctionName", "Version" }, OF_VERSION) end
    local there, root = {}, {}
    for _, some in ipairs(OCCASIONAL) do
      if members[some[1]] then table.move(some, 1, #some, #there + 1, there) end
    end
    if #there > 0 then list[#list + 1] = directive(dimensions, there) end
    for _, name in ipairs { "DecideTime", table.unpack(there) } do root[name] = json.blank(name) end
    root._aws = { Timestamp = json.blank "now", CloudWatchMetrics = list }
    return json.form(root)
  end

  return function(members)
    local set = 0
    for i = 1, #OCCASIONAL do
      if members[OCCASIONAL[i][1]] then set = set | 1 << i end
    end
    forms[set] = forms[set] or make(members)
    return forms[set](members)
  end
end

-- Returns a function from the counts to the members that seldom change, as JSON. The text is kept
-- until a count changes: most events have the same counts.
local function counter_writer(settings, names)
  local root = {
    FunctionName = text.clean(settings.function_name or "-", 255), Environment = settings.env,
    Version = settings.function_version,
  }
  for _, name in ipairs(names) do root[name] = json.blank(name) end
  local form = json.form(root)
  local counted, shown = {}, nil -- by name
  return function(counts)
    local changed = false
    for place = 1, #counts do
      local name, value = names[place], counts[place]
      if counted[name] ~= value then counted[name], changed = value, true end
    end
    if changed then shown = concat(form(counted)) end
    return shown
  end
end

--- {env, function_name, function_version}, and the names that counters.open() returned -> a function
-- from counts, a concluded batch and facts {now_ms, decide_us, publish_us, connect_us} to the line
-- as a list of pieces.
function emf.open(settings, names)
  local write, write_counts = changing_writer(settings, names), counter_writer(settings, names)
  local parse_time = rfc3339.parser()
  return function(counts, batch, facts)
    local members = changing(batch, facts, parse_time)
    members.now = facts.now_ms
    local pieces = write(members)
    local last = #pieces
    pieces[last] = sub(pieces[last], 1, -2) .. "," -- without "}": two objects become one
    pieces[last + 1] = sub(write_counts(counts), 2)
    return pieces
  end
end

return emf
