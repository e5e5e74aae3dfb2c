local variables = require "pigeon.desk.variables"

local KNOWN = "PIGEON_HOST PIGEON_PORT PIGEON_USER PIGEON_PASSWORD PIGEON_QUEUE PIGEON_ENV PIGEON_TLS "
  .. "PIGEON_TLS_CA_FILE PIGEON_AWS_REGION PIGEON_SHADOW_RULES "

describe("variables.misspelt", function()
  for name, meant in pairs {
    PIGEON_QUEUES = "PIGEON_QUEUE", PIGEON_QUEU = "PIGEON_QUEUE", PIGEON_HSOT = "PIGEON_HOST",
    PIGEON_USERNAME = "PIGEON_USER", PIGEON_PASS = "PIGEON_PASSWORD", PIGEON_REGION = "PIGEON_AWS_REGION",
    PIGEON_CA_FILE = "PIGEON_TLS_CA_FILE", PIGEON_SHADOW_RULE = "PIGEON_SHADOW_RULES",
    PIGEON_ENVIRONMENT = "PIGEON_ENV", PIGEON_queue = "PIGEON_QUEUE",
  } do
    it(("takes %s for %s"):format(name, meant), function()
      assert.same({ { what = name .. " is set, but Pigeon has no such variable", level = "error",
        fix = ("did you mean %s?"):format(meant) } }, variables.misspelt(KNOWN, name .. " "))
    end)
  end

  it("warns of another one", function()
    local found = variables.misspelt(KNOWN, "PIGEON_FOO ")
    assert.equal("warning", found[1].level)
    assert.equal("PIGEON_FOO is set, but Pigeon has no such variable", found[1].what)
  end)

  it("finds nothing in those that there are", function()
    assert.same({}, variables.misspelt(KNOWN, KNOWN))
    assert.same({}, variables.misspelt(KNOWN, ""))
  end)
end)
