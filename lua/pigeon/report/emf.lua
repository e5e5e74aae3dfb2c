--- A batch's metrics as one line in CloudWatch's embedded metric format (EMF).
-- https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
--
-- Each byte is billed, so a count that is zero is left out, and counts have no unit. Kept are the
-- zeros that an expression of an alarm in deploy/template.yaml needs: whether FILL() fills a metric
-- that has no data at all, the documentation leaves open.
local counters = require "pigeon.report.counters"
local json = require "pigeon.json"
local rfc3339 = require "pigeon.report.rfc3339"
local text = require "pigeon.text"

local concat, encode = table.concat, json.encode

local emf = {}

local MOST_VALUES = 100 -- of one metric in a line
local MOST_METRICS = 100 -- of one directive

local AT = counters.places

-- Those that are written as 0, too.
local ALWAYS = { [AT.Objects] = true, [AT.Published] = true, [AT.Junk] = true }

-- The metrics that the alarms of a deploy watch for the new version alone: deploy/template.yaml.
local OF_VERSION = { [AT.Objects] = true, [AT.Published] = true, [AT.Failed] = true, [AT.Junk] = true }

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

-- Sorted. Where there are more than a line takes: evenly spaced ones, with the longest.
local function some_of(lags)
  table.sort(lags)
  if #lags <= MOST_VALUES then return lags end
  local some = {}
  for i = 1, MOST_VALUES do some[i] = lags[i * #lags // MOST_VALUES] end
  return some
end

-- Returns add(definitions, members, value): a metric of this name becomes part of both lists.
local function adder(name, unit)
  local definition = encode { Name = name, Unit = unit }
  local member = encode(name) .. ":"
  return function(definitions, members, value)
    definitions[#definitions + 1], members[#members + 1] = definition, member .. value
  end
end

-- The directives for these definitions, of as many metrics as each may have; with a comma at the end.
local function directives(dimensions, definitions)
  local parts = {}
  for first = 1, #definitions, MOST_METRICS do
    parts[#parts + 1] = ('{"Namespace":"Pigeon","Dimensions":[%s],"Metrics":[%s]},'):format(dimensions,
      concat(definitions, ",", first, math.min(#definitions, first + MOST_METRICS - 1)))
  end
  return concat(parts)
end

local NONE = { differences = 0, skipped = 0 }
local MILLISECONDS = "Milliseconds"
local ADD = {
  decide = adder("DecideTime", MILLISECONDS), publish = adder("PublishTime", MILLISECONDS),
  connect = adder("ConnectTime", MILLISECONDS), lag = adder("Lag", MILLISECONDS),
  differences = adder("ShadowDifferences"), skipped = adder("ShadowSkipped"),
}

-- What is not a count: times, and what the shadow script did.
local function add_others(definitions, members, batch, facts, lags)
  ADD.decide(definitions, members, encode(facts.decide_us / 1000))
  if batch.messages > 0 then ADD.publish(definitions, members, encode(facts.publish_us / 1000)) end
  if facts.connect_us > 0 then ADD.connect(definitions, members, encode(facts.connect_us / 1000)) end
  if #lags > 0 then ADD.lag(definitions, members, encode(#lags == 1 and lags[1] or some_of(lags))) end
  local shadow = batch.shadow or NONE
  if shadow.differences > 0 then ADD.differences(definitions, members, shadow.differences) end
  if shadow.skipped > 0 then ADD.skipped(definitions, members, shadow.skipped) end
end

--- {env, function_name, function_version}, and the names that counters.open() returned -> a function
-- from counts, a concluded batch and facts {now_ms, decide_us, publish_us, connect_us} to the line.
function emf.open(settings, names)
  local parse_time = rfc3339.parser()
  local add = {}
  for place, name in ipairs(names) do add[place] = adder(name) end
  local dimensions = settings.env and '["FunctionName","Environment"]' or '["FunctionName"]'
  local of_version = settings.function_version and OF_VERSION or {}
  local properties = encode {
    FunctionName = text.clean(settings.function_name or "-", 255), Environment = settings.env,
    Version = settings.function_version,
  }

  return function(counts, batch, facts)
    local twice, once, members = {}, {}, {}
    for place = 1, #counts do
      local count = counts[place]
      if count ~= 0 or ALWAYS[place] then add[place](of_version[place] and twice or once, members, count) end
    end
    add_others(once, members, batch, facts, lags_of(batch.entries, facts.now_ms, parse_time))
    local both = directives(dimensions .. ',["FunctionName","Version"]', twice) .. directives(dimensions, once)
    return ('{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[%s]},%s,%s}'):format(facts.now_ms, both:sub(1, -2),
      properties:sub(2, -2), concat(members, ","))
  end
end

return emf
