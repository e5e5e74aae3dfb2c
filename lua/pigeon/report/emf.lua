--- A batch's metrics as one line in CloudWatch's embedded metric format (EMF).
-- https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
local counters = require "pigeon.report.counters"
local rfc3339 = require "pigeon.report.rfc3339"
local text = require "pigeon.text"

local concat, format = table.concat, string.format

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

-- A sorted list. Where there are more than a line takes: evenly spaced ones, with the longest.
local function list_lags(lags)
  table.sort(lags)
  local some = lags
  if #lags > MOST_VALUES then
    some = {}
    for i = 1, MOST_VALUES do some[i] = lags[i * #lags // MOST_VALUES] end
  end
  return "[" .. concat(some, ",") .. "]"
end

-- The member of each occasional metric, or "" where the batch does not have it.
local function occasional(batch, facts, parse_time)
  local lags, shadow = lags_of(batch.entries, facts.now_ms, parse_time), batch.shadow
  return batch.messages > 0 and ',"PublishTime":' .. milliseconds(facts.publish_us) or "",
    facts.connect_us > 0 and ',"ConnectTime":' .. milliseconds(facts.connect_us) or "",
    #lags > 0 and ',"Lag":' .. (#lags == 1 and lags[1] or list_lags(lags)) or "",
    shadow and format(',"ShadowDifferences":%d,"ShadowSkipped":%d', shadow.differences, shadow.skipped) or ""
end

-- Returns a function from a set of occasional metrics (bit i for the i-th) to the text between the
-- time and the counters. Each text is made once: 3 % of a lone event's CPU.
local function head_writer(settings, names)
  local dimensions, values = '"FunctionName"', '"FunctionName":' .. text.json(settings.function_name or "-", 255)
  if settings.env then
    dimensions, values = dimensions .. ',"Environment"', values .. ',"Environment":' .. text.json(settings.env, 255)
  end
  local before = '{"Namespace":"Pigeon","Dimensions":[[' .. dimensions .. ']],"Metrics":['
  local of_queues = #counters.names + 1
  local directives = before .. define_all(names, 1, of_queues - 1) .. "," .. define_all { "DecideTime" } .. "]},"
    .. before .. define_all(names, of_queues) .. "]}"
  if settings.function_version then
    values = values .. ',"Version":' .. text.json(settings.function_version, 255)
    directives = directives .. ',{"Namespace":"Pigeon","Dimensions":[["FunctionName","Version"]],"Metrics":['
      .. define_all(OF_VERSION) .. "]}"
  end

  local heads = {}
  return function(set)
    if not heads[set] then
      local there = {}
      for i, some in ipairs(OCCASIONAL) do
        if set >> i & 1 == 1 then there[#there + 1] = define_all(some) end
      end
      local more = #there > 0 and "," .. before .. concat(there, ",") .. "]}" or ""
      heads[set] = ',"CloudWatchMetrics":[' .. directives .. more .. "]}," .. values
    end
    return heads[set]
  end
end

-- Returns a function from the counts to their members. The text is kept until a count changes:
-- most events have the same counts, and it takes 8 % of a lone event's CPU.
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

--- {env, function_name, function_version}, and the names that counters.open() returned -> a function
-- from counts, a concluded batch and facts {now_ms, decide_us, publish_us, connect_us} to the line
-- as a list of pieces.
function emf.open(settings, names)
  local head_of, show = head_writer(settings, names), counter_writer(names)
  local parse_time = rfc3339.parser()
  return function(counts, batch, facts)
    local publish, connect, lag, shadow = occasional(batch, facts, parse_time)
    local set = (publish ~= "" and 2 or 0) | (connect ~= "" and 4 or 0) | (lag ~= "" and 8 or 0)
      | (shadow ~= "" and 16 or 0)
    return { '{"_aws":{"Timestamp":', facts.now_ms, head_of(set), show(counts),
      ',"DecideTime":', milliseconds(facts.decide_us), publish, connect, lag, shadow, "}" }
  end
end

return emf
