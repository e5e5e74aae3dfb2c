package.path = "spec/support/?.lua;" .. package.path
local cloudformation = require "cloudformation"

local cjson = require "cjson"
local pigeon_metrics = require "pigeon_metrics"

local template = cloudformation.load("deploy/template.yaml")
local resources, parameters = template.Resources, template.Parameters
local fn = resources.Function.Properties

-- Resources that SAM adds for the function: https://github.com/aws/serverless-application-model
local MADE_BY_SAM = { ["Function.Alias"] = true, ["Function.Version"] = true, FunctionAliaslive = true }

local function render(node, values)
  return cloudformation.render(template, node, values)
end

local function sorted(set)
  local list = {}
  for key in pairs(set) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end

-- The settings that the program reads, by the one file that may read them.
local function settings_read()
  local names = {}
  for name in assert(io.open("host/config.c")):read("a"):gmatch('STRING%("(PIGEON_[%w_]+)"') do
    names[name] = true
  end
  return names
end

-- Calls visit(name, argument) for each intrinsic function below node.
local function walk(node, visit)
  if type(node) ~= "table" then return end
  for key, value in pairs(node) do
    if key == "Ref" or key == "Condition" or tostring(key):match("^Fn::") then visit(key, value) end
    walk(value, visit)
  end
end

-- The names that node refers to -> true.
local function names_used(node)
  local used = { parameters = {}, conditions = {} }
  walk(node, function(name, argument)
    if name == "Ref" then
      used.parameters[argument] = true
    elseif name == "Fn::GetAtt" then
      used.parameters[argument:match("^(.*)%.")] = true
    elseif name == "Fn::Sub" then
      local own = type(argument) == "table" and argument[2] or {}
      for what in (type(argument) == "table" and argument[1] or argument):gmatch("%${([^}]+)}") do
        if not own[what] then used.parameters[resources[what] and what or what:gsub("%.%w+$", "")] = true end
      end
    elseif name == "Fn::If" then
      used.conditions[argument[1]] = true
    elseif name == "Condition" and type(argument) == "string" then
      used.conditions[argument] = true
    end
  end)
  return used
end

