local made = require "spec.support.made"
local pigeon = require "pigeon"

local RULES = [[
return function(object)
  local kind = object.key:sub(1, 1)
  if kind == "a" then return accept("id", { "normal", "other" }) end
  if kind == "d" then return defer("later") end
  if kind == "f" then error("<boom>") end
  return ignore("junk")
end
]]
local NEW = RULES:gsub('"later"', '"never"'):gsub('"id"', '"other id"')

-- The page of pigeon simulate for a list, the status and the problem.
local function page_of(list, against, more)
  local settings = { command = "simulate", PIGEON_QUEUE = "normal", width = 80, html = true,
    rules = made.script(RULES, "<rules>.lua") }
  for name, value in pairs(more or {}) do settings[name] = value end
  pigeon.open(settings)
  if against then pigeon.open_shadow(made.script(against, "new.lua")) end
  local labels, messages = pigeon.receive(list, { kind = "lines", line = 1 }), 0
  for i in ipairs(labels) do messages = messages + #(pigeon.decide(i, false) or {}) end
  for i in ipairs(against and labels or {}) do pigeon.decide(i, true) end
  pigeon.rest_shadow()
  pigeon.conclude({}, { confirmed = messages })
  local _, status, problem, page = pigeon.finish()
  return page, status, problem
end

local function has(page, ...)
  for _, words in ipairs { ... } do assert.is_truthy(page:find(words, 1, true), words) end
end

local function lacks(page, ...)
  for _, words in ipairs { ... } do assert.is_nil(page:find(words, 1, true), words) end
end

describe("the page of pigeon simulate", function()
  it("is made only where it is asked for", function()
    assert.is_nil((page_of("a\n", nil, { html = false })))
  end)

  it("of one script has its counts and shares", function()
    local page = page_of("a1\na2\nd\nj\n", nil, { assumed_queue = true })
    has(page, "<h1>What the rules decide for 4 objects</h1>", "<caption>The script</caption>", "&lt;rules&gt;.lua",
      'scope="col" class="number">objects</th>', "<td class=\"number\">2<small>50.00 %</small></td>",
      '<span class="bar new" style="width:50.00%"></span>', "nothing was published",
      "</code>, because it was not set.")
    lacks(page, "Kinds of change", "line by line", 'class="bar old"', ">change</th>", "<script")
  end)

  it("of two scripts has the bars of both, the changes with their keys, and the lines", function()
    local page, status = page_of("a1\nd1\nd2\nd3\nd4\nj\n", NEW)
    assert.equal(0, status)
    has(page, "<h1>5 of 6 objects would change</h1>", "<p>3 of 4 keys:</p>", '<li><bdi dir="ltr">d3</bdi></li>',
      ", with another id", '<small>(<bdi dir="ltr">id -&gt; other id</bdi>)</small>', "<p>1 key:</p>",
      'style="width:66.67%"', "<caption>2 lines removed, 2 added</caption>")
    lacks(page, '<bdi dir="ltr">d4</bdi>')
    assert.equal("+4", page:match('never</bdi><span class="bars".-<span class="changed">(.-)</span>'))
    assert.equal("\u{2212}4", page:match('later</bdi><span class="bars".-<span class="changed">(.-)</span>'))
    has(page_of("d1\nd2\nd3\nd4\n", NEW, { examples = 4 }), '<bdi dir="ltr">d4</bdi>', "<p>4 keys:</p>")
  end)

  it("of the same list and scripts has the same bytes", function()
    assert.equal(page_of("a\nd\nf\nj\n", NEW), (page_of("a\nd\nf\nj\n", NEW)))
  end)

  it("shows what failed, and in which line", function()
    local page = page_of("a\n00007bd0-2d1c-4865-af09-80bc01180313\nf\n", NEW)
    has(page, '<span class="verdict fail">fail</span> <bdi dir="ltr">', "(first: line 2)", "&lt;boom&gt;")
  end)

  it("says what is wrong with the whole, and what was not counted", function()
    local page, status, problem = page_of("")
    assert.same({ 1, "the list is empty: stdin has no line with an object" }, { status, problem })
    has(page, '<ul class="notes bad">\n<li><bdi dir="ltr">the list is empty')
    lacks(page, "nan", "inf%")
    page = page_of('"b","a","v","true","false"\n"b","a","u","false","false"\n')
    has(page, '<ul class="notes good">\n<li><bdi dir="ltr">not counted: 1 rows of older versions or deleted objects<')
  end)
end)
