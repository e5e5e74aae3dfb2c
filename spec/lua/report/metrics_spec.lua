local assert_emf = require "spec.support.emf"
local metered = require "spec.support.metered"

local FACTS, accept, mixed, open = metered.FACTS, metered.accept, metered.mixed, metered.open

describe("MONITORING lines", function()
  it("are those of Socorro's dashboards", function()
    local lines = open { kinds = { monitoring = true }, env = "prod" }(mixed(), FACTS)
    assert.same({
      "MONITORING|1474202100|5|count|socorro.pigeon.accept|#env:prod",
      "MONITORING|1474202100|1|count|socorro.pigeon.defer|#env:prod",
      "MONITORING|1474202100|3|count|socorro.pigeon.throttled|#env:prod",
      "MONITORING|1474202100|2|count|socorro.pigeon.junk|#env:prod",
      "MONITORING|1474202100|3|count|socorro.pigeon.pika_error|#env:prod",
    }, lines)
  end)

  it("have nothing behind the last bar without PIGEON_ENV, and are only of what happened", function()
    local batch = { messages = 1, entries = { accept { "normal" } } }
    assert.same({ "MONITORING|1474202100|1|count|socorro.pigeon.accept|" },
      open { kinds = { monitoring = true } }(batch, FACTS))
  end)

  it("stand behind the line of EMF where both are asked for", function()
    local lines = open { kinds = { emf = true, monitoring = true } }(mixed(), FACTS)
    assert_emf(lines[1])
    assert.equal(6, #lines)
    assert.same({}, open { kinds = {} }(mixed(), FACTS))
  end)
end)
