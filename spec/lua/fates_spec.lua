local pigeon = require "pigeon"
local walk = require "spec.support.walk"

local settings, event, receive, conclude = walk.settings, walk.event, walk.receive, walk.conclude
local error_of, id_of, key_of = walk.error_of, walk.id_of, walk.key_of

describe("an event", function()
  before_each(function() pigeon.open(settings("normal,submitter")) end)

  it("fails for each message without proof", function()
    receive(event(key_of(1), key_of(2), key_of(3)))
    for i = 1, 3 do
      assert.equal(2, #pigeon.decide(i))
    end
    local body, error_type, lines = conclude({
      [2] = { fate = "returned", stage = "publish", code = 312, text = "NO_ROUTE" },
      [3] = { fate = "unknown", stage = "confirm", code = 320, text = "320 CONNECTION_FORCED" },
      [4] = { fate = "returned", stage = "publish", code = 312, text = "NO_ROUTE" },
    }, { confirmed = 3 })
    assert.equal("Function.MessageUnroutable", error_type)
    assert.equal(("2 of 3 objects failed: %s to submitter, %s to submitter: returned at publish: 312 NO_ROUTE"
      .. " | %s to normal: unknown at confirm: 320 CONNECTION_FORCED"):format(id_of(1), id_of(2), id_of(2)),
      error_of(body))
    local said = {}
    for i, line in ipairs(lines) do
      said[i] = line.level .. " " .. line.message
    end
    assert.same({
      "error failed: " .. id_of(1) .. " to submitter: returned at publish: 312 NO_ROUTE",
      "info published",
      "warn failed: " .. id_of(2) .. " to normal: unknown at confirm: 320 CONNECTION_FORCED",
      "error failed: " .. id_of(2) .. " to submitter: returned at publish: 312 NO_ROUTE",
      "info published",
    }, said)
  end)

  it("says a code that is only a part of a port", function()
    receive(event(key_of(1)))
    pigeon.decide(1)
    local text = "127.0.0.1:25303: no access"
    local fates = { { fate = "unknown", stage = "login", code = 530, text = text } }
    fates[2] = fates[1]
    local body = conclude(fates, { confirmed = 0 })
    assert.matches("unknown at login: 530 127%.0%.0%.1:25303: no access$", error_of(body))
  end)

  it("says a fate without words too", function()
    receive(event(key_of(1)))
    pigeon.decide(1)
    local body = conclude({ { fate = "nacked", code = 0 }, { fate = "nacked", stage = "confirm", code = 0 } },
      { confirmed = 0 })
    assert.matches("objects failed: .* to normal: nacked | .* to submitter: nacked at confirm$", error_of(body))
  end)

  it("says that no retry fixes a missing exchange", function()
    receive(event(key_of(1)))
    pigeon.decide(1)
    local _, error_type, lines = conclude({
      { fate = "unknown", stage = "publish", code = 404, text = "404 NOT_FOUND" },
      { fate = "unknown", stage = "publish", code = 404, text = "404 NOT_FOUND" },
    }, { confirmed = 0 })
    assert.equal("Function.MessageUnroutable", error_type)
    assert.equal("error", lines[1].level)
  end)

  it("fails for what was never decided", function()
    receive(event(key_of(1), key_of(2)))
    pigeon.decide(1)
    local body, error_type = conclude({}, { confirmed = 2 })
    assert.equal("Function.OutOfTime", error_type)
    assert.matches("^1 of 2 objects failed: .*" .. id_of(2):gsub("-", "%%-") .. ": not decided: out of time",
      error_of(body))
  end)
end)

describe("conclude's arithmetic", function()
  before_each(function()
    pigeon.open(settings("normal,submitter"))
    receive(event(key_of(1), key_of(2)))
    pigeon.decide(1)
    pigeon.decide(2)
  end)

  for what, case in pairs {
    ["too few confirmed"] = { {}, 3 },
    ["too many confirmed"] = { {}, 5 },
    ["a fate and all confirmed"] = { { { fate = "nacked" } }, 4 },
    ["a fate for message 5 of 4"] = { { [5] = { fate = "nacked" } }, 3 },
    ["a fate for message 0"] = { { [0] = { fate = "nacked" } }, 3 },
  } do
    it("raises for " .. what, function()
      local ok, why = pcall(pigeon.conclude, case[1], { confirmed = case[2] })
      assert.is_false(ok)
      assert.matches("^conclude: ", why)
    end)
  end

  it("adds up otherwise", function()
    local body = conclude({ [4] = { fate = "nacked" } }, { confirmed = 3 })
    assert.matches("^1 of 2 objects failed", error_of(body))
  end)
end)
