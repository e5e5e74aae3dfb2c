local facts_of = require "spec.support.facts"
local log_lines = require "pigeon.report.log_lines"

local KEY = "v2/x"
local OBJECT = { key = KEY, bucket = "crashes", source = "aws:s3" }
local NORMAL = { exchange = "", routing_key = "normal" }

local function accepted(entry)
  entry.label, entry.object = KEY, OBJECT
  entry.verdict = { kind = "accept", id = "an-id", destinations = { NORMAL } }
  return entry
end

local function lines_of(entry, level)
  return log_lines.of({ entries = { entry } }, level or "debug")
end

local function only_line(entry)
  local lines = lines_of(entry)
  assert.equal(1, #lines)
  return lines[1].level, lines[1].message, facts_of(lines[1]), lines[1].facts
end

describe("log_lines.of", function()
  it("tells at info what was published where", function()
    local level, message, facts, ordered = only_line(accepted { destinations = { "normal", "ex/key" } })
    assert.equal("info", level)
    assert.equal("published", message)
    assert.same({ key = KEY, bucket = "crashes", source = "aws:s3", crash_id = "an-id", verdict = "accept",
      queue = { "normal", "ex/key" } }, facts)
    assert.same({ "crash_id", "an-id", "verdict", "accept", "queue", { "normal", "ex/key" }, "throttled", false,
      "reason", false, "error", false, "rule", false, "source", "aws:s3", "bucket", "crashes", "prefix", false,
      "key", "v2/x", "sqs_message_id", false }, ordered)
  end)

  -- Each byte is billed: deploy/COSTS.md.
  it("has an id of a published line once, also where the key ends in it", function()
    local entry = accepted { destinations = { "normal" } }
    entry.verdict.id = "x"
    local _, message, facts = only_line(entry)
    assert.equal("published", message)
    assert.same({ prefix = "v2/", bucket = "crashes", source = "aws:s3", crash_id = "x", verdict = "accept",
      queue = { "normal" } }, facts)
  end)

  it("has the whole key of a failure", function()
    local entry = accepted { destinations = {}, failures = { { cause = "time", text = "late", name = "x" } } }
    entry.verdict.id = "x"
    local _, _, facts = only_line(entry)
    assert.same({ "v2/x" }, { facts.key, facts.prefix })
  end)

  it("tells with it which queues' throttles left it out", function()
    local _, message, facts = only_line(accepted { destinations = { "normal" }, throttled = { "a", "b" } })
    assert.equal("published", message)
    assert.same({ "a", "b" }, facts.throttled)
  end)

  it("tells at info what no queue's throttle let pass", function()
    local level, message, facts = only_line(accepted { destinations = {}, throttled = { "normal" } })
    assert.equal("info", level)
    assert.equal("throttled", message)
    assert.same({ "normal" }, facts.throttled)
    assert.is_nil(facts.queue)
  end)

  for _, case in ipairs {
    { "deferred: v2/x (later)", { kind = "defer", reason = "later" } },
    { "ignored: v2/x (junk)", { kind = "ignore", reason = "junk" } },
  } do
    it("tells at debug: " .. case[1], function()
      local level, message, facts = only_line { label = KEY, object = OBJECT, verdict = case[2] }
      assert.equal("debug", level)
      assert.equal(case[1], message)
      assert.same({ key = KEY, bucket = "crashes", source = "aws:s3", verdict = case[2].kind,
        reason = case[2].reason }, facts)
    end)
  end

  describe("with more lines than the log may have room for", function()
    -- Entries in which these come by turns: a bad record, one that is deferred, one that is published; with
    -- others too: the broker refused it.
    local function levels_of(count, others)
      local entries = {}
      for i = 1, count, 3 do
        entries[i] = { label = "Records", failures = { { cause = "record", text = "bad" } } }
        entries[i + 1] = { label = "k", object = {}, verdict = { kind = "defer", reason = "later" } }
        entries[i + 2] = { object = {}, verdict = { kind = "accept", id = "x" }, destinations = { "q" } }
        if others then entries[i].failures[2] = { cause = "nacked", text = "no" } end
      end
      local letters = {}
      for i, one in ipairs(log_lines.of({ entries = entries }, "debug")) do letters[i] = one.level:sub(1, 1) end
      return table.concat(letters)
    end

    it("has them in the order of the event, up to 100", function()
      assert.equal(("edi"):rep(33), levels_of(99))
    end)

    it("has failures first, of what cannot be read 50, then what was published, then the rest", function()
      assert.equal(("e"):rep(50) .. ("i"):rep(100) .. ("d"):rep(100) .. ("e"):rep(50), levels_of(300))
    end)

    it("has all failures of another cause before what was published", function()
      assert.equal(("ew"):rep(50) .. ("w"):rep(50) .. ("i"):rep(100) .. ("d"):rep(100) .. ("e"):rep(50),
        levels_of(300, true))
    end)
  end)

  it("tells of a record that is not an object", function()
    local level, message, facts = only_line {
      label = "Records[3]", source = "aws:ses", verdict = { kind = "ignore", reason = "other" },
    }
    assert.equal("debug", level)
    assert.equal("ignored: Records[3] (other)", message)
    assert.same({ verdict = "ignore", reason = "other", source = "aws:ses" }, facts)
  end)

  for _, case in ipairs {
    { "record", "error", "bad record" }, { "rules", "error", "rule error" },
    { "returned", "error", "unroutable", 312 }, { "nacked", "warn", "nacked", 0 },
    { "unknown", "warn", "unknown", 320 }, { "time", "warn", "out of time" },
    -- no retry fixes these
    { "unknown", "error", "unknown", 403, true },
  } do
    local cause, level, reason, code, lasting = table.unpack(case)
    it(("tells of a failure by %s %s at %s"):format(cause, code or "", level), function()
      local found, message, facts = only_line(accepted { destinations = {}, failures = {
        { cause = cause, text = "why", name = "an-id to normal", destination = NORMAL, code = code,
          lasting = lasting },
      } })
      assert.equal(level, found)
      assert.equal("failed: an-id to normal: why", message)
      assert.same({ key = KEY, bucket = "crashes", source = "aws:s3", crash_id = "an-id", verdict = "accept",
        reason = reason, queue = "normal", error = "why" }, facts)
    end)
  end

  for text, rule in pairs {
    ["rules.lua:12: boom: x:3: y"] = "rules.lua:12",
    ["my rules.lua:1: boom"] = "my rules.lua:1",
    ["rules.lua: out of memory"] = false,
    ["rules.lua: x:3: y"] = false,
  } do
    it("names the line of the rules: " .. text, function()
      local _, _, facts = only_line { label = KEY, object = OBJECT, failures = { { cause = "rules", text = text } } }
      assert.equal(rule or nil, facts.rule)
      assert.equal(text, facts.error)
    end)
  end

  it("has a line for each message that failed, and one for what was published", function()
    local lines = lines_of(accepted { destinations = { "normal" }, failures = {
      { cause = "returned", text = "a", name = "x" }, { cause = "nacked", text = "b", name = "x" },
    } })
    assert.equal("error", lines[1].level)
    assert.equal("warn", lines[2].level)
    assert.equal("published", lines[3].message)
    assert.equal(3, #lines)
  end)

  it("tells of an event that is wrong as a whole", function()
    local lines = log_lines.of({ entries = {}, problem = "the event has no Records" }, "error")
    assert.equal("error", lines[1].level)
    assert.equal("failed: the event has no Records", lines[1].message)
    assert.same({ reason = "bad record", error = "the event has no Records" }, facts_of(lines[1]))
  end)

  it("makes no line that is not asked for", function()
    local entries = {
      { label = KEY, object = OBJECT, verdict = { kind = "ignore", reason = "x" } },
      accepted { destinations = { "normal" } },
      accepted { destinations = {}, failures = { { cause = "nacked", text = "b" } } },
      accepted { destinations = {}, failures = { { cause = "returned", text = "b" } } },
    }
    for level, count in pairs { debug = 4, info = 3, warn = 2, error = 1 } do
      assert.equal(count, #log_lines.of({ entries = entries }, level), level)
    end
  end)

  it("keeps the reason where the key is long", function()
    local failure = { cause = "rules", text = "boom", name = ("k"):rep(1024) }
    local _, message = only_line { label = "x", failures = { failure } }
    assert.matches("boom$", message)
  end)

  -- C cleans the rest of a line, and its facts: spec/host/lua/script_answer_spec.c.
  it("has no message that is longer than anybody reads", function()
    local long = ("\u{20AC}\n"):rep(2000)
    local failed = accepted { destinations = {}, failures = { { cause = "rules", text = long, name = long } } }
    local failure = lines_of(failed)[1].message
    assert.matches("%.%.%.$", failure)
    assert.is_true(#failure < 2100)
    assert.is_truthy(utf8.len(failure))
    local _, message = only_line { label = long, object = OBJECT, verdict = { kind = "defer", reason = "later" } }
    assert.matches("%.%.%. %(later%)$", message)
    assert.is_true(#log_lines.of({ entries = {}, problem = long }, "error")[1].message < 2100)
  end)
end)
