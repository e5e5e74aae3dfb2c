local cjson = require "cjson"
local facts_of = require "spec.support.facts"
local pigeon = require "pigeon"
local walk = require "spec.support.walk"

local settings, event, receive, conclude = walk.settings, walk.event, walk.receive, walk.conclude

describe("a throttled queue", function()
  -- The body of a rule -> what it left out, by its log lines and by the metrics.
  local function throttled(queue, body)
    local all = settings(queue, "return function(object)\n" .. body .. "\nend")
    all.PIGEON_METRICS = "emf"
    pigeon.open(all)
    receive(event("one", "two"))
    local confirmed = #pigeon.decide(1) + #pigeon.decide(2)
    local _, _, lines, metrics = conclude({}, {
      confirmed = confirmed, now_ms = 1520942400000, decide_us = 1, publish_us = 1, connect_us = 0, reconnects = 0,
    })
    local found = {}
    for i, line in ipairs(lines) do found[i] = table.concat(facts_of(line).throttled or {}, ",") end
    return found, cjson.decode(metrics[1])
  end

  for what, case in pairs {
    ["is one that was sampled and not named"] = { "a,b,c",
      'for _, q in ipairs(queues) do sample("x", q.name) end return accept("x", { "b" })', { "a,c", "a,c" } },
    ["is none where nothing was sampled"] = { "a,b", 'return accept("x", { "a" })', { "", "" } },
    ["is none where something else was sampled"] = { "a",
      'sample("x", "other") sample(object.key, "a") return accept("x", {})', { "", "" } },
    ["is one object's own"] = { "a",
      'if object.key == "one" then sample("x", "a") end return accept("x", {})', { "a", "" } },
    ["is none by the name of a routing key"] = { "a",
      'sample("x", "a") return accept("x", { exchange("e", "a") })', { "a", "a" } },
  } do
    it(what, function()
      local found, metric = throttled(case[1], case[2])
      assert.same(case[3], found)
      local _, commas = table.concat(case[3], ","):gsub("%l", "")
      assert.equal(commas, metric.Throttled or 0)
    end)
  end

  it("is nothing that a deferred object has", function()
    pigeon.open(settings("a", 'return function() sample("x", "a") return defer("x") end'))
    receive(event("one"))
    pigeon.decide(1)
    local _, _, lines = conclude({}, { confirmed = 0 })
    assert.is_nil(facts_of(lines[1]).throttled)
  end)
end)
