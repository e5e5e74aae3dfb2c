local cjson = require "cjson"
local made = require "spec.support.made"
local walk = require "spec.support.walk"

-- Not one that ships: whoever changes a rule changes its spec alone.
local RULES = walk.read("spec/fixtures/right/rules.lua")

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

describe("pigeon table", function()
  it("shows each outcome, how often it came, and an example", function()
    local text, status = made.run("table", {}, RULES)
    assert.matches("^rules%.lua %(0123456789ab%): %d+ objects, made from its constants; 7 outcomes\n", text)
    assert.matches("\n +%d+  accept: normal, submitter\n +v2/raw_crash/000/20180313/00007bd0%-[^\n]*1180313\n", text)
    assert.matches("\n +%d+  accept: normal\n +v2/", text)
    assert.matches("\n +%d+  defer: deferred by the collector\n +v2/raw_crash/[^\n]*0180313\n", text)
    assert.matches("\n +%d+  ignore: not a put\n[^\n]*\n +with event_name ObjectCreated:Copy\n", text)
    assert.matches("\nExamples are of bucket crashes, ObjectCreated:Put, size 1024, unless they say\notherwise%.\n",
      text)
    assert.matches("\nThis enumerates objects; it proves nothing about any other%.\n$", text)
    assert.equal(0, status)
  end)

  for _, path in ipairs { "spec/fixtures/right/rules.lua", "rules/antenna.lua", "rules/bucket.lua" } do
    it("fits on 80 columns, and what it counts adds up: " .. path, function()
      local text = made.run("table", {}, walk.read(path))
      local sum = 0
      for _, line in ipairs(lines_of(text)) do
        assert.is_true(#line <= 80, line)
        sum = sum + (tonumber(line:match("^ +(%d+)  %l+: ")) or 0)
      end
      assert.equal(tonumber(text:match("(%d+) objects")), sum)
    end)
  end

  it("wraps what is long, and cuts what cannot be wrapped", function()
    local names, exchanges = {}, {}
    for i = 1, 20 do names[i] = ("%q"):format("queue-number-" .. i) end
    exchanges[1] = ("exchange(%q, 'k')"):format(("x"):rep(200))
    local text = made.run("table", {}, ("return function(o) if o.key == 'a' then return accept('i', { %s }) end "
      .. "return accept('i', { %s }) end"):format(table.concat(names, ", "), exchanges[1]))
    assert.matches("accept: queue%-number%-1, [^\n]*\n          queue%-number", text)
    assert.matches("\n +%d+  accept:\n? *x+%.%.%.\n", text)
    for _, line in ipairs(lines_of(text)) do assert.is_true(#line <= 80, line) end
  end)

  it("names what the example lacks", function()
    local text = made.run("table", {}, "return function(o) return o.size and ignore('sized') or ignore('no size') end")
    assert.matches("  ignore: no size\n[^\n]*\n +with no size\n", text)
  end)

  it("shows the verdicts that no object reaches, and finds nothing of that in the scripts that ship", function()
    local text = made.run("table", {}, "return function(o)\n  if o.key:find('^v2/') then return ignore('new') end\n"
      .. "  if o.key:find('^v2/x') then return defer('x') end\n  return accept('i', {})\nend")
    assert.matches("\nNo object reaches:\n    line 3: defer: x\n$", text)
    local last = made.run("table", { json = true }, "return function(o)\n  if o.key == o.bucket .. o.key then\n"
      .. "    return ignore('odd')\n  end\n  return ignore('x')\nend"):match("([^\n]*)\n$")
    assert.same({ { line = 3, what = "ignore: odd" } }, cjson.decode(last).summary.unreached)
    for _, path in ipairs { "spec/fixtures/right/rules.lua", "rules/antenna.lua", "rules/bucket.lua" } do
      assert.is_nil((made.run("table", {}, walk.read(path)):find("No object reaches", 1, true)), path)
    end
  end)

  it("has status 1 where an object fails, and shows why and which", function()
    local text, status = made.run("table", {}, "return function(o)\n  return ignore(o.size > 5 and 'a' or 'b')\nend")
    assert.matches("\n +%d+  fail: rules%.lua:2: o%.size is nil here [^\n]*\n", text)
    assert.matches("\n +with no size\n", text)
    assert.equal(1, status)
  end)

  it("is JSON Lines for a program: the object's own fields", function()
    local text, status = made.run("table", { json = true }, RULES)
    local rows, count = lines_of(text), 0
    local summary = cjson.decode(table.remove(rows)).summary
    for i, row in ipairs(rows) do
      rows[i] = cjson.decode(row)
      count = count + rows[i].count
    end
    assert.same({ "accept", { "normal", "submitter" } }, { rows[1].verdict, rows[1].destinations })
    assert.same({
      bucket = "crashes", key = "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313",
      event_name = "ObjectCreated:Put", time = "2018-03-13T00:00:00.000Z", size = 1024, region = "us-west-2",
      version_id = "096fKKXTRTtl3on89fVO.nfljtsv6qko", sequencer = "0055AED6DCD90281E5", source = "aws:s3",
    }, rows[1].example)
    assert.same({ "ignore", "not a put" }, { rows[#rows - 3].verdict, rows[#rows - 3].reason })
    assert.same({ objects = count, of = count, outcomes = 7, unreached = {},
      rules = { name = "rules.lua", hash = "0123456789ab" } }, summary)
    assert.equal(0, status)
    text = made.run("table", { json = true }, "return function(o) return accept('i', {}) end")
    assert.matches('"destinations":%[%]', text)
  end)

  it("does not grow with made-up reasons", function()
    local source = "return function(o) return ignore((o.key:sub(-60) .. o.event_name .. (o.size or '')):sub(-99)) end"
    local more = {} -- sizes
    for i = 1, 20 do more[i] = "local size" .. i .. " = " .. 1000 * i .. "\n" end
    local text = made.run("table", { json = true }, table.concat(more) .. source)
    local rows = lines_of(text)
    assert.equal(1002, #rows) -- 1,000, the others, and the summary
    local others = 0
    for _, row in ipairs(rows) do
      row = cjson.decode(row)
      if row.others then others = row.count end
    end
    assert.is_true(others > 1)
  end)

  it("shows where the process was stopped as a failure of that object", function()
    local text, status = made.run("table", {}, RULES, nil, { [3] = { "rules.lua\nkept the processor for 1 s\n" } })
    assert.matches("\n +1  fail: rules%.lua: kept the processor for 1 s\n", text)
    assert.equal(1, status)
  end)

  it("says why the process ended, where the watchdog did not", function()
    local text = made.run("table", {}, RULES, nil, { [3] = { "ended the process by signal 9 (Killed)" } })
    assert.matches("\n +1  fail: rules%.lua: ended the process by signal 9 %(Killed%)\n", text)
  end)

  it("leaves out the rest after eight stops, says so, and has status 1", function()
    local stops = {}
    for i = 1, 8 do stops[i] = { "rules.lua\nkept the processor for 1 s\n" } end
    local text, status = made.run("table", {}, RULES, nil, stops)
    assert.matches("\nonly 8 of %d+ objects were decided: the script was stopped 8 times\n", text)
    assert.equal(1, status)
  end)

  it("leaves out most of it where each object takes long", function()
    local text, status = made.with_clock(4, made.run, "table", {}, walk.read("rules/bucket.lua"))
    assert.matches("\nonly 100 of %d+ objects were decided: they took 4 s of CPU\n", text)
    assert.equal(1, status)
  end)

  it("leaves out what takes too long, says so, and has status 1", function()
    local text, status = made.with_clock(1, made.run, "table", {}, walk.read("rules/bucket.lua"))
    assert.matches("\nonly 1100 of %d+ objects were decided: they took 11 s of CPU\n", text)
    assert.equal(1, status)
  end)
end)
