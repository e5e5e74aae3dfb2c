local pigeon = require "pigeon"

local RULES = [[
return function(object)
  if object.key == "bad" then error("boom") end
  if object.key:find("^junk") then return ignore("junk") end
  if object.key == "later" then return defer("later") end
  if object.key == "two" then return accept(object.key, { "normal", "submitter" }) end
  return accept(object.key, { "normal" })
end
]]

-- Replays batches {first line, keys, fates}; returns the text of each, what stopped it, the last
-- text and the status.
local function replay(batches, dry_run, from)
  pigeon.open { command = "replay", PIGEON_QUEUE = "normal", dry_run = dry_run, from = from,
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
  it("says how much it published, and how far it came", function()
    local said, stop, last, status = replay { { 1, "a\nlater\n" }, { 3, "\nb\n\n" } }
    assert.same({ "", "" }, said)
    assert.is_nil(stop)
    assert.equal("published 2 messages: 2 objects accepted\ndeferred 1, ignored 0\n"
      .. "done up to object 3 (line 4); --from 4 continues after it\n", last)
    assert.equal(0, status)
  end)

  it("stops at what failed, and counts on from the first of it", function()
    local fates = { [2] = { fate = "returned", stage = "publish", code = 312, text = "NO_ROUTE" } }
    local said, stop, last, status = replay { { 11, "a\nb\nc\n", fates } }
    assert.equal("line 12 failed: b to normal: returned at publish: 312 NO_ROUTE\n", said[1])
    assert.equal("failed", stop)
    assert.equal("published 2 messages: 2 objects accepted\ndeferred 0, ignored 0\n"
      .. "done up to object 1 (line 11); --from 2 continues after it\n"
      .. "1 messages after the failed object were confirmed, and will be published again\n", last)
    assert.equal(1, status)
  end)

  it("takes an object with several messages as one", function()
    local records = {}
    for i, key in ipairs { "a", "two", "b" } do
      records[i] = ('{"eventSource":"aws:s3","eventName":"ObjectCreated:Put",'
        .. '"s3":{"bucket":{"name":"x"},"object":{"key":"%s"}}}'):format(key)
    end
    local event = '{"Records":[' .. table.concat(records, ",") .. "]}"
    local fates = { [3] = { fate = "unknown", stage = "confirm", text = "closed" } } -- the second of "two"
    local _, _, last = replay { { 1, "x\ny\n" }, { 3, event .. "\ntwo\n", fates } }
    assert.matches("^published 7 messages: 5 objects accepted\n", last)
    assert.matches("\ndone up to object 3 %(line 3%); %-%-from 4 continues after it\n"
      .. "4 messages after the failed object were confirmed, and", last)
  end)

  it("counts objects, not lines", function()
    local _, _, last = replay { { 1, "a\n\n\nbad\n" } }
    assert.matches("\ndone up to object 1 %(line 1%); %-%-from 2 continues after it\n$", last)
  end)

  it("begins with an object, and counts on from it", function()
    local _, _, last = replay({ { 1, "a\tb\nc\n" } }, false, 3)
    assert.equal("published 1 messages: 1 objects accepted\ndeferred 0, ignored 0\n"
      .. "done up to object 3 (line 2); --from 4 continues after it\n", last)
  end)

  it("fails at a line that is not a key, with its number", function()
    local said, stop, last = replay { { 1, "a\n2016-09-18 12:34:56 1 x\nb" } }
    assert.matches("^line 2 failed: 2016%-09%-18 12:34:56 1 x: has only the last part of a key", said[1])
    assert.equal("failed", stop)
    assert.matches("\ndone up to object 1 ", last)
    local _, _, _, status, problem = replay { { 1, "junk\nbad" } } -- the failure is why
    assert.equal(1, status)
    assert.is_nil(problem)
  end)

  it("does not count what is not in the bucket", function()
    local _, _, last = replay { { 1,
      '"b","a","v","true","false"\n"b","x","v","true","true"\n"b","a","u","false","false"' } }
    assert.equal("published 1 messages: 1 objects accepted\ndeferred 0, ignored 0\n"
      .. "not counted: 2 rows of older versions or deleted objects\n"
      .. "done up to object 1 (line 1); --from 2 continues after it\n", last)
  end)

  it("fails where the rules accept and defer nothing, and shows the first line", function()
    local _, _, last, status, problem = replay { { 1, "\njunk 1\njunk 2" } }
    assert.matches("^published nothing\ndeferred 0, ignored 2\n", last)
    assert.equal(1, status)
    assert.equal("the rules accept and defer none of 2 objects; line 2 is \"junk 1\": look at it with bin/pigeon "
      .. "explain, and at --rules", problem)
    _, _, _, status, problem = replay { { 1, "\n" } }
    assert.equal(1, status)
    assert.equal("the list is empty: stdin has no line with an object", problem)
    _, _, _, status, problem = replay { { 1, "None\n" } }
    assert.equal(1, status)
    assert.equal("the list has no object; line 1 is \"None\"", problem)
    _, _, _, status, problem = replay({ { 1, "a\nb\n" } }, false, 3)
    assert.equal(1, status)
    assert.equal("the list has 2 objects, so --from 3 leaves none", problem)
    _, _, _, status, problem = replay { { 1, "later\njunk" } }
    assert.equal(0, status)
    assert.is_nil(problem)
  end)

  it("refuses a file that is not a list", function()
    local said, stop = replay { { 1, "\x1F\x8B\8" } }
    assert.equal("refused", stop)
    assert.equal("the list is compressed with gzip; do: gzip -dc FILE | bin/pigeon replay", said[1])
  end)

  it("refuses a manifest that says nothing", function()
    local names, problem = pigeon.open { command = "replay", PIGEON_QUEUE = "normal",
      manifest = { name = "m.json", text = "{}" }, rules = { name = "rules.lua", source = RULES } }
    assert.is_nil(names)
    assert.equal("--manifest m.json: fileSchema is missing", problem)
  end)

  it("stops at a rule that failed, at the very first line", function()
    local said, stop, last, status = replay { { 1, "bad\nb" } }
    assert.equal("line 1 failed: bad: rules.lua:2: boom\n", said[1])
    assert.equal("failed", stop)
    assert.matches("\nno object is done\n1 messages after the failed object were confirmed, and", last)
    assert.equal(1, status)
  end)

  it("names twenty failures at most", function()
    local said = replay { { 1, ("bad\n"):rep(50) } }
    assert.matches("\nline 20 failed: [^\n]*\nand 30 more\n$", said[1])
  end)

  it("says what it would do, and confirms nothing", function()
    local _, _, last = replay({ { 1, "a\n" } }, true)
    assert.equal("would publish 1 messages: 1 objects accepted\ndeferred 0, ignored 0\n", last)
  end)
end)
