--- CloudWatch's embedded metric format, by its published rules:
-- https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
local assert = require "luassert"
local cjson = require "cjson"

local UNITS = {}
for unit in ([[Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits
  Gigabits Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second Gigabytes/Second Terabytes/Second
  Bits/Second Kilobits/Second Megabits/Second Gigabits/Second Terabits/Second Count/Second None]]):gmatch("%S+") do
  UNITS[unit] = true
end

local function is_text(value, most)
  return type(value) == "string" and #value >= 1 and #value <= most and value:find("%S") and value:find("^[ -~]+$")
end

local function is_value(value)
  if type(value) == "number" then return value == value and math.abs(value) < math.huge end
  if type(value) ~= "table" or #value < 1 or #value > 100 then return false end
  for _, number in ipairs(value) do
    if type(number) ~= "number" then return false end
  end
  return true
end

--- One line of it: raises where it breaks a rule; returns it decoded, a set of its metrics, and a set of
-- them with their dimensions: 'Junk by ["FunctionName"]'.
local function assert_emf(line)
  assert.is_true(#line <= 1024 * 1024)
  assert.is_nil(line:find("[\0-\31]"))
  local root = cjson.decode(line)
  assert.equal(0, root._aws.Timestamp % 1)
  assert.is_true(root._aws.Timestamp > 1e12 and root._aws.Timestamp < 1e13)
  assert.is_true(#root._aws.CloudWatchMetrics >= 1)
  local defined, places = {}, {}
  for _, directive in ipairs(root._aws.CloudWatchMetrics) do
    assert.is_truthy(is_text(directive.Namespace, 1024))
    assert.is_nil(directive.Namespace:find("^AWS/"))
    assert.is_true(#directive.Dimensions >= 1)
    for _, set in ipairs(directive.Dimensions) do
      assert.is_true(#set <= 30)
      for _, name in ipairs(set) do
        assert.is_truthy(is_text(name, 250), name)
        assert.is_truthy(is_text(root[name], 1024), name)
      end
    end
    assert.is_true(#directive.Metrics >= 1 and #directive.Metrics <= 100)
    for _, metric in ipairs(directive.Metrics) do
      assert.is_truthy(is_text(metric.Name, 255), metric.Name)
      assert.is_true(metric.Unit == nil or UNITS[metric.Unit], metric.Unit)
      assert.is_true(is_value(root[metric.Name]), metric.Name)
      for _, set in ipairs(directive.Dimensions) do
        local place = metric.Name .. " by " .. cjson.encode(set)
        assert.is_nil(places[place], place .. " is defined twice")
        places[place], defined[metric.Name] = true, true
      end
    end
  end
  return root, defined, places
end

return assert_emf
