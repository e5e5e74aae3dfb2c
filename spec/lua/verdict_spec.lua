local verdict = require "pigeon.verdict"
local accept, defer, ignore, exchange =
  verdict.words.accept, verdict.words.defer, verdict.words.ignore, verdict.words.exchange

local function names(count)
  local list = {}
  for i = 1, count do
    list[i] = "queue " .. i
  end
  return list
end

local function said(value)
  local says = verdict.judge(value)
  return { kind = says.kind, id = says.id, destinations = says.destinations, reason = says.reason }
end

local function message(id, exchange_name, routing_key)
  return { exchange = exchange_name, routing_key = routing_key, message_id = id, body = id }
end

describe("verdicts", function()
  it("say what they were made from", function()
    assert.same({ kind = "defer", reason = "later" }, said(defer("later")))
    assert.same({ kind = "ignore", reason = ("r"):rep(200) }, said(ignore(("r"):rep(200))))
    assert.same({ kind = "accept", id = "x", destinations = {} }, said(accept("x", {})))
    local id = ("x"):rep(255)
    assert.same({ kind = "accept", id = id, destinations = {
      message(id, "", "a"), message(id, "a", ""), message(id, "a", "a"), message(id, "aa", ""),
    } }, said(accept(id, { "a", exchange("a", ""), exchange("a", "a"), exchange("aa", "") })))
    assert.equal(32, #said(accept("x", names(32))).destinations)
  end)

  it("are copies of what they were made from", function()
    local list = { "a" }
    local token = accept("x", list)
    list[1], list[2] = "b", "c"
    assert.same({ message("x", "", "a") }, said(token).destinations)
  end)

  it("cannot be read or changed", function()
    local token = defer("later")
    assert.has_error(function() return token.kind end)
    assert.has_error(function() token.kind = "accept" end)
    assert.has_error(function() table.insert(token, 1) end)
  end)

  it("cannot be forged", function()
    local REST = ", and has to return accept(...), defer(...) or ignore(...)"
    for what, value in pairs {
      ["a table"] = { kind = "accept", id = "x", destinations = {} },
      ["a string"] = "accept", ["a boolean"] = true, ["a number"] = 1, ["a function"] = accept,
      ["an exchange"] = exchange("a", "b"),
    } do
      assert.same({ nil, "the rule returned " .. what .. REST }, { verdict.judge(value) })
    end
    assert.same({ nil, "the rule returned nothing" .. REST }, { verdict.judge(nil) })
  end)

  for _, case in ipairs {
    { "accept: the id is a nil, and should be a string", accept },
    { "accept: the id is a number, and should be a string", accept, 7, {} },
    { "accept: the id has 0 bytes, and should have 1 to 255", accept, "", {} },
    { "accept: the id has 256 bytes, and should have 1 to 255", accept, ("x"):rep(256), {} },
    { "accept: the id has a byte that cannot be printed", accept, "a\n", {} },
    { "accept: the id has a byte that cannot be printed", accept, "é", {} },
    { "accept: the destinations are a nil, and should be a list of queue names", accept, "x" },
    { "accept: the destinations are a string, and should be a list of queue names", accept, "x", "normal" },
    { "accept: the destinations are queues, a verdict or an exchange, and should be a list of queue names",
      accept, "x", exchange("a", "b") },
    { "accept: the destinations have a string as key, and should be a list", accept, "x", { a = "b" } },
    { "accept: the destinations have a number as key, and should be a list", accept, "x", { [1.5] = "b" } },
    { "accept: destinations[1] is a nil, and should be a queue's name or an exchange", accept, "x", { nil, "b" } },
    { "accept: destinations[2] is a table, and should be a queue's name or an exchange", accept, "x", { "a", {} } },
    { "accept: destinations[1] is a table, and should be a queue's name or an exchange",
      accept, "x", { defer("later") } },
    { "accept: destinations[1] has 0 bytes, and should have 1 to 255", accept, "x", { "" } },
    { "accept: destinations[1] has 256 bytes, and should have 1 to 255", accept, "x", { ("q"):rep(256) } },
    { "accept: destinations[1] begins with amq., which is the broker's own", accept, "x", { "amq.gen-1" } },
    { "accept: destinations[3] is the same as destinations[1]", accept, "x", { "a", "b", "a" } },
    { "accept: destinations[2] is the same as destinations[1]",
      accept, "x", { exchange("a", "b"), exchange("a", "b") } },
    { "accept: more than 32 destinations", accept, "x", names(33) },
    { "exchange: the name is a nil, and should be a string", exchange },
    { "exchange: the name has 0 bytes, and should have 1 to 255", exchange, "", "key" },
    { "exchange: the name begins with amq., which is the broker's own", exchange, "amq.topic", "key" },
    { "exchange: the routing key is a nil, and should be a string", exchange, "a" },
    { "exchange: the routing key has 256 bytes, and should have 0 to 255", exchange, "a", ("k"):rep(256) },
    { "defer: the reason is a nil, and should be a string", defer },
    { "ignore: the reason is a table, and should be a string", ignore, {} },
    { "ignore: the reason has 0 bytes, and should have 1 to 200", ignore, "" },
    { "ignore: the reason has 201 bytes, and should have 1 to 200", ignore, ("r"):rep(201) },
  } do
    it("raise: " .. case[1], function()
      local ok, problem = pcall(case[2], case[3], case[4])
      assert.is_false(ok)
      assert.equal(case[1], problem)
    end)
  end
end)
