local metric_kinds = require "pigeon.settings.metric_kinds"

describe("PIGEON_METRICS", function()
  for setting, kinds in pairs {
    [""] = { emf = true }, emf = { emf = true }, monitoring = { monitoring = true }, off = {},
    ["emf, monitoring"] = { emf = true, monitoring = true },
  } do
    it(("takes %q"):format(setting), function() assert.same(kinds, metric_kinds.parse(setting)) end)
  end

  it("is emf where it is not set", function() assert.same({ emf = true }, metric_kinds.parse(nil)) end)

  for setting, problem in pairs {
    ["emf,statsd"] = 'PIGEON_METRICS: entry 2, "statsd", is not emf, monitoring or off',
    ["EMF"] = 'PIGEON_METRICS: entry 1, "EMF", is not emf, monitoring or off',
    ["emf,"] = 'PIGEON_METRICS: entry 2 of "emf," is empty; name a kind there, or drop the comma',
    ["emf,emf"] = 'PIGEON_METRICS: entry 2, "emf", names the kind of entry 1 again',
    ["emf,off"] = 'PIGEON_METRICS: entry 2, "off", must be the only entry of "emf,off"',
  } do
    it(("refuses %q"):format(setting), function()
      local kinds, found = metric_kinds.parse(setting)
      assert.is_nil(kinds)
      assert.equal(problem, found)
    end)
  end
end)
