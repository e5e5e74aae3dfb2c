local verdict = require "pigeon.rules.verdict"
local noted = {}
local words = verdict.words(noted, { { name = "known" } })
local accept, defer, ignore, exchange = words.accept, words.defer, words.ignore, words.exchange

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

local function to(exchange_name, routing_key)
  return { exchange = exchange_name, routing_key = routing_key }
end

describe("a word", function()
  for name, arguments in pairs {
    accept = { "x", { "a" } }, defer = { "why" }, ignore = { "why" }, exchange = { "a", "b" },
  } do
    it(("%s drops what it does not take, and notes it"):format(name), function()
      noted.surplus = nil
      local plain = words[name](table.unpack(arguments))
      assert.is_nil(noted.surplus)
      arguments[require("pigeon.rules.arguments")[name] + 1] = "more"
      local more = words[name](table.unpack(arguments))
      assert.equal(name, noted.surplus)
      assert.same(getmetatable(plain).reason, getmetatable(more).reason)
      noted.surplus = nil
    end)
  end
end)

describe("accept", function()
  it("says what it was made from", function()
    assert.same({ kind = "accept", id = "x", destinations = {} }, said(accept("x", {})))
    assert.same({ kind = "accept", id = "x", destinations = { to("", "a"), to("", "b") } },
      said(accept("x", { "a", "b" })))
    local id = ("x"):rep(255)
    assert.same({ kind = "accept", id = id, destinations = {
      to("", "a"), to("a", ""), to("a", "a"), to("aa", ""),
    } }, said(accept(id, { "a", exchange("a", ""), exchange("a", "a"), exchange("aa", "") })))
    assert.equal(32, #said(accept("x", names(32))).destinations)
  end)

  it("says the same of a queue of PIGEON_QUEUE as of others, and refuses it twice", function()
    assert.same({ to("", "known"), to("", "a") }, said(accept("x", { "known", "a" })).destinations)
    assert.has_error(function() accept("x", { "known", "known" }) end,
      "accept: destinations[2] is the same as destinations[1]")
  end)

  it("checks no id that the word crash_id returned, and each other one", function()
    noted.crash_id = "\t"
    assert.equal("\t", said(accept("\t", {})).id)
    assert.has_error(function() accept("\n", {}) end, "accept: the id has a byte that cannot be printed")
    noted.crash_id = nil
    assert.has_error(function() accept(nil, {}) end, "accept: the id is a nil, but must be a string")
  end)

  it("keeps the order of a list, however that was filled", function()
    local list = {}
    for i = 3, 1, -1 do
      list[i] = "queue " .. i
    end
    list[4.0] = "c"
    assert.same({ to("", "queue 1"), to("", "queue 2"), to("", "queue 3"), to("", "c") },
      said(accept("x", list)).destinations)
  end)

  it("is a copy of what it was made from", function()
    local list = { "a" }
    local token = accept("x", list)
    list[1], list[2] = "b", "c"
    assert.same({ to("", "a") }, said(token).destinations)
  end)

  for _, case in ipairs {
    { "the id is a nil, but must be a string" },
    { "the id is a number, but must be a string", 7, {} },
    { "the id has 0 bytes, but must have 1 to 255", "", {} },
    { "the id has 256 bytes, but must have 1 to 255", ("x"):rep(256), {} },
    { "the id has a byte that cannot be printed", "a\n", {} },
    { "the id has a byte that cannot be printed", "é", {} },
    { "the destinations are a nil, but must be a list of queue names", "x" },
    { "the destinations are a string, but must be a list of queue names", "x", "normal" },
    { "the destinations are queues, a verdict or an exchange, but must be a list of queue names",
      "x", exchange("a", "b") },
    { "the destinations have a string as key, but must be a list", "x", { a = "b" } },
    { "the destinations have a number as key, but must be a list", "x", { [1.5] = "b" } },
    { "destinations[1] is nil, and later entries are not: the list has a gap", "x", { nil, "b" } },
    { "destinations[2] is a table, but must be a queue's name or an exchange", "x", { "a", {} } },
    { "destinations[1] is a table, but must be a queue's name or an exchange",
      "x", { defer("later") } },
    { "destinations[1] has 0 bytes, but must have 1 to 255", "x", { "" } },
    { "destinations[1] has 256 bytes, but must have 1 to 255", "x", { ("q"):rep(256) } },
    { "destinations[1] begins with amq., which the broker reserves", "x", { "amq.gen-1" } },
    { "destinations[3] is the same as destinations[1]", "x", { "a", "b", "a" } },
    { "destinations[2] is the same as destinations[1]",
      "x", { exchange("a", "b"), exchange("a", "b") } },
    { "more than 32 destinations", "x", names(33) },
    { "the id is a boolean, but must be a string", false, { "a" } },
    { "the destinations have a string as key, but must be a list", "x", { "a", b = "b" } },
    { "the destinations have a boolean as key, but must be a list", "x", { "", [true] = "b" } },
    { "the destinations are queues, a verdict or an exchange, but must be a list of queue names",
      "x", setmetatable({ "a" }, {}) },
    { "destinations[2] is nil, and later entries are not: the list has a gap", "x", { "a", [3] = "b" } },
    { "destinations[0] is not part of the list: positions begin at 1", "x", { [0] = "b" } },
    { "destinations[2] is the same as destinations[1]", "x", { "b", "b" } },
  } do
    it("raises: " .. case[1], function()
      local ok, problem = pcall(accept, case[2], case[3])
      assert.is_false(ok)
      assert.equal("accept: " .. case[1], problem)
    end)
  end
end)

describe("verdicts", function()

  it("say what they were made from", function()
    assert.same({ kind = "defer", reason = "later" }, said(defer("later")))
    assert.same({ kind = "ignore", reason = ("r"):rep(200) }, said(ignore(("r"):rep(200))))
  end)

  it("cannot be read or changed", function()
    local token = defer("later")
    assert.has_error(function() return token.kind end)
    assert.has_error(function() token.kind = "accept" end)
    assert.has_error(function() table.insert(token, 1) end)
  end)

  it("may go to an exchange that the broker itself declares", function()
    for _, name in ipairs { "amq.topic", "amq.direct", "amq.match" } do
      local decision = verdict.judge(accept("x", { exchange(name, "key") }))
      assert.same({ { exchange = name, routing_key = "key" } }, decision.destinations)
    end
  end)

  it("cannot be forged", function()
    local REST = ", but must return accept(...), defer(...) or ignore(...)"
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
    { "exchange: the name is a nil, but must be a string", exchange },
    { "exchange: the name has 0 bytes, but must have 1 to 255", exchange, "", "key" },
    { "exchange: the routing key is a nil, but must be a string", exchange, "a" },
    { "exchange: the routing key has 256 bytes, but must have 0 to 255", exchange, "a", ("k"):rep(256) },
    { 'defer needs a reason: defer("why")', defer },
    { 'ignore needs a reason: ignore("why")', ignore },
    { "ignore: the reason is a table, but must be a string", ignore, {} },
    { "ignore: the reason has 0 bytes, but must have 1 to 200", ignore, "" },
    { "ignore: the reason has 201 bytes, but must have 1 to 200", ignore, ("r"):rep(201) },
  } do
    it("raise: " .. case[1], function()
      local ok, problem = pcall(case[2], case[3], case[4])
      assert.is_false(ok)
      assert.equal(case[1], problem)
    end)
  end
end)
