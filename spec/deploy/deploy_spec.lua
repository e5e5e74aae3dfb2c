-- Every deploy reaches live: a changed parameter publishes a version, and no secret is in its name.
package.path = "spec/support/?.lua;" .. package.path
local cloudformation = require "cloudformation"

local template = cloudformation.load("deploy/template.yaml")
local resources, parameters = template.Resources, template.Parameters
local fn = resources.Function.Properties

local function render(node, values)
  return cloudformation.render(template, node, values)
end

-- The parameters that the function has, but how it gets its traffic.
local function settings()
  local properties = {}
  for name, value in pairs(fn) do
    if name ~= "DeploymentPreference" and name ~= "Description" and name ~= "VersionDescription" then
      properties[name] = value
    end
  end
  return cloudformation.parameters(template, properties)
end

-- CloudFormation's rule: another content is another resource, with another number.
local function number_of_settings(values)
  return resources.Settings and render(resources.Settings.Properties, values).Content or ""
end

local function descriptions(values)
  values["Settings.VersionNumber"] = number_of_settings(values)
  return { render(fn.Description, values), render(fn.VersionDescription, values) }
end

describe("a deploy", function()
  local changed = 0
  for name in pairs(settings()) do
    changed = changed + 1
    it("with another " .. name .. " publishes a version", function()
      local before, after = descriptions {}, descriptions { [name] = "another" }
      assert.are_not.equal(before[1], after[1]) -- of the function, or Lambda publishes none
      assert.are_not.equal(before[2], after[2]) -- of the version, or CloudFormation does not replace it
    end)
  end

  it("was tried with each setting", function()
    assert.truthy(changed >= 20, changed)
  end)

  it("with another Revision publishes a version where nothing else changed", function()
    assert.are_not.same(descriptions {}, descriptions { Revision = "2" })
  end)

  it("with the settings of before publishes none", function()
    assert.same(descriptions {}, descriptions {})
  end)

  for variable, value in pairs(fn.Environment.Variables) do
    it("with another " .. variable .. " has another number of settings", function()
      local depends_on = cloudformation.parameters(template, value)
      for name in pairs(depends_on) do
        assert.truthy(resources.Settings.Properties.Content["Fn::Sub"][1]:find(name .. " ${" .. name .. "}\n", 1, true),
          name .. " has no line in Settings")
        assert.are_not.equal(number_of_settings {}, number_of_settings { [name] = "another" })
      end
      assert.truthy(next(depends_on), "depends on no parameter")
    end)
  end

  -- What is shown nowhere cannot be told from the one before, and each version keeps it.
  it("has no secret among its parameters", function()
    for name, parameter in pairs(parameters) do assert.is_nil(parameter.NoEcho, name) end
    assert.same({ Ref = "PigeonPassword" }, fn.Environment.Variables.PIGEON_PASSWORD)
  end)

  for _, case in ipairs {
    { "secretsmanager:pigeon#password", true }, { "ssm:/pigeon/password", true }, { "kms:AQICAHhJ=", true },
    { "secretsmanager:arn:aws:secretsmanager:us-west-2:123456789012:secret:pigeon-a1b2c3#password", true },
    { "hunter2", false }, { "secretsmanager:", false }, { "\\\\kms:hunter2", false },
    { " ssm:/a", false }, { "", false },
  } do
    it(("%s %q for a password"):format(case[2] and "takes" or "refuses", case[1]), function()
      local pattern = parameters.PigeonPassword.AllowedPattern
      local found = os.execute(("printf '%%s' '%s' | grep -qxE '%s'"):format(case[1], pattern))
      assert.equal(case[2], found == true)
      -- as the program has it
      local prefix = case[1]:match("^(%l+):.")
      assert.equal(case[2], prefix ~= nil and pattern:find("%f[%l]" .. prefix .. "%f[%L]") ~= nil)
    end)
  end

  it("is refused where no right to read the password is given", function()
    local rule = template.Rules.ReferenceNeedsRight.Assertions[1].Assert
    assert.is_false(render(rule, {}))
    for _, name in ipairs { "SecretArn", "ParameterArn", "KmsKeyArn" } do
      assert.is_true(render(rule, { [name] = "arn:x" }), name)
    end
  end)

  it("is refused where a password has no user, and is not a token", function()
    local rule = template.Rules.PasswordNeedsUser
    local assertion = rule.Assertions[1].Assert
    local function refused(values) return render(rule.RuleCondition, values) and not render(assertion, values) end
    assert.is_true(refused { PigeonPassword = "ssm:/pigeon/password" })
    assert.is_false(refused { PigeonPassword = "ssm:/pigeon/password", PigeonUser = "pigeon" })
    assert.is_false(refused { PigeonPassword = "sts:rabbitmq", TokenAudience = "rabbitmq" })
    assert.is_false(refused { PigeonTlsCertFile = "/var/task/pigeon.pem" })
  end)

  it("takes no version's name from a parameter", function()
    assert.is_nil(fn.AutoPublishCodeSha256)
  end)

  it("has descriptions that fit into 256 characters", function()
    local longest = { ["Settings.VersionNumber"] = 2147483647, Revision = ("r"):rep(64) }
    assert.matches("{0,64}$", parameters.Revision.AllowedPattern)
    for _, text in ipairs { render(fn.Description, longest), render(fn.VersionDescription, longest) } do
      assert.truthy(#text <= 256, #text)
    end
  end)

  it("keeps the version of before, for an undo", function()
    assert.equal("Retain", resources.Function.UpdateReplacePolicy)
  end)

  it("goes through CodeDeploy, but where it is told not to", function()
    local preference = fn.DeploymentPreference
    for _, kind in ipairs(parameters.Deployment.AllowedValues) do
      local enabled = render(preference.Enabled, { Deployment = kind })
      assert.equal(kind == "WithoutCodeDeploy" and "false" or "true", enabled)
    end
    assert.equal("Canary10Percent30Minutes", parameters.Deployment.Default)
  end)
end)
