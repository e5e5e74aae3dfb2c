local cjson = require "cjson"
local answer = require "pigeon.report.answer"

local function failed(...)
  return { label = "key", failures = { ... } }
end

local DONE = { label = "key" }

local function error_of(entries, broker_wide)
  local body, error_type = answer.make({ entries = entries }, { broker_wide = broker_wide, confirmed = 0 })
  local decoded = cjson.decode(body)
  assert.equal(error_type, decoded.errorType)
  assert.matches('"stackTrace":%[%]', body)
  return decoded.errorMessage, error_type
end

describe("answer.make", function()
  it("is null when nothing failed", function()
    assert.equal("null", (answer.make({ entries = {} }, {})))
    assert.equal("null", (answer.make({ entries = { DONE, DONE } }, {})))
    assert.is_nil(select(2, answer.make({ entries = { DONE } }, {})))
  end)

  for cause, case in pairs {
    record = { "Function.EventInvalid", "check what invokes this function: it expects S3 notifications" },
    rules = { "Function.RulesFailed", "fix the rules script and deploy it" },
    -- the broker's text has its own next step
    returned = { "Function.MessageUnroutable" }, nacked = { "Function.MessageRefused" },
    unknown = { "Function.BrokerUnavailable" },
    time = { "Function.OutOfTime", "raise the function's timeout or its memory" },
  } do
    it("names type and next step of " .. cause, function()
      local message, error_type = error_of { DONE, failed { cause = cause, text = "why", name = "who" } }
      local step = case[2] and "; next: " .. case[2] or ""
      assert.equal("1 of 2 objects failed: who: why" .. step, message)
      assert.equal(case[1], error_type)
    end)
  end

  it("says equal reasons once, and where a text names itself, no name", function()
    assert.equal("4 of 4 objects failed: a to q, b to q, b to r: no | Records[7] is bad | c: other", (error_of {
      failed { cause = "returned", text = "no", name = "a to q" },
      failed({ cause = "returned", text = "no", name = "b to q" },
        { cause = "returned", text = "no", name = "b to r" }),
      failed { cause = "record", text = "Records[7] is bad" },
      failed { cause = "nacked", text = "other", name = "c" },
    }))
  end)

  it("takes the cause that hit most, and of two the one that no retry fixes", function()
    local function type_of(...)
      local entries = {}
      for i, cause in ipairs { ... } do
        entries[i] = failed { cause = cause, text = "why", name = "who" }
      end
      return (select(2, error_of(entries)))
    end
    assert.equal("Function.BrokerUnavailable", type_of("rules", "unknown", "unknown"))
    assert.equal("Function.RulesFailed", type_of("unknown", "rules"))
    assert.equal("Function.EventInvalid", type_of("time", "nacked", "returned", "rules", "record"))
  end)

  it("names the broker's cause, once, and blames the broker", function()
    local entries = { failed { cause = "rules", text = "boom", name = "a" },
      failed { cause = "rules", text = "boom", name = "b" },
      failed { cause = "unknown", text = "unknown at connect: Connection refused", name = "c" } }
    local message, error_type = error_of(entries, "Connection refused")
    assert.equal("Function.BrokerUnavailable", error_type)
    assert.equal(1, select(2, message:gsub("Connection refused", "")))
    message = error_of(entries, "blocked: low on disk")
    assert.matches("^3 of 3 objects failed: blocked: low on disk: a, b: boom", message)
  end)

  it("names 20 and counts the rest", function()
    local entries = {}
    for i = 1, 50 do
      entries[i] = failed { cause = "unknown", text = "why", name = "<" .. i .. ">" }
    end
    local message = error_of(entries)
    assert.equal(20, select(2, message:gsub("<%d+>", "")))
    assert.matches("^50 of 50 objects failed: .*<20>: why | and 30 more$", message)
  end)

  it("names 20 also where each has a reason of its own", function()
    local entries = {}
    for i = 1, 50 do
      entries[i] = failed { cause = "record", text = "<" .. i .. ">" }
    end
    local message = error_of(entries)
    assert.equal(20, select(2, message:gsub("<%d+>", "")))
    assert.matches(" | and 30 more; next: ", message)
  end)

  it("shows nothing that could not be shown, and little of what is long", function()
    local message = error_of { failed { cause = "rules", text = "a\n\u{85}\xff\0" .. ("x"):rep(9999),
      name = "k\r\xfe" .. ("y"):rep(9999) } }
    assert.is_truthy(utf8.len(message))
    assert.is_nil(message:find("[\0-\31\127]"))
    assert.is_nil(message:find("\u{85}", 1, true))
    assert.is_true(#message < 1000)
  end)

  it("keeps 300 bytes of a name, 400 of a reason and of the broker's cause, and 1,000 of what is wrong", function()
    local long = ("x"):rep(1001)
    assert.equal(("1 of 1 objects failed: %s...: %s..."):format(("x"):rep(300), ("x"):rep(400)),
      (error_of { failed { cause = "unknown", text = long, name = long } }))
    assert.equal(("1 of 1 objects failed: %s...: who: why"):format(("x"):rep(400)),
      (error_of({ failed { cause = "unknown", text = "why", name = "who" } }, long)))
    local body = answer.make({ entries = {}, problem = long }, {})
    assert.equal(("x"):rep(1000) .. "...; next: ", cjson.decode(body).errorMessage:match("^.-; next: "))
  end)

  it("says the broker's cause once where an entry says it first", function()
    assert.equal("1 of 1 objects failed: connect: [refused",
      (error_of({ failed { cause = "unknown", text = "connect: [refused" } }, "connect: [refused")))
  end)

  it("tells of an event that is wrong as a whole", function()
    local body, error_type = answer.make({ entries = {}, problem = "the event has no Records" }, {})
    assert.same({
      errorMessage = "the event has no Records"
        .. "; next: check what invokes this function: it expects S3 notifications",
      errorType = "Function.EventInvalid", stackTrace = {},
    }, cjson.decode(body))
    assert.equal("Function.EventInvalid", error_type)
  end)

  it("writes a slash as it is", function()
    local body = answer.make({ entries = { failed { cause = "rules", text = "why", name = "v2/raw_crash/x" } } }, {})
    assert.is_truthy(body:find("v2/raw_crash/x", 1, true))
  end)
end)

describe("a partial answer", function()
  local function of_message(id, entry)
    entry.message = id
    return entry
  end

  local function why(cause)
    return failed { cause = cause or "returned", text = "why", name = "who" }
  end

  local function partial(entries, facts)
    local body, error_type = answer.make({ entries = entries, partial = true }, facts or { confirmed = 1 })
    assert.is_nil(error_type)
    return body
  end

  it("is an empty list where nothing failed", function()
    assert.equal('{"batchItemFailures":[]}', partial { of_message("a", { label = "key" }) })
    assert.equal('{"batchItemFailures":[]}', partial {})
  end)

  it("has exactly the messages of which something failed, each once, in their order", function()
    assert.equal('{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a/\\""}]}', partial {
      of_message("c", { label = "key" }), of_message("b", why()), of_message("b", { label = "key" }),
      of_message('a/"', why()), of_message("b", why()),
    })
  end)

  it("is given where some messages went, though the broker failed", function()
    assert.equal('{"batchItemFailures":[{"itemIdentifier":"b"}]}',
      partial({ of_message("a", { label = "key" }), of_message("b", why("unknown")) },
        { confirmed = 1, broker_wide = "connect: refused" }))
  end)

  it("is given where nothing was to be published", function()
    assert.equal('{"batchItemFailures":[{"itemIdentifier":"b"}]}',
      partial({ of_message("b", why("record")) }, { confirmed = 0 }))
  end)

  it("is an error where the broker took nothing", function()
    local body, error_type = answer.make({ partial = true, entries = {
      of_message("a", why("unknown")), of_message("b", why("record")), of_message("c", { label = "key" }) } },
      { confirmed = 0, broker_wide = "connect: refused" })
    assert.equal("Function.BrokerUnavailable", error_type)
    assert.matches("^2 of 3 objects failed: connect: refused", cjson.decode(body).errorMessage)
  end)

  it("is an error where the event as a whole is wrong", function()
    assert.equal("Function.EventInvalid",
      select(2, answer.make({ entries = {}, partial = true, problem = "no" }, { confirmed = 0 })))
  end)

  it("names 10,000 messages", function()
    local entries = {}
    for i = 1, 10000 do entries[i] = of_message("m" .. i, why()) end
    local items = cjson.decode(partial(entries)).batchItemFailures
    assert.equal(10000, #items)
    assert.equal("m10000", items[10000].itemIdentifier)
  end)
end)
