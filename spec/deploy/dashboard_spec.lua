-- The dashboard and the saved queries show what Pigeon writes.
package.path = "spec/support/?.lua;" .. package.path
local cjson = require "cjson"
local cloudformation = require "cloudformation"
local pigeon_metrics = require "pigeon_metrics"

local template = cloudformation.load("deploy/template.yaml")
local resources = template.Resources

local function dashboard(values)
  return cjson.decode(cloudformation.render(template, resources.Dashboard.Properties.DashboardBody, values))
end

-- Calls visit(metric) for each metric of a dashboard: a list, the last of which may be a table of options.
local function each_metric(board, visit)
  for _, widget in ipairs(board.widgets) do
    for _, metric in ipairs(widget.properties.metrics) do visit(metric, widget.properties) end
  end
end

-- {"Pigeon", "Lag", "FunctionName", "x", {...}} -> "Lag by FunctionName", and the dimensions' values.
local function name_of(metric)
  local dimensions, values = {}, {}
  for i = 3, #metric - 1, 2 do
    dimensions[#dimensions + 1], values[#values + 1] = metric[i], metric[i + 1]
  end
  return metric[2] .. " by " .. table.concat(dimensions, ","), values
end

-- The names of the metrics that a search finds, or fails: its words are in CloudWatch's syntax.
local function found_by(expression, written)
  local dimensions, name, stat = expression:match(
    "^SEARCH%('{Pigeon,([%w,]+)} FunctionName=\"<Function>\".* MetricName=(%w+)', '(%w+)', 300%)$")
  assert.truthy(dimensions, expression)
  assert.equal("Sum", stat)
  local found = {}
  for metric in pairs(written) do
    local own, by = metric:match("^(.*) by (.*)$")
    if by == dimensions and (own == name or own:find(name .. ".", 1, true) == 1) then found[own] = true end
  end
  assert.truthy(found[name], expression)
  return found
end

describe("the dashboard", function()
  for _, env in ipairs { "", "prod" } do
    for _, source in ipairs { "EventBridge", "SQS", "S3" } do
      local values = { PigeonEnv = env, Source = source, ["AWS::Region"] = "us-west-2" }

      it(("shows metrics that Pigeon writes, env %q, by %s"):format(env, source), function()
        local written, shown = pigeon_metrics.written(env), {}
        each_metric(dashboard(values), function(metric, properties)
          assert.equal("us-west-2", properties.region)
          if metric[1] == "Pigeon" then
            local name, dimensions = name_of(metric)
            assert.truthy(written[name], name)
            assert.same({ "<Function>", env ~= "" and env or nil }, dimensions)
            shown[metric[2] .. (metric[#metric].stat or "")] = true
          elseif metric[1].expression then
            for name in pairs(found_by(metric[1].expression, written)) do shown[name] = true end
          end
        end)
        for _, name in ipairs { "Objects", "Published.normal", "Failed.normal", "Failed.other", "Throttled.submitter",
          "Lagp50", "Lagp99", "ShadowDifferences" } do
          assert.truthy(shown[name], name)
        end
      end)

      it(("shows the queue that there is, env %q, by %s"):format(env, source), function()
        local queues = {}
        each_metric(dashboard(values), function(metric)
          if metric[1] == "AWS/SQS" then queues[metric[2]] = metric[4] end
        end)
        local dead = source == "S3" and "<FailureQueue.QueueName>" or "<DeadLetterQueue.QueueName>"
        local queue = source ~= "S3" and "<Queue.QueueName>" or nil
        assert.same({ ApproximateNumberOfMessagesVisible = dead, ApproximateAgeOfOldestMessage = queue }, queues)
      end)
    end
  end

  it("shows versions side by side, by what the alarms of a deploy watch", function()
    local of_versions = {}
    each_metric(dashboard {}, function(metric)
      local expression = type(metric[1]) == "table" and metric[1].expression or ""
      if expression:find("Version}", 1, true) then
        for name in pairs(found_by(expression, pigeon_metrics.written(""))) do of_versions[name] = true end
      end
    end)
    assert.same({ Objects = true, Published = true, Failed = true, Junk = true }, of_versions)
  end)
end)

describe("a saved query", function()
  local page = assert(io.open("deploy/MONITORING.md")):read("a")
  local queries = 0
  for name, resource in pairs(resources) do
    if resource.Type == "AWS::Logs::QueryDefinition" then
      queries = queries + 1
      it(name .. " is in deploy/MONITORING.md, as it is", function()
        local indented = "    " .. resource.Properties.QueryString:gsub("\n$", ""):gsub("\n", "\n    ") .. "\n"
        assert.truthy(page:find(indented, 1, true), indented)
        assert.same({ { Ref = "LogGroup" } }, resource.Properties.LogGroupNames)
      end)
    end
  end

  it("is there for each query of the page", function()
    local section = page:match("## Queries\n(.-)\n## ")
    local _, blocks = section:gsub("\n\n    %S", "")
    assert.equal(blocks, queries)
  end)

  it("asks for fields that a difference in shadow has", function()
    local text = resources.QueryOfShadow.Properties.QueryString
    local line = require("pigeon.report.shadow").lines({ differences = 1, skipped = 0, changes = { {
      entry = { label = "k", object = { bucket = "b", key = "k" } }, other = { problem = "a.lua:3: bad" },
      from = "accept", to = "fail",
    } } }, "v")[1]
    local fields = {}
    for i = 1, #line.facts, 2 do fields[line.facts[i]] = true end
    for field in text:gmatch("[%w_]*verdict") do assert.truthy(fields[field], field) end
    assert.truthy(fields.rule and fields.key)
  end)
end)
