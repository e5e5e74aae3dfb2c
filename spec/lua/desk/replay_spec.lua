local pigeon = require "pigeon"

local RULES = [[
return function(object)
  if object.key == "bad" then error("boom") end
  if object.key == "later" then return defer("later") end
  if object.key == "two" then return accept(object.key, { "normal", "submitter" }) end
  return accept(object.key, { "normal" })
end
]]

-- Replays batches {first line, keys, fates}; returns the text of each, what stopped it, the last
-- text and the status.
local function replay(batches, dry_run)
  pigeon.open { command = "replay", PIGEON_QUEUE = "normal", dry_run = dry_run,
    rules = { name = "rules.lua", source = RULES } }
  local said, stop = {}, nil
  for i, batch in ipairs(batches) do
    local fates, messages, others = batch[3] or {}, 0, 0
    for j in ipairs(pigeon.receive(batch[2], { kind = "lines", line = batch[1] })) do
      messages = messages + #(pigeon.decide(j) or {})
    end
    for _ in pairs(fates) do others = others + 1 end
    said[i], stop = pigeon.conclude(fates, { confirmed = messages - others })
  end
  return said, stop, pigeon.finish()
end

describe("pigeon replay", function()
  it("says how much it published, and which line was last", function()
    local said, stop, last, status = replay { { 1, "a\nlater\n" }, { 3, "\nb\n\n" } }
    assert.same({ "", "" }, said)
    assert.is_nil(stop)
    assert.equal("published 2 messages of 3 objects: 2 accepted, 1 deferred, 0 ignored\n"
      .. "line 4 was confirmed last; --from 5 continues after it\n", last)
    assert.equal(0, status)
  end)

  it("stops at what failed, and counts on from the first of it", function()
    local fates = { [2] = { fate = "returned", stage = "publish", code = 312, text = "NO_ROUTE" } }
    local said, stop, last, status = replay { { 11, "a\nb\nc\n", fates } }
    assert.equal("line 12 failed: b to normal: returned at publish: 312 NO_ROUTE\n", said[1])
    assert.equal("failed", stop)
    assert.equal("published 2 messages of 2 objects: 2 accepted, 0 deferred, 0 ignored\n"
      .. "line 11 was confirmed last; --from 12 continues after it\n"
      .. "1 messages after the failed line were confirmed, and will be published again\n", last)
    assert.equal(1, status)
  end)

  it("takes a line with several objects, and an object with several messages, as one", function()
    local records = {}
    for i, key in ipairs { "a", "two", "b" } do
      records[i] = ('{"eventSource":"aws:s3","eventName":"ObjectCreated:Put",'
        .. '"s3":{"bucket":{"name":"x"},"object":{"key":"%s"}}}'):format(key)
    end
    local event = '{"Records":[' .. table.concat(records, ",") .. "]}"
    local fates = { [4] = { fate = "unknown", stage = "confirm", text = "closed" } } -- the second of "two"
    local _, _, last = replay { { 1, "x\ny\n" }, { 3, event .. "\ntwo\n", fates } }
    assert.matches("^published 7 messages of 5 objects: 5 accepted", last)
    assert.matches("\nline 2 was confirmed last; %-%-from 3 continues after it\n"
      .. "5 messages after the failed line were confirmed, and", last)
  end)

  it("confirms an empty line with what is behind it", function()
    local _, _, last = replay { { 1, "a\n\n\nbad\n" } }
    assert.matches("\nline 1 was confirmed last; %-%-from 2 continues after it\n$", last)
  end)

  it("stops at a rule that failed, at the very first line", function()
    local said, stop, last, status = replay { { 1, "bad\nb" } }
    assert.equal("line 1 failed: bad: rules.lua:2: boom\n", said[1])
    assert.equal("failed", stop)
    assert.matches("\nno line was confirmed\n1 messages after the failed line were confirmed, and", last)
    assert.equal(1, status)
  end)

  it("names twenty failures at most", function()
    local said = replay { { 1, ("bad\n"):rep(50) } }
    assert.matches("\nline 20 failed: [^\n]*\nand 30 more\n$", said[1])
  end)

  it("says what it would do, and confirms nothing", function()
    local _, _, last = replay({ { 1, "a\n" } }, true)
    assert.equal("would publish 1 messages of 1 objects: 1 accepted, 0 deferred, 0 ignored\n", last)
  end)
end)
