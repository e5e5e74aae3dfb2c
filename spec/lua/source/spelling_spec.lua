local spelling = require "pigeon.source.spelling"

local WORDS = { "accept", "defer", "ignore", "exchange", "queues", "env", "crash_id", "sample", "type", "event_name" }

describe("spelling.near", function()
  for word, meant in pairs {
    acept = "accept", accetp = "accept", Accept = "accept", ignroe = "ignore", deffer = "defer", crashid = "crash_id",
    crashId = "crash_id", queue = "queues", eventName = "event_name", smaple = "sample", tpye = "type",
  } do
    it(("finds %s for %s"):format(meant, word), function()
      assert.equal(meant, spelling.near(word, WORDS))
      assert.equal(("did you mean %s?"):format(meant), spelling.did_you_mean(word, WORDS))
    end)
  end

  for _, word in ipairs { "x", "normal", "print", "object", "", ("a"):rep(65), "e" } do
    it(("finds nothing for %q"):format(word), function()
      assert.is_nil(spelling.near(word, WORDS))
      assert.is_nil(spelling.did_you_mean(word, WORDS))
    end)
  end
end)