describe("deploy/template.yaml", function()
  local used = names_used({ template.Resources, template.Outputs, template.Conditions, template.Rules })

  it("sets exactly the variables that the program reads", function()
    local set = {}
    for name in pairs(fn.Environment.Variables) do
      set[name] = true
    end
    assert.same(sorted(settings_read()), sorted(set))
  end)

  it("has a parameter for each of them, named as they are, but for what it knows itself", function()
    for name in pairs(settings_read()) do
      if name ~= "PIGEON_BATCH_FAILURES" then
        local parameter = name:lower():gsub("^%l", string.upper):gsub("_(%l)", string.upper)
        local value = fn.Environment.Variables[name]
        assert.truthy(parameters[parameter], parameter)
        assert.equal(parameter, value.Ref or value["Fn::If"][2].Ref)
      end
    end
  end)

  it("is not alone in naming them: the tables of the pages and the help of bin/pigeon do", function()
    local tables = ""
    for _, page in ipairs { "README.md", "deploy/CONFIGURATION.md" } do
      for row in io.lines(page) do
        tables = tables .. (row:match "^| ([^|]*) |" or "")
      end
    end
    local help = assert(io.open("host/main.c")):read("a"):match "static const char help%[%] =.-;\n"
    for name in pairs(settings_read()) do
      assert.truthy(tables:find("`" .. name .. "`", 1, true), "no row for " .. name .. " in deploy/CONFIGURATION.md")
      local shown = name:gsub("^PIGEON_TLS.*", "PIGEON_TLS*")
      assert.truthy(help:find(shown, 1, true), shown .. " is not in the help of host/main.c")
    end
  end)

  it("refers to nothing that is not there", function()
    for name in pairs(used.parameters) do
      assert.truthy(parameters[name] or resources[name] or MADE_BY_SAM[name] or name:match("^AWS::"), name)
    end
    for name in pairs(used.conditions) do
      assert.truthy(template.Conditions[name], name)
    end
    for name, resource in pairs(resources) do
      local needed = resource.DependsOn
      assert.truthy(not needed or resources[needed] or MADE_BY_SAM[needed], name)
    end
  end)

  it("has no parameter and no condition without a use, and each parameter in a group", function()
    local grouped = {}
    for _, group in ipairs(template.Metadata["AWS::CloudFormation::Interface"].ParameterGroups) do
      for _, name in ipairs(group.Parameters) do
        grouped[name] = true
      end
    end
    assert.same(sorted(parameters), sorted(grouped))
    for name in pairs(parameters) do
      assert.truthy(used.parameters[name], name)
    end
    for name in pairs(template.Conditions) do
      assert.truthy(used.conditions[name], name)
    end
  end)

  it("refers to what exists on a condition only on that condition", function()
    for name, resource in pairs(resources) do
      local bare = {}
      for key, value in pairs(resource.Properties) do
        bare[key] = value
      end
      -- a reference in an Fn::If may be for one branch
      local function unconditional(node, visit)
        if type(node) ~= "table" or node["Fn::If"] then return end
        if node["Fn::GetAtt"] then visit(node["Fn::GetAtt"]:match("^(.-)%.")) end
        if node.Ref then visit(node.Ref) end
        for _, value in pairs(node) do
          unconditional(value, visit)
        end
      end
      unconditional(bare, function(target)
        local other = resources[target]
        if other and other.Condition then
          for _, source in ipairs(parameters.Source.AllowedValues) do
            local here = not resource.Condition or render({ Condition = resource.Condition }, { Source = source })
            assert.truthy(not here or render({ Condition = other.Condition }, { Source = source }), name)
          end
        end
      end)
    end
  end)

  for _, case in ipairs {
    { "the function runs on provided.al2023", fn.Runtime, "provided.al2023" },
    { "its handler is rules.lua", fn.Handler, "rules.lua" },
    { "256 MB", parameters.MemorySize.Default, 256 },
    { "30 s", parameters.Timeout.Default, 30 },
    { "10 s at least", parameters.Timeout.MinValue, 10 },
    { "a timeout that fits six times into the visibility timeout, with the window",
      parameters.Timeout.MaxValue * 6 + parameters.MaximumBatchingWindow.MaxValue,
      resources.Queue.Properties.VisibilityTimeout },
    { "by EventBridge unless asked otherwise", parameters.Source.Default, "EventBridge" },
    { "visibility timeout", resources.Queue.Properties.VisibilityTimeout, 300 },
    { "30 receives", resources.Queue.Properties.RedrivePolicy.maxReceiveCount, 30 },
    { "the queue keeps for 7 days", resources.Queue.Properties.MessageRetentionPeriod, 7 * 24 * 3600 },
    { "the dead-letter queue for as long as SQS can", resources.DeadLetterQueue.Properties.MessageRetentionPeriod,
      14 * 24 * 3600 },
    { "and so does the failure queue", resources.FailureQueue.Properties.MessageRetentionPeriod, 14 * 24 * 3600 },
    { "its trigger takes partial answers", resources.Trigger.Properties.FunctionResponseTypes[1],
      "ReportBatchItemFailures" },
    { "which Pigeon is told by the queue's name", fn.Environment.Variables.PIGEON_BATCH_FAILURES["Fn::If"][2],
      { ["Fn::GetAtt"] = "Queue.QueueName" } },
    { "the trigger's concurrency is limited", resources.Trigger.Properties.ScalingConfig.MaximumConcurrency,
      { Ref = "MaximumConcurrency" } },
    { "an event from S3 that failed is kept", resources.Asynchronous.Properties.DestinationConfig.OnFailure.Destination,
      { ["Fn::GetAtt"] = "FailureQueue.Arn" } },
    { "log lines are JSON", fn.LoggingConfig.LogFormat, "JSON" },
  } do
    it(case[1], function()
      assert.same(case[3], case[2])
    end)
  end

  it("says what a direct trigger costs", function()
    assert.matches("outage over three minutes", parameters.Source.Description)
  end)

  it("has no right on S3, and on a secret only where one is named", function()
    local unconditional, allowed = {}, {}
    for _, statement in ipairs(resources.Role.Properties.Policies[1].PolicyDocument.Statement) do
      local granted = statement["Fn::If"] and statement["Fn::If"][2] or statement
      allowed[granted.Sid] = statement["Fn::If"] and statement["Fn::If"][1] or "always"
      local actions = type(granted.Action) == "table" and granted.Action or { granted.Action }
      for _, action in ipairs(actions) do
        assert.not_matches("^s3:", action)
        assert.not_matches("%*", action)
      end
      if granted.Resource == "*" then unconditional[#unconditional + 1] = granted.Sid end
    end
    assert.same({ Log = "always", Receive = "FromQueue", KeepFailures = "FromBucket", Secret = "HasSecret",
      Parameter = "HasParameter", Key = "HasKey", Token = "HasAudience", Vpc = "HasVpc" }, allowed)
    assert.same({ "Token", "Vpc" }, unconditional)
  end)

  it("asks STS for tokens of one audience alone", function()
    for _, statement in ipairs(resources.Role.Properties.Policies[1].PolicyDocument.Statement) do
      local granted = statement["Fn::If"] and statement["Fn::If"][2] or statement
      if granted.Sid == "Token" then
        assert.same({ ["ForAllValues:StringEquals"] = { ["sts:IdentityTokenAudience"] = { "rabbitmq" } } },
          render(granted.Condition, { TokenAudience = "rabbitmq" }))
      end
    end
  end)

  it("has no empty PIGEON_USER", function()
    local user = fn.Environment.Variables.PIGEON_USER
    assert.equal("u", render(user, { PigeonUser = "u" }))
    assert.same({ Ref = "AWS::NoValue" }, user["Fn::If"][3])
  end)

  it("lets only that bucket of this account in", function()
    local arn = { ["Fn::Sub"] = "arn:${AWS::Partition}:s3:::${BucketName}" }
    local account = { Ref = "AWS::AccountId" }
    assert.same({ arn, account },
      { resources.BucketMayInvoke.Properties.SourceArn, resources.BucketMayInvoke.Properties.SourceAccount })
    local by_bucket, by_rule = table.unpack(resources.QueuePolicy.Properties.PolicyDocument.Statement)
    by_rule = by_rule["Fn::If"][2]
    assert.same({ ArnEquals = { ["aws:SourceArn"] = arn }, StringEquals = { ["aws:SourceAccount"] = account } },
      by_bucket.Condition)
    for _, statement in ipairs { by_rule, resources.DeadLetterPolicy.Properties.PolicyDocument.Statement[1] } do
      assert.same({ ArnEquals = { ["aws:SourceArn"] = { ["Fn::GetAtt"] = "Rule.Arn" } } }, statement.Condition)
    end
    assert.same({ { Ref = "BucketName" } }, resources.Rule.Properties.EventPattern.detail.bucket.name)
  end)

  describe("with a BackfillBucket", function()
    local role = resources.BackfillRole

    it("has a role for jobs of S3 Batch Operations, and otherwise none", function()
      assert.is_false(render({ Condition = role.Condition }))
      assert.is_true(render({ Condition = role.Condition }, { BackfillBucket = "b" }))
      assert.equal(role.Condition, template.Outputs.BackfillRoleArn.Condition)
      assert.same({ { Effect = "Allow", Principal = { Service = "batchoperations.s3.amazonaws.com" },
        Action = "sts:AssumeRole" } }, role.Properties.AssumeRolePolicyDocument.Statement)
    end)

    it("lets it invoke live, read manifests and write reports, and nothing else", function()
      local granted = {}
      for _, statement in ipairs(role.Properties.Policies[1].PolicyDocument.Statement) do
        local actions = statement.Action
        granted[type(actions) == "table" and table.concat(actions, " ") or actions] =
          render(statement.Resource, { BackfillBucket = "b", ["AWS::Partition"] = "aws" })
      end
      assert.same({
        ["lambda:InvokeFunction"] = "<Function.Alias>",
        ["s3:GetObject s3:GetObjectVersion s3:PutObject"] = "arn:aws:s3:::b/*",
        ["s3:GetBucketLocation"] = "arn:aws:s3:::b",
      }, granted)
    end)

    it("bounds the function's concurrency, which nothing else does for a job", function()
      local function reserved(values)
        values.ReservedConcurrency = 20
        return render(fn.ReservedConcurrentExecutions, values)
      end
      assert.equal(20, reserved { BackfillBucket = "b" })
      assert.equal(20, reserved { Source = "S3" })
      assert.equal("<AWS::NoValue>", reserved {})
    end)
  end)

  it("takes a deploy back on four alarms, which watch the new version alone", function()
    local names = {}
    for i, alarm in ipairs(fn.DeploymentPreference.Alarms) do
      names[i] = alarm.Ref
      local text = cjson.encode(resources[alarm.Ref])
      assert.matches('"Fn::GetAtt":"Function.Version.Version"', text, alarm.Ref)
    end
    assert.same({ "ErrorsAlarm", "FailedAlarm", "NothingPublishedAlarm", "JunkAlarm" }, names)
    assert.equal("live", fn.AutoPublishAlias)
  end)

  it("takes no deploy back for a few objects that were deferred or ignored", function()
    for _, name in ipairs { "NothingPublishedAlarm", "JunkAlarm" } do
      assert.matches("^IF%(objects > 20 ?[,A]", resources[name].Properties.Metrics[1].Expression, name)
    end
  end)

  it("alarms only on metrics that Pigeon writes, under the dimensions that it writes", function()
    for _, env in ipairs { "", "prod" } do
      local written, found = pigeon_metrics.written(env), 0
      local function visit(node)
        if type(node) ~= "table" then return end
        if node.Namespace == "Pigeon" then
          local names = {}
          for i, dimension in ipairs(node.Dimensions) do names[i] = dimension.Name end
          local name = node.MetricName .. " by " .. table.concat(names, ",")
          assert.truthy(written[name], name)
          found = found + 1
        end
        for _, value in pairs(node) do visit(value) end
      end
      for _, resource in pairs(resources) do
        if resource.Type == "AWS::CloudWatch::Alarm" then visit(render(resource.Properties, { PigeonEnv = env })) end
      end
      assert.equal(6, found)
    end
  end)

  it("alarms by no expression on a metric that an event may leave out", function()
    local written, found = pigeon_metrics.at_least(""), {}
    for _, resource in pairs(resources) do
      for _, metric in ipairs(resource.Type == "AWS::CloudWatch::Alarm" and resource.Properties.Metrics or {}) do
        local one = metric.MetricStat and metric.MetricStat.Metric
        if one then
          found[#found + 1] = one.MetricName
          assert.truthy(written[one.MetricName .. " by FunctionName,Version"], one.MetricName)
        end
      end
    end
    table.sort(found)
    assert.same({ "Junk", "Objects", "Objects", "Published" }, found)
  end)

  it("takes what an event may leave out for zero", function()
    local left_out = {}
    for _, resource in pairs(resources) do
      local alarm = resource.Type == "AWS::CloudWatch::Alarm" and resource.Properties or {}
      if alarm.Namespace == "Pigeon" and alarm.MetricName ~= "Objects" then
        left_out[#left_out + 1] = alarm.MetricName
        assert.equal("notBreaching", alarm.TreatMissingData)
      end
    end
    assert.same({ "Failed" }, left_out)
  end)

  it("alarms on what carries the events", function()
    local watched = {}
    for _, resource in pairs(resources) do
      local metric = resource.Type == "AWS::CloudWatch::Alarm" and resource.Properties.MetricName
      if metric then watched[metric] = true end
    end
    for _, name in ipairs { "AsyncEventAge", "AsyncEventsDropped", "DestinationDeliveryFailures", "Throttles",
      "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible", "Errors", "Failed", "Objects" } do
      assert.truthy(watched[name], name)
    end
  end)

  it("alarms on messages that fail again and again before SQS leaves them out of their age", function()
    local alarm, timeout = resources.QueueAgeAlarm.Properties, resources.Queue.Properties.VisibilityTimeout
    assert.truthy(timeout + parameters.MaximumBatchingWindow.MaxValue < alarm.Threshold)
    assert.truthy(alarm.Threshold + alarm.Period / 2 <= 2 * timeout)
  end)

  it("takes a deploy back on few events, too: one that fails comes again within what an alarm looks at", function()
    for _, name in ipairs { "ErrorsAlarm", "FailedAlarm" } do
      local alarm = resources[name].Properties
      local looks_at = alarm.Period * alarm.EvaluationPeriods
      assert.truthy(looks_at >= alarm.DatapointsToAlarm * resources.Queue.Properties.VisibilityTimeout, name)
    end
  end)

  it("alarms on no unit, which would leave out what is published in another", function()
    for name, resource in pairs(resources) do
      if resource.Type == "AWS::CloudWatch::Alarm" then assert.is_nil(resource.Properties.Unit, name) end
    end
  end)

  it("tells the topic of each alarm when it begins and when it ends", function()
    for name, resource in pairs(resources) do
      if resource.Type == "AWS::CloudWatch::Alarm" then
        for _, member in ipairs { "AlarmActions", "OKActions" } do
          assert.same({ "arn:topic" }, render(resource.Properties[member], { AlarmTopicArn = "arn:topic" }), name)
        end
      end
    end
  end)

  it("alarms on silence after QuietMinutes, where there are any", function()
    local alarm = resources.SilenceAlarm
    local function exists(minutes) return render({ Condition = alarm.Condition }, { QuietMinutes = minutes }) end
    assert.is_false(exists(0))
    assert.is_true(exists(90))
    local properties = render(alarm.Properties, { QuietMinutes = 90 })
    assert.same({ 60, 90, "breaching" },
      { properties.Period, properties.EvaluationPeriods, properties.TreatMissingData })
    -- CloudWatch looks at a day of such periods at most
    assert.equal(24 * 3600, properties.Period * parameters.QuietMinutes.MaxValue)
  end)

  it("keeps dead letters longer than their source, whose age they have, and of no other queue", function()
    local source, dead = resources.Queue.Properties, resources.DeadLetterQueue.Properties
    assert.truthy(source.MessageRetentionPeriod < dead.MessageRetentionPeriod)
    assert.equal("byQueue", dead.RedriveAllowPolicy.redrivePermission)
    local values = { ["AWS::Partition"] = "aws", ["AWS::Region"] = "r", ["AWS::AccountId"] = "1",
      ["AWS::StackName"] = "pigeon" }
    assert.same({ "arn:aws:sqs:r:1:" .. render(source.QueueName, values) },
      render(dead.RedriveAllowPolicy.sourceQueueArns, values))
  end)

  it("can be deployed again after a first deploy that failed", function()
    local kept = {}
    for name, resource in pairs(resources) do
      if resource.DeletionPolicy then kept[name] = resource.DeletionPolicy end
    end
    assert.same({ LogGroup = "RetainExceptOnCreate", DeadLetterQueue = "RetainExceptOnCreate",
      FailureQueue = "RetainExceptOnCreate" }, kept)
  end)

  it("bounds each role that it makes", function()
    for name, resource in pairs(resources) do
      if resource.Type == "AWS::IAM::Role" then
        assert.equal("arn:b", render(resource.Properties.PermissionsBoundary, { PermissionsBoundary = "arn:b" }), name)
      end
    end
    assert.same({ ["Fn::GetAtt"] = "DeploymentRole.Arn" }, fn.DeploymentPreference.Role)
  end)

  it("describes each output, in a sentence", function()
    for name, output in pairs(template.Outputs) do
      assert.matches("^%u.*%.$", output.Description or "", name)
    end
  end)

  it("asks for the same objects in the rule and in each notification", function()
    local values = { KeyPrefix = "v1/raw_crash/" }
    local detail = render(resources.Rule.Properties.EventPattern, values).detail
    assert.same({ { prefix = "v1/raw_crash/" } }, detail.object.key)
    assert.same({ "PutObject" }, detail.reason)
    local target = resources.Rule.Properties.Targets[1]
    assert.same({ { ["Fn::GetAtt"] = "Queue.Arn" }, { Arn = { ["Fn::GetAtt"] = "DeadLetterQueue.Arn" } } },
      { target.Arn, target.DeadLetterConfig })
    for source, member in pairs { SQS = "QueueConfigurations", S3 = "LambdaFunctionConfigurations" } do
      values.Source = source
      local added = cjson.decode(render(template.Outputs.Notification.Value, values))[member][1]
      assert.same({ "s3:ObjectCreated:Put" }, added.Events)
      assert.same({ { Name = "prefix", Value = "v1/raw_crash/" } }, added.Filter.Key.FilterRules)
    end
    values.Source = "EventBridge"
    assert.equal('{"EventBridgeConfiguration":{}}', render(template.Outputs.Notification.Value, values))
  end)
end)
