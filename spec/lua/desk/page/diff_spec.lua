local made = require "spec.support.made"
local walk = require "spec.support.walk"

local RULES = walk.read("spec/fixtures/right/rules.lua")

-- The page of pigeon diff, and its status.
local function page_of(old, new, stops)
  local _, status, problem, page = made.run("diff", { html = true }, old, new, stops)
  assert.is_nil(problem)
  return page, status
end

local function has(page, ...)
  for _, words in ipairs { ... } do assert.is_truthy(page:find(words, 1, true), words) end
end

local function count(page, words)
  return select(2, page:gsub(words:gsub("%p", "%%%0"), ""))
end

describe("the page of pigeon diff", function()
  it("is made only where it is asked for", function()
    assert.is_nil((select(4, made.run("diff", {}, RULES, RULES))))
  end)

  it("says that there is no difference", function()
    local page, status = page_of(RULES, RULES)
    assert.equal(0, status)
    has(page, "<title>pigeon diff: No difference in ", "<h2>Kinds of change</h2>\n<p>There are none.</p>",
      "Both scripts are the same, byte for byte", "This enumerates objects; it proves nothing about any other.")
  end)

  it("has the counts of both scripts, each kind of change with its object, and the hashes", function()
    local page, status = page_of(RULES, (RULES:gsub('%["0"%] = "defer"', '["0"] = "accept"')))
    assert.equal(1, status)
    local changed, total = page:match("<h1>(%d+) of ([%d,]+) objects change, in 2 kinds</h1>")
    assert.equal(2, count(page, '<details class="kind">'))
    assert.equal(2, count(page, "<code><bdi dir=\"ltr\">0123456789ab</bdi></code>"))
    local sum = 0
    for amount in page:gmatch('<span class="amount">(%d+)</span>') do sum = sum + amount end
    assert.equal(tonumber(changed), sum)
    has(page, 'PIGEON_QUEUE is <code><bdi dir="ltr">normal,15:submitter</bdi></code>.',
      "A full bar is " .. total .. " objects", "new: <bdi dir=\"ltr\">new.lua</bdi>",
      '<span class="verdict defer">defer</span> <bdi dir="ltr">deferred by the collector</bdi></span>',
      '<tr><th scope="row">bucket</th><td><bdi dir="ltr">crashes</bdi></td></tr>',
      '<span class="changed">+' .. changed .. "</span>", '<span class="changed">\u{2212}' .. changed .. "</span>")
    assert.equal(page, (page_of(RULES, (RULES:gsub('%["0"%] = "defer"', '["0"] = "accept"')))))
  end)

  it("says in which fields an object is unusual", function()
    local page = page_of("return function(o) return ignore('a') end",
      "return function(o) return ignore((o.size or 7) > 5 and 'a' or 'b') end")
    has(page, 'scope="row">size</th><td><bdi dir="ltr">0</bdi> <small>(usually <bdi dir="ltr">1024</bdi>)</small>')
    page = page_of("return function(o) return ignore('a') end",
      "return function(o) return ignore(o.size and 'a' or 'b') end")
    has(page, 'scope="row">size</th><td><span class="quiet">absent</span> <small>(usually ')
  end)

  it("folds what are more than 20 rows, and all kinds of change after 1,000", function()
    local old = "return function(o) return ignore('all') end"
    local new = "return function(o) local n = o.size or 7; "
      .. "return ignore('r' .. sample(o.key .. n, n > 5 and 'a' or 'b')) end"
    local page = page_of(old, new)
    has(page, "<summary>982 more, by reason</summary>", "<caption>By reason, the others</caption>",
      "of all other kinds of change", '<bdi dir="ltr">(others)</bdi>')
    assert.equal(1001, count(page, '<details class="kind">'))
  end)

  it("says what was not decided, or fails in both", function()
    local fails = "return function(o) return ignore(o.size > 5 and 'a' or 'b') end"
    has(page_of(fails, "-- another\n" .. fails), '<ul class="notes good">\n<li><bdi dir="ltr">',
      " objects fail in both scripts; pigeon check shows why")
    local stops = {}
    for number = 1, 8 do stops[number] = { "kept the processor", false } end
    has(page_of(RULES, RULES, stops), "objects were decided: the script was stopped 8 times")
  end)

  it("shows what scripts say as it is", function()
    local page = page_of("return function(o) return ignore('<script>') end",
      "return function(o) return accept('i', { '</bdi>\\u{202E}' }) end")
    has(page, "&lt;script&gt;", '&lt;/bdi&gt;<span class="escape">\\u{202E}</span>')
    assert.is_nil(page:find("<script", 1, true))
    assert.is_nil(page:find("\u{202E}", 1, true))
  end)
end)
