local cjson = require "cjson"
local telemetry = require "pigeon.telemetry"

local OBJECT = { key = "v2/x", bucket = "crashes" }

local function only_line(entry)
  local lines = telemetry.lines { entries = { entry } }
  assert.equal(1, #lines)
  return lines[1].level, lines[1].message, lines[1].fields and cjson.decode(lines[1].fields), lines[1].fields
end

describe("telemetry.lines", function()
  it("tells at info what was published where", function()
    local level, message, fields = only_line {
      label = "v2/x", object = OBJECT, verdict = { kind = "accept", id = "an-id" },
      destinations = { "normal", "ex/key" },
    }
    assert.equal("info", level)
    assert.equal("published: an-id to normal, ex/key", message)
    assert.same({ key = "v2/x", bucket = "crashes", crash_id = "an-id", destinations = { "normal", "ex/key" } }, fields)
  end)

  for _, case in ipairs {
    { "deferred: v2/x (later)", { kind = "defer", reason = "later" }, "later" },
    { "ignored: v2/x (junk)", { kind = "ignore", reason = "junk" }, "junk" },
    { "throttled: an-id", { kind = "accept", id = "an-id" } },
  } do
    it("tells at debug: " .. case[1], function()
      local level, message, fields = only_line { label = "v2/x", object = OBJECT, verdict = case[2], destinations = {} }
      assert.equal("debug", level)
      assert.equal(case[1], message)
      assert.same({ key = "v2/x", bucket = "crashes", crash_id = case[2].id, reason = case[3] }, fields)
    end)
  end

  it("tells of a record that is no object", function()
    local level, message, fields = only_line { label = "Records[3]", verdict = { kind = "ignore", reason = "other" } }
    assert.equal("debug", level)
    assert.equal("ignored: Records[3] (other)", message)
    assert.same({ reason = "other" }, fields)
  end)

  for cause, level in pairs {
    record = "error", rules = "error", returned = "error", nacked = "warn", unknown = "warn", time = "warn",
  } do
    it(("tells of a failure by %s at %s"):format(cause, level), function()
      local found, message, fields = only_line {
        label = "v2/x", object = OBJECT, verdict = { kind = "accept", id = "an-id" },
        failures = { { cause = cause, text = "why", name = "an-id to q", destination = "q" } },
      }
      assert.equal(level, found)
      assert.equal("failed: an-id to q: why", message)
      assert.same({ key = "v2/x", bucket = "crashes", crash_id = "an-id", cause = cause, destination = "q" }, fields)
    end)
  end

  it("has a line for each message that failed", function()
    local lines = telemetry.lines { entries = { { label = "v2/x", object = OBJECT, failures = {
      { cause = "returned", text = "a", name = "x" }, { cause = "nacked", text = "b", name = "x" },
    } } } }
    assert.equal("error", lines[1].level)
    assert.equal("warn", lines[2].level)
    assert.equal(2, #lines)
  end)

  it("tells of an event that is wrong as a whole", function()
    local lines = telemetry.lines { entries = {}, problem = "the event has no Records" }
    assert.equal("error", lines[1].level)
    assert.equal("failed: the event has no Records", lines[1].message)
  end)

  it("shows nothing that could not be shown, and little of what is long", function()
    local nasty = "a\n\0\u{85}\xff" .. ("\xfe"):rep(5000)
    for _, entry in ipairs {
      { label = nasty, object = { key = nasty, bucket = nasty }, verdict = { kind = "defer", reason = nasty } },
      { label = nasty, object = { key = nasty, bucket = nasty },
        failures = { { cause = "rules", text = nasty, name = nasty, destination = nasty } } },
    } do
      local _, message, fields, encoded = only_line(entry)
      for _, shown in ipairs { message, fields.key, fields.bucket, encoded } do
        assert.is_truthy(utf8.len(shown))
        assert.is_nil(shown:find("[\0-\31\127]"))
        assert.is_nil(shown:find("\u{85}", 1, true))
        assert.is_true(#shown < 12000)
      end
    end
  end)

  it("keeps the reason where the key is long", function()
    local failure = { cause = "rules", text = "boom", name = ("k"):rep(1024) }
    local _, message = only_line { label = "x", failures = { failure } }
    assert.matches("boom$", message)
  end)
end)
