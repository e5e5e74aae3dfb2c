local cjson = require "cjson"
local pigeon = require "pigeon"

local ID = "00007bd0-2d1c-4865-af09-80bc01180313"
local RULES = [[
return function(object)
  if object.key == "bad" then error("boom") end
  if object.key == "later" then return defer("not now") end
  if object.key == "none" then return accept("x", {}) end
  return accept(crash_id(object.key), { "normal", exchange("e", "r") })
end
]]

-- Explains keys; returns the text, the last text and the exit status.
local function explain(keys, more)
  local settings = {
    command = "explain", PIGEON_QUEUE = "normal,15:submitter", rules = { name = "rules.lua", source = RULES },
  }
  for name, value in pairs(more or {}) do settings[name] = value end
  pigeon.open(settings)
  local messages = 0
  local kind = settings.kind or "keys"
  if kind == "keys" then keys = keys:gsub("\n", "\0") .. "\0" end
  for i in ipairs(pigeon.receive(keys, { kind = kind })) do
    messages = messages + #(pigeon.decide(i) or {})
  end
  local text = pigeon.conclude({}, { confirmed = messages })
  return text, pigeon.finish()
end

describe("pigeon explain", function()
  it("says what is accepted, where, and by which samples", function()
    local text, last, status = explain("k/" .. ID)
    assert.equal((([[
k/ID
  accept ID  (rules.lua:5)
  normal     sample  51.4638 < throttle 100: sent
  submitter  sample  14.8843 < throttle 15: not sent, by the rules
  message to normal: exchange "", routing key "normal"
  message to e/r: exchange "e", routing key "r"
  each with message_id and body ID,
    content_type text/plain, app_id pigeon, timestamp, persistent, mandatory
]]):gsub("ID", function() return ID end)), text)
    assert.equal("", last)
    assert.equal(0, status)
  end)

  it("says why not", function()
    local text, _, status = explain("later\nnone\nbad")
    assert.equal([[
later
  defer: not now  (rules.lua:3)
none
  accept x  (rules.lua:4)
  normal     sample  31.1234 < throttle 100: not sent, by the rules
]], (text:gsub("sample +[%d.]+", "sample  31.1234"):match("^.-\n.-\n.-\n.-\n.-\n")))
    assert.matches("\n  no message: no destination was given\n", text)
    assert.matches("bad\n  fail: boom  %(rules%.lua:2%)\n$", text)
    assert.equal(1, status)
  end)

  it("shows the script, and which lines ran", function()
    local text = explain("later", { trace = true })
    assert.matches("\n   >   2    if object%.key == \"bad\"", text)
    assert.matches("\n  >>   3    if object%.key == \"later\"", text)
    assert.matches("\n       4    if object%.key == \"none\"", text)
    assert.matches("\n       6  end\n$", text)
  end)

  it("is JSON, a line each, where a program reads it", function()
    local text, last = explain("k/" .. ID .. "\nnone\nbad", { json = true })
    local told = {}
    for line in text:gmatch("[^\n]+") do told[#told + 1] = cjson.decode(line) end
    assert.equal(3, #told)
    assert.equal("accept", told[1].verdict)
    assert.equal("rules.lua:5", told[1].where)
    assert.equal("submitter", told[1].queues[2].name)
    assert.is_false(told[1].queues[2].chosen)
    assert.equal("e", told[1].messages[2].exchange)
    assert.matches('"messages":%[%]', text)
    assert.equal("fail", told[3].verdict)
    assert.equal("boom", told[3].reason)
    assert.equal("rules.lua:2", told[3].where)
    assert.equal("", last)
    assert.is_nil(told[1].lines)
    assert.same({ 2, 3 }, cjson.decode((explain("later", { json = true, trace = true }))).lines)
  end)

  it("says what is wrong with an event, and what it does not look at", function()
    local text, _, status = explain("{", { kind = "event" })
    assert.matches("^the event\n  fail: the event is not JSON", text)
    assert.equal(1, status)
    text = explain('{"Event":"s3:TestEvent"}', { kind = "event" })
    assert.equal("the event\n  ignore: s3:TestEvent\n", text)
    local nothing, last, ended = explain('{"Records":[]}', { kind = "event" })
    assert.equal("", nothing)
    assert.equal("No object: there is nothing to decide.\n", last)
    assert.equal(1, ended)
    _, last, ended = explain('{"Records":[]}', { kind = "event", json = true })
    assert.equal("", last)
    assert.equal(1, ended)
  end)

  it("says how it is used, without rules", function()
    assert.equal("", (pigeon.open { command = "explain", help = true }))
    local text, status = pigeon.finish()
    assert.matches("^Usage: pigeon explain", text)
    assert.equal(0, status)
  end)

  it("has a hint where the key looks like something else, and then status 1", function()
    local rules = { name = "rules.lua", source = "return function() return ignore('not a raw crash') end" }
    for key, hint in pairs {
      ["event.json"] = "a file; explain the event in it: bin/pigeon explain <event.json",
      ["my 'list'"] = [[a file; explain the event in it: bin/pigeon explain <'my '\''list'\''']],
      ["s3://crashes/a/b c"] = "an address; explain its key: bin/pigeon explain 'a/b c'",
      ["arn:aws:s3:::crashes/a"] = "an address; explain its key: bin/pigeon explain a",
      ["s3://crashes"] = "an address that names no object; an address is s3://BUCKET/KEY",
      ["https://crashes.s3.amazonaws.com/a"] = "a URL; explain the key alone, without host and bucket",
      [ID] = "a crash id alone; explain its key: bin/pigeon explain v2/raw_crash/000/20180313/" .. ID,
      [""] = "an empty key, which no object has; is the variable set that it came from?",
      ["nosuch.json"] = "the name of a file, and there is none here; an event goes to stdin: bin/pigeon explain <FILE",
      ["../e"] = "the name of a file, and there is none here; an event goes to stdin: bin/pigeon explain <FILE",
      ['{"Records":[]}'] = "an event goes to stdin: bin/pigeon explain <FILE",
    } do
      local more = { rules = rules, files = { ["event.json"] = true, ["my 'list'"] = true } }
      local text, _, status = explain(key, more)
      assert.equal(key .. "\n  ignore: not a raw crash  (rules.lua:1)\n  hint: " .. hint .. "\n", text)
      assert.equal(1, status)
      more.json = true
      assert.equal(hint, cjson.decode((explain(key, more))).hint)
      more.literal = true -- after "--"
      text, _, status = explain(key, more)
      assert.is_nil(text:find("hint", 1, true))
      assert.equal(0, status)
    end
  end)

  it("has no hint for a key that is wanted, or that is only ignored", function()
    local text, _, status = explain("later\na/" .. ID, { files = { later = true } })
    assert.is_nil(text:find("hint", 1, true))
    assert.equal(0, status)
    local rules = { name = "r", source = "return function() return ignore('x') end" }
    text, _, status = explain("v2/README", { rules = rules })
    assert.is_nil(text:find("hint", 1, true))
    assert.equal(0, status)
  end)

  it("shows a hostile key on one line", function()
    assert.matches("^a%? b\n", (explain("a\xff\27b"):gsub("\u{FFFD}", "?")))
  end)
end)
