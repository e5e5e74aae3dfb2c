local environment_name = require "pigeon.settings.environment_name"

describe("environment_name.parse", function()
  it("takes letters and digits, and nothing where the variable is empty or not set", function()
    assert.equal("Prod1", environment_name.parse("Prod1"))
    assert.same({}, { environment_name.parse("") })
    assert.same({}, { environment_name.parse(nil) })
  end)

  for setting, problem in pairs {
    ["a b"] = '"a b" has a space at position 2', ["\ta"] = '" a" has a tab at position 1',
    ["a\n"] = '"a " has a line break at position 2', ["a,b"] = '"a,b" has "," at position 2',
  } do
    it(("refuses %q"):format(setting), function()
      local name, why = environment_name.parse(setting)
      assert.is_nil(name)
      assert.equal("PIGEON_ENV: " .. problem .. "; only letters and digits are allowed", why)
    end)
  end
end)
