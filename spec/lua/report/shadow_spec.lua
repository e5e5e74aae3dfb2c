local cjson = require "cjson"
local facts_of = require "spec.support.facts"
local pigeon = require "pigeon"
local shadow = require "pigeon.report.shadow"

local VERSION = "0123456789ab"

local function accepted(id, ...)
  local destinations = {}
  for i, name in ipairs { ... } do destinations[i] = { exchange = "", routing_key = name } end
  return { kind = "accept", id = id, destinations = destinations }
end

-- An object with this verdict; a text is a failure of the rules.
local function entry(verdict)
  local object = { key = "v2/k", bucket = "crashes" }
  if type(verdict) == "table" then return { label = "v2/k", object = object, verdict = verdict } end
  return { label = "v2/k", object = object, failures = { { cause = "rules", text = verdict } } }
end

local function other(verdict)
  return type(verdict) == "table" and { verdict = verdict } or { problem = verdict }
end

-- The tally after pairs of verdicts.
local function tally_of(pairs_of_verdicts, most)
  local entries = {}
  for i, pair in ipairs(pairs_of_verdicts) do entries[i] = entry(pair[1]) end
  local tally = shadow.tally(entries)
  for i, pair in ipairs(pairs_of_verdicts) do
    if pair[2] then shadow.note(tally, entries[i], other(pair[2]), most or 20) end
  end
  return tally
end

local DEFER, JUNK = { kind = "defer", reason = "later" }, { kind = "ignore", reason = "junk" }

