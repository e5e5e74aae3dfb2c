local assert_emf = require "spec.support.emf"
local metered = require "spec.support.metered"

local NOW, FACTS = metered.NOW, metered.FACTS
local accept, failure, mixed, open, with = metered.accept, metered.failure, metered.mixed, metered.open, metered.with

local EXPECTED = {
  Objects = 13, Accepted = 5, Deferred = 1, Ignored = 4, Junk = 2, Throttled = 3,
  Published = 3, Failed = 6, Unroutable = 1, Nacked = 1, Unknown = 1, RuleErrors = 1, BadRecords = 1, Undecided = 1,
  ["Published.normal"] = 2, ["Published.other"] = 1,
  ["Failed.normal"] = 1, ["Failed.submitter"] = 1, ["Failed.other"] = 1,
  ["Throttled.normal"] = 1, ["Throttled.submitter"] = 2,
}

-- An event that was accepted for one queue, as most are.
local function lone()
  return { messages = 1, entries = { accept({ "normal" }, { object = { time = "2016-09-18T12:34:56.789Z" } }) } }
end

describe("a line of EMF", function()
  it("counts every verdict and every failure, alone and by queue, and has no other count", function()
    local root, defined = assert_emf(open({})(mixed(), FACTS)[1])
    local found = {}
    for name in pairs(defined) do found[name] = root[name] end
    found.DecideTime, found.PublishTime, found.Lag = nil, nil, nil
    assert.same(EXPECTED, found)
  end)

  -- Each byte is billed: deploy/COSTS.md.
  it("has these bytes of a lone event", function()
    local line = open { function_version = "14" }(lone(), FACTS)[1]
    assert_emf(line)
    assert.equal('{"_aws":{"Timestamp":1474202100000,"CloudWatchMetrics":['
      .. '{"Namespace":"Pigeon","Dimensions":[["FunctionName"],["FunctionName","Version"]],'
      .. '"Metrics":[{"Name":"Objects"},{"Name":"Junk"},{"Name":"Published"}]},'
      .. '{"Namespace":"Pigeon","Dimensions":[["FunctionName"]],"Metrics":[{"Name":"Accepted"},'
      .. '{"Name":"Published.normal"},{"Name":"DecideTime","Unit":"Milliseconds"},'
      .. '{"Name":"PublishTime","Unit":"Milliseconds"},{"Name":"Lag","Unit":"Milliseconds"}]}]},'
      .. '"FunctionName":"pigeon-prod","Version":"14","Objects":1,"Accepted":1,"Junk":0,"Published":1,'
      .. '"Published.normal":1,"DecideTime":0.069,"PublishTime":1.573,"Lag":3211}', line)
  end)

  it("has fewer than 800 bytes of a lone event, also with an environment", function()
    local line = open { function_version = "14", env = "prod" }(lone(), FACTS)[1]
    assert.truthy(#line < 700, #line) -- and 130 with time, level, request and rules: host/base/log.c
  end)

  it("keeps the zeros that an alarm's expression needs, and no other", function()
    local deferred = { object = {}, verdict = { kind = "defer", reason = "later" } }
    local emit = open { function_version = "14" }
    local root, defined = assert_emf(emit({ messages = 0, entries = { deferred } }, FACTS)[1])
    assert.same({ Objects = true, Published = true, Junk = true, Deferred = true, DecideTime = true }, defined)
    assert.same({ 0, 0 }, { root.Published, root.Junk })
    root, defined = assert_emf(emit({ messages = 0, entries = {} }, FACTS)[1])
    assert.same({ Objects = true, Published = true, Junk = true, DecideTime = true }, defined)
    assert.equal(0, root.Objects)
  end)

  it("adds up", function()
    local root = assert_emf(open({})(mixed(), FACTS)[1])
    assert.equal(root.Objects, root.Accepted + root.Deferred + root.Ignored + root.RuleErrors + root.BadRecords
      + root.Undecided)
    assert.equal(6, root.Published + root.Unroutable + root.Nacked + root.Unknown) -- the messages
    assert.equal(root.Failed, root.Unroutable + root.Nacked + root.Unknown + root.RuleErrors + root.BadRecords
      + root.Undecided)
    for _, counter in ipairs { "Published", "Throttled" } do
      local sum = 0
      for _, queue in ipairs { "normal", "submitter", "other" } do sum = sum + (root[counter .. "." .. queue] or 0) end
      assert.equal(root[counter], sum)
    end
  end)

  it("has what a deploy watches of a published version once more, by version", function()
    local root, defined, places = assert_emf(open { env = "prod", function_version = "12" }(mixed(), FACTS)[1])
    local names = {}
    for name in pairs(defined) do
      assert.is_true(places[name .. ' by ["FunctionName","Environment"]'], name)
      names[name] = places[name .. ' by ["FunctionName","Version"]']
    end
    assert.same({ Objects = true, Published = true, Failed = true, Junk = true }, names)
    assert.equal("12", root.Version)
  end)

  it("has function and environment as dimensions, and nothing else", function()
    for env, dimensions in pairs { prod = { "FunctionName", "Environment" }, [""] = { "FunctionName" } } do
      local root = assert_emf(open { env = env ~= "" and env or nil }(mixed(), FACTS)[1])
      for _, directive in ipairs(root._aws.CloudWatchMetrics) do
        assert.equal("Pigeon", directive.Namespace)
        assert.same({ dimensions }, directive.Dimensions)
      end
      assert.equal("pigeon-prod", root.FunctionName)
      assert.equal(env ~= "" and env or nil, root.Environment)
    end
  end)

  it("tells how long each part took, where there was one", function()
    local emit = open {}
    local root = assert_emf(emit(mixed(), with { connect_us = 2500, reconnects = 1, cold = true })[1])
    assert.equal(NOW, root._aws.Timestamp)
    assert.same({ 0.069, 1.573, 2.5, 1, 1 },
      { root.DecideTime, root.PublishTime, root.ConnectTime, root.Reconnects, root.ColdStarts })
    root = assert_emf(emit({ messages = 0, entries = {} }, with { publish_us = 0 })[1])
    assert.same({ 0.069 }, { root.DecideTime, root.PublishTime, root.ConnectTime, root.Lag })
  end)

  it("counts an event that cannot be read as an object that failed", function()
    local root = assert_emf(open({})({ messages = 0, entries = {}, problem = "not JSON" }, FACTS)[1])
    assert.same({ 1, 1, 1 }, { root.Objects, root.Failed, root.BadRecords, root.Accepted })
  end)

  it("counts the shadow's differences where there is a shadow", function()
    local batch = mixed()
    assert.is_nil(assert_emf(open({})(batch, FACTS)[1]).ShadowDifferences)
    for _, shadow in ipairs { { differences = 3, skipped = 0 }, { differences = 0, skipped = 2 } } do
      batch.shadow = shadow
      local root, defined = assert_emf(open({})(batch, FACTS)[1])
      assert.same({ shadow.differences, shadow.skipped }, { root.ShadowDifferences or 0, root.ShadowSkipped or 0 })
      assert.equal(shadow.differences > 0 or nil, defined.ShadowDifferences)
      assert.equal(shadow.skipped > 0 or nil, defined.ShadowSkipped)
    end
  end)

  describe("has as lag", function()
    local function lag_of(...)
      local entries = {}
      for i, time in ipairs { ... } do entries[i] = accept({ "normal" }, { object = { time = time } }) end
      return assert_emf(open({})({ messages = #entries, entries = entries }, FACTS)[1]).Lag
    end

    it("the time from the object's to the confirm", function()
      assert.equal(3211, lag_of("2016-09-18T12:34:56.789Z"))
    end)

    it("one for each object", function()
      assert.same({ 0, 1000, 2000 }, lag_of("2016-09-18T12:34:58Z", "2016-09-18T12:35:00Z", "2016-09-18T12:34:59Z"))
    end)

    it("nothing of what has no time, or is not in its queues", function()
      assert.is_nil(lag_of("yesterday"))
      local failed = accept({ "normal" }, { object = { time = "2016-09-18T12:34:58Z" } })
      failed.failures = { failure("nacked", failed, 1) }
      local entries = {
        failed, accept({ "normal" }), accept({}, { object = { time = "2016-09-18T12:34:58Z" } }),
        { object = { time = "2016-09-18T12:34:58Z" }, verdict = { kind = "ignore", reason = "x" } },
      }
      assert.is_nil(assert_emf(open({})({ messages = 2, entries = entries }, FACTS)[1]).Lag)
    end)

    it("0 where the object's clock is ahead", function()
      assert.equal(0, lag_of("2016-09-18T12:35:01Z"))
    end)

    it("a hundred of more, the longest among them", function()
      local times = {}
      for i = 1, 250 do times[i] = ("2016-09-18T12:%02d:%02dZ"):format(30 + i // 60, i % 60) end
      local lags = lag_of(table.unpack(times))
      assert.equal(100, #lags)
      assert.equal(299000, lags[100])
    end)
  end)

  it("counts each event anew, and has the same bytes for the same one", function()
    local emit = open { env = "prod" }
    local one = { messages = 1, entries = { accept { "normal" } } }
    local first = emit(one, FACTS)[1]
    local more = assert_emf(emit(mixed(), FACTS)[1])
    assert.same({ 13, 3 }, { more.Objects, more.Published })
    assert.equal(first, emit(one, FACTS)[1])
    assert.equal(first, open({ env = "prod" })(one, FACTS)[1])
    assert.same({ 1, 1 }, { assert_emf(first).Objects, assert_emf(first)["Published.normal"] })
  end)

  it("takes no name from an event", function()
    local _, before = assert_emf(open({})({ messages = 1, entries = { accept { "elsewhere" } } }, FACTS)[1])
    local names = {}
    for i = 1, 32 do names[i] = "key-" .. i end
    local batch = { messages = 32, entries = { accept(names, { object = { key = "a", bucket = "b" } }) } }
    local root, after = assert_emf(open({})(batch, FACTS)[1])
    assert.equal(32, root["Published.other"])
    assert.same(before, after)
  end)

  it("has names of their own for 32 queues, and stays within the rules with a thousand", function()
    local queues, names = {}, {}
    for i = 1, 1000 do
      queues[i] = { name = ("q%03d"):format(i), throttle = 100 }
      names[i] = queues[i].name
    end
    local batch = { messages = 1000, entries = { accept(names, { throttled = names }) } }
    local root = assert_emf(open { queues = queues, env = "prod" }(batch, FACTS)[1])
    assert.same({ 1, 968, 968 }, { root["Published.q032"], root["Published.other"], root["Throttled.other"] })
    assert.is_nil(root["Published.q033"])
  end)

  it("has valid names for any queue's", function()
    local queues = {}
    for i, name in ipairs { "a b", 'a"b', "a\\b", "a\u{e9}", ("long"):rep(63), "other", "\x01" } do
      queues[i] = { name = name, throttle = 100 }
    end
    local batch = { messages = 3, entries = { accept { "a b", 'a"b', "a\\b", "other" } } }
    local root = assert_emf(open { queues = queues }(batch, FACTS)[1])
    assert.same({ 3, 1 }, { root["Published.a_b"], root["Published.other"], root["Published.a__"] })
  end)
end)
