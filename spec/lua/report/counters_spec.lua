local counters = require "pigeon.report.counters"
local metered = require "spec.support.metered"

describe("counters.open", function()
  it("has a name for each count, and counts each batch alone", function()
    local names, count = counters.open { { name = "normal", throttle = 100 } }
    for _ = 1, 2 do
      local counts = count(metered.mixed(), metered.FACTS)
      assert.equal(#names, #counts)
      assert.equal(13, counts[counters.places.Objects])
    end
    local counts = count({ messages = 0, entries = {} }, metered.FACTS)
    for place in ipairs(names) do assert.equal(0, counts[place]) end
  end)
end)