describe("a second decision", function()
  -- the first, the second, and both as text where they differ
  for name, case in pairs {
    ["the same reason"] = { DEFER, { kind = "defer", reason = "later" } },
    ["another reason"] = { DEFER, { kind = "defer", reason = "soon" }, "defer: later", "defer: soon" },
    ["another kind with the same reason"] =
      { { kind = "defer", reason = "x" }, { kind = "ignore", reason = "x" }, "defer: x", "ignore: x" },
    ["the same queues"] = { accepted("id", "a", "b"), accepted("id", "a", "b") },
    ["the same queues in another order"] = { accepted("id", "a", "b"), accepted("id", "b", "a") },
    ["one queue less"] = { accepted("id", "a", "b"), accepted("id", "a"), "accept: a, b", "accept: a" },
    ["no queue any more"] = { accepted("id", "a"), accepted("id"), "accept: a", "accept: no queue" },
    ["another id"] = { accepted("id", "a"), accepted("di", "a"), "accept: a", "accept: a" },
    ["an exchange of the queue's name"] = { accepted("id", "a"),
      { kind = "accept", id = "id", destinations = { { exchange = "x", routing_key = "a" } } },
      "accept: a", "accept: x/a" },
    ["a queue of the same text as an exchange and its key"] = { accepted("id", "x/y"),
      { kind = "accept", id = "id", destinations = { { exchange = "x", routing_key = "y" } } },
      'accept: "x/y"', "accept: x/y" },
    ["an exchange whose slash is elsewhere"] =
      { { kind = "accept", id = "id", destinations = { { exchange = "a/b", routing_key = "c" } } },
      { kind = "accept", id = "id", destinations = { { exchange = "a", routing_key = "b/c" } } },
      'accept: "a/b"/c', 'accept: a/"b/c"' },
    ["two queues, and one of the same text"] = { accepted("id", "a", "b"), accepted("id", "a, b"),
      "accept: a, b", 'accept: "a, b"' },
    ["no queue, and one of that name"] = { accepted("id"), accepted("id", "no queue"),
      "accept: no queue", 'accept: "no queue"' },
    ["others in another order"] =
      { accepted("id", "c", "a"), accepted("id", "b", "a"), "accept: a, c", "accept: a, b" },
    ["a failure"] = { JUNK, "candidate.lua:3: boom", "ignore: junk", "fail: candidate.lua:3: boom" },
    ["no failure any more"] = { "rules.lua:3: boom", JUNK, "fail: rules.lua:3: boom", "ignore: junk" },
    ["two failures"] = { "rules.lua:3: boom", "candidate.lua:3: boom" },
  } do
    it("is compared: " .. name, function()
      local tally = tally_of { { case[1], case[2] } }
      assert.equal(case[3] and 1 or 0, tally.differences)
      assert.equal(0, tally.skipped)
      local change = tally.changes[1] or {}
      assert.same({ case[3], case[4] }, { change.from, change.to })
    end)
  end

  it("is counted, and of what is too much nothing is kept", function()
    local verdicts = {}
    for i = 1, 50 do verdicts[i] = { DEFER, i <= 40 and JUNK } end
    local tally = tally_of(verdicts, 20)
    assert.equal(40, tally.differences)
    assert.equal(10, tally.skipped)
    assert.equal(20, #tally.changes)
  end)
end)

describe("shadow.lines", function()
  it("tells at info of a difference, with both verdicts", function()
    local lines = shadow.lines(tally_of { { accepted("id", "normal"), JUNK } }, VERSION)
    assert.equal(1, #lines)
    assert.equal("info", lines[1].level)
    assert.equal("shadow: v2/k: accept: normal -> ignore: junk", lines[1].message)
    assert.same({ key = "v2/k", bucket = "crashes", crash_id = "id", verdict = "accept: normal",
      shadow_verdict = "ignore: junk", shadow_version = VERSION }, facts_of(lines[1]))
  end)

  it("names the line of a script that fails", function()
    local facts = facts_of(shadow.lines(tally_of { { JUNK, "candidate.lua:3: boom: 7:8" } }, VERSION)[1])
    assert.equal("candidate.lua:3", facts.rule)
    assert.equal("fail: candidate.lua:3: boom: 7:8", facts.shadow_verdict)
    assert.is_nil(facts.crash_id)
  end)

  it("names both ids where they are not the same", function()
    local line = shadow.lines(tally_of { { accepted("id", "a"), accepted("di", "a") } }, VERSION)[1]
    assert.equal("shadow: v2/k: accept: a -> accept: a as di", line.message)
    assert.equal("id", facts_of(line).crash_id)
  end)

  it("names the id that only the second script accepts", function()
    local facts = facts_of(shadow.lines(tally_of { { JUNK, accepted("di", "a") } }, VERSION)[1])
    assert.equal("di", facts.crash_id)
  end)

  it("are none where nothing differs", function()
    assert.same({}, shadow.lines(tally_of { { JUNK, JUNK } }, VERSION))
  end)

  it("are 20 differences, one line for the others, and one for what was skipped", function()
    local verdicts = {}
    for i = 1, 30 do verdicts[i] = { DEFER, i <= 25 and JUNK } end
    local lines = shadow.lines(tally_of(verdicts), VERSION)
    assert.equal(22, #lines)
    assert.equal("shadow: v2/k: defer: later -> ignore: junk", lines[20].message)
    assert.equal("shadow: 5 more differences", lines[21].message)
    assert.same({ differences = 25, shadow_version = VERSION }, facts_of(lines[21]))
    assert.equal("shadow: 5 not decided: out of time", lines[22].message)
    assert.same({ skipped = 5, shadow_version = VERSION }, facts_of(lines[22]))
    for _, line in ipairs(lines) do assert.equal("info", line.level) end
  end)

  it("shows in a message nothing that could not be shown, and little of what is long", function()
    local nasty = "a\n\0\u{85}\xff" .. ("\xfe"):rep(9000)
    local told = entry { kind = "defer", reason = nasty }
    told.label, told.object.key = nasty, nasty
    local tally = shadow.tally { told }
    shadow.note(tally, told, { problem = nasty }, 20)
    local shown = shadow.lines(tally, VERSION)[1].message
    assert.is_truthy(utf8.len(shown))
    assert.is_nil(shown:find("[\0-\31\127]"))
    assert.is_nil(shown:find("\u{85}", 1, true))
    assert.is_true(#shown < 4000)
  end)
end)

describe("a second script", function()
  local RULES = [[
return function(object)
  if object.key == "raises" then error("boom") end
  return accept(object.key, { "normal" })
end]]
  local CANDIDATE = [[
local asked = 0
return function(object)
  asked = asked + 1
  if object.key == "raises too" then error("no") end
  if object.key == "counted" then return ignore("asked " .. asked) end
  return accept(object.key, { "normal" })
end]]

  local function open(candidate)
    pigeon.open { command = "lambda", PIGEON_QUEUE = "normal", PIGEON_METRICS = "off",
      rules = { name = "rules.lua", source = RULES, hash = "aaaaaaaaaaaa" } }
    pigeon.open_shadow(candidate and { name = "candidate.lua", source = candidate, hash = VERSION })
  end

  local function receive(...)
    local records = {}
    for i, key in ipairs { ... } do
      records[i] = { eventSource = "aws:s3", eventName = "ObjectCreated:Put",
        s3 = { bucket = { name = "crashes" }, object = { key = key } } }
    end
    records[#records + 1] = { eventSource = "aws:other" }
    return pigeon.receive(cjson.encode { Records = records }, { kind = "event" })
  end

  -- The rules decide so many objects, the second script so many -> the answer, and the log lines
  -- about the second script.
  local function conclude(decided, asked)
    local messages = 0
    for i = 1, decided do messages = messages + #(pigeon.decide(i) or {}) end
    for i = 1, asked do pigeon.decide(i, true) end
    pigeon.rest_shadow()
    local body = pigeon.conclude({}, { confirmed = messages })
    local said = {}
    for _, line in ipairs((pigeon.tell())) do
      if line.message:find("^shadow: ") then said[#said + 1] = line.message end
    end
    return body, said
  end

  it("has its lines before all others: an event's log may be full before its end", function()
    open(CANDIDATE)
    receive("raises", "raises too", "one")
    for i = 1, 4 do pigeon.decide(i) end
    for i = 1, 4 do pigeon.decide(i, true) end
    pigeon.rest_shadow()
    pigeon.conclude({}, { confirmed = 2 })
    local said = {}
    for i, line in ipairs((pigeon.tell())) do said[i] = line.message:match("^[^:]*") end
    assert.same({ "shadow", "shadow", "failed", "published", "published", "ignored" }, said)
  end)

  it("publishes nothing, and fails no object", function()
    open(CANDIDATE)
    receive("raises too", "one")
    pigeon.decide(1)
    pigeon.decide(2)
    assert.is_nil(pigeon.decide(1, true))
    assert.same({}, pigeon.decide(2, true))
    assert.equal("null", (pigeon.conclude({}, { confirmed = 2 })))
    local lines = pigeon.tell()
    assert.equal("shadow: raises too: accept: normal -> fail: candidate.lua:4: no", lines[1].message)
  end)

  it("is asked about objects alone, and those that the rules have decided", function()
    open(CANDIDATE)
    receive("one", "raises", "two")
    assert.same({ "shadow: raises: fail: rules.lua:2: boom -> accept: normal",
      "shadow: 1 not decided: out of time" }, select(2, conclude(2, 4)))
  end)

  it("begins anew with each event", function()
    open(CANDIDATE)
    for _ = 1, 2 do
      receive("one", "counted")
      assert.same({ "shadow: counted: accept: normal -> ignore: asked 2" }, select(2, conclude(2, 2)))
    end
  end)

  it("begins anew where it ran out of memory, and the rules do not", function()
    open(CANDIDATE)
    receive("one", "two", "counted")
    for i = 1, 3 do pigeon.decide(i) end
    pigeon.decide(1, true)
    pigeon.reload(2, true, 5, 64)
    pigeon.decide(3, true)
    assert.equal("null", (pigeon.conclude({}, { confirmed = 3 })))
    local lines = pigeon.tell()
    assert.equal("shadow: two: accept: normal -> fail: candidate.lua:5: out of memory: used the 64 MB that an object "
      .. "may have: does a string or table grow in a loop?", lines[1].message)
    assert.equal("shadow: counted: accept: normal -> ignore: asked 1", lines[2].message)
  end)

  it("that failed and then ran out of memory is counted once", function()
    open(CANDIDATE)
    receive("raises too")
    pigeon.decide(1)
    pigeon.decide(1, true)
    pigeon.reload(1, true, 5, 64)
    pigeon.conclude({}, { confirmed = 1 })
    local lines = pigeon.tell()
    assert.equal(2 + 1, #lines)
    assert.equal("shadow: raises too: accept: normal -> fail: candidate.lua:4: no", lines[1].message)
  end)

  it("that does not load is told, and each object counts as skipped", function()
    open(CANDIDATE)
    local ok, why = pcall(pigeon.open_shadow, { name = "candidate.lua", source = "\n\nfuntion()", hash = VERSION })
    assert.is_false(ok)
    assert.matches("^candidate%.lua:3: ", why)
    receive("one", "two")
    local body, said = conclude(2, 0)
    assert.equal("null", body)
    assert.same({}, said)
  end)

  for what, script in pairs { ["that cannot be read"] = false, ["that is there"] = CANDIDATE } do
    it(what .. " leaves what the metrics count", function()
      local log_lines, kept = require "pigeon.report.log_lines", nil
      local lines_of = log_lines.of
      log_lines.of = function(batch, ...) kept = batch.shadow return lines_of(batch, ...) end
      finally(function() log_lines.of = lines_of end)
      open(script)
      receive("counted", "one", "two")
      conclude(3, script and 2 or 0)
      assert.equal(script and 1 or 0, kept.differences)
      assert.equal(script and 1 or 3, kept.skipped)
    end)
  end

  it("is one of the settings: without it nothing is counted", function()
    pigeon.open { command = "lambda", PIGEON_QUEUE = "normal", PIGEON_METRICS = "off",
      rules = { name = "rules.lua", source = RULES } }
    receive("one")
    assert.same({}, select(2, conclude(1, 0)))
  end)
end)
