local answer = require "pigeon.report.answer"
local cjson = require "cjson"

local function accepted(task, destinations, throttled)
  return { task = task, verdict = { kind = "accept", id = "id" }, destinations = destinations, throttled = throttled }
end

local function failed(task, ...)
  return { task = task, label = "key", failures = { ... } }
end

local function to(queue, cause, text)
  return { cause = cause, text = text or "why", name = "id to " .. queue,
    destination = { exchange = "", routing_key = queue } }
end

local function text_of(entries, facts)
  local body, error_type = answer.make({ entries = entries, job = { version = "1.0", invocation = 'i"' } },
    facts or { confirmed = 0 })
  assert.is_nil(error_type)
  return body
end

-- "id code words" of each result.
local function results(entries, facts)
  local list = {}
  for i, result in ipairs(cjson.decode(text_of(entries, facts)).results) do
    list[i] = ("%s %s %s"):format(result.taskId, result.resultCode, result.resultString)
  end
  return list
end

describe("the answer to S3 Batch Operations", function()
  it("repeats version and invocation, and takes a task without a result for a failure", function()
    assert.equal('{"invocationId":"i\\"","invocationSchemaVersion":"1.0","results":[],'
      .. '"treatMissingKeysAs":"PermanentFailure"}', text_of {})
  end)

  it("has what became of each object, in their order", function()
    assert.same({
      "a Succeeded accept: normal, submitter",
      "b Succeeded ignore: not a raw crash",
      "c Succeeded defer: deferred by the collector",
      "d Succeeded accept: no queue (throttled: normal, submitter)",
      "e Succeeded accept: no queue",
      "f Succeeded accept: normal",
    }, results {
      accepted("a", { "normal", "submitter" }),
      { task = "b", verdict = { kind = "ignore", reason = "not a raw crash" } },
      { task = "c", verdict = { kind = "defer", reason = "deferred by the collector" } },
      accepted("d", {}, { "normal", "submitter" }), accepted("e", {}), accepted("f", { "normal" }, { "submitter" }),
    })
  end)

  for cause, code in pairs {
    unknown = "TemporaryFailure", nacked = "TemporaryFailure", time = "TemporaryFailure",
    record = "PermanentFailure", rules = "PermanentFailure", returned = "PermanentFailure",
  } do
    it(("calls a failure by cause %s a %s"):format(cause, code), function()
      assert.same({ "a " .. code .. " why" }, results { failed("a", { cause = cause, text = "why", name = "key" }) })
    end)
  end

  it("names the queues that failed, and tries again where one of them can succeed", function()
    assert.same({ "a TemporaryFailure normal: 312 NO_ROUTE | submitter: nacked", "b PermanentFailure normal: why" },
      results { failed("a", to("normal", "returned", "312 NO_ROUTE"), to("submitter", "nacked", "nacked")),
        failed("b", to("normal", "returned")) })
  end)

  it("is not an error, though the broker took nothing", function()
    assert.same({ "a TemporaryFailure normal: connect: refused", "b Succeeded ignore: no" },
      results({ failed("a", to("normal", "unknown", "connect: refused")),
        { task = "b", verdict = { kind = "ignore", reason = "no" } } },
        { confirmed = 0, broker_wide = "connect: refused" }))
  end)

  it("is an error only where the event is wrong as a whole", function()
    assert.equal("Function.EventInvalid",
      select(2, answer.make({ entries = {}, problem = "no", job = {} }, { confirmed = 0 })))
  end)

  it("has no result without an id", function()
    assert.same({ "a Succeeded accept: q" },
      results { failed(nil, { cause = "record", text = "no id" }), accepted("a", { "q" }) })
  end)

  local good, permanent = accepted("a", { "q" }), failed("a", { cause = "rules", text = "boom" })
  local temporary = failed("a", { cause = "time", text = "late" })
  for name, case in pairs {
    ["a failure before a success"] = { good, permanent, "a PermanentFailure boom" },
    ["a failure that a retry can cure before one that it cannot"] = { permanent, temporary, "a TemporaryFailure late" },
  } do
    it("has one result for two tasks of one id: " .. name, function()
      assert.same({ case[3] }, results { case[1], case[2] })
      assert.same({ case[3] }, results { case[2], case[1] })
    end)
  end

  it("has strings of 1,024 bytes at most, which are UTF-8 without control characters", function()
    for _, bytes in ipairs { ("x"):rep(9999), ("\u{1F4A5}"):rep(9999), ("\xFF\n\0"):rep(300), ("\xFF"):rep(9999) } do
      local text = cjson.decode(text_of { failed("a", { cause = "rules", text = bytes }) }).results[1].resultString
      assert.truthy(utf8.len(text))
      assert.is_nil(text:find("%c"))
      assert.is_true(#text <= 1024, #text .. " bytes")
      assert.is_true(#text >= 300)
    end
  end)

  it("fits into what Lambda takes, however many tasks there are", function()
    for _, count in ipairs { 3000, 20000, 60000 } do
      local entries = {}
      for i = 1, count do entries[i] = failed("t" .. i, { cause = "rules", text = ('"'):rep(2000) }) end
      local text = text_of(entries)
      assert.is_true(#text < 6 << 20, ("%d bytes for %d tasks"):format(#text, count))
      assert.equal(count, #cjson.decode(text).results)
    end
  end)
end)
