local line_table = require "pigeon.desk.page.line_table"

local function section(old, new)
  local out = {}
  line_table.put(out, { name = "<old>", source = old }, { name = "new", source = new })
  return table.concat(out)
end

-- The rows: "=", "-" or "+", and what the line's cell has; or what stands for lines that are left out.
local function rows(old, new)
  local list = {}
  for class, row in section(old, new):gmatch('<tr class="(%a+)">(.-)</tr>') do
    local line = row:match('<bdi dir="ltr">(.*)</bdi>') or row:match('<td colspan="4">(.*)</td>')
    list[#list + 1] = ({ same = "=", removed = "-", added = "+", skip = "~" })[class] .. line
  end
  return list
end

describe("the lines of two scripts", function()
  it("are not shown where there is no difference", function()
    assert.matches("Both scripts are the same, byte for byte", section("a\n", "a\n"), 1, true)
    assert.is_nil(section("a\n", "a\n"):find("<table", 1, true))
  end)

  it("are those that differ, with three around them, and how many there are between", function()
    local old, new = {}, {}
    for i = 1, 30 do old[i], new[i] = ("line %d\n"):format(i), ("line %d\n"):format(i) end
    old[10], new[20] = "gone\n", "come\n"
    table.remove(new, 10)
    table.remove(old, 20)
    local list = rows(table.concat(old), table.concat(new))
    assert.same({ "~6 lines, the same in both", "=line 7", "=line 8", "=line 9", "-gone", "=line 11" },
      table.move(list, 1, 6, 1, {}))
    assert.equal("+come", list[13])
    assert.equal("~7 lines, the same in both", list[#list])
    assert.matches("<caption>1 line removed, 1 added</caption>", section(table.concat(old), table.concat(new)), 1, true)
  end)

  it("mark what changed in a line", function()
    assert.same({ "-return ignore(&quot;<mark>a</mark>&quot;)", "+return ignore(&quot;<mark>b</mark>&quot;)" },
      rows('return ignore("a")\n', 'return ignore("b")\n'))
    assert.same({ "-local a", "+local a<mark>, b</mark>" }, rows("local a\n", "local a, b\n"))
    assert.same({ "-one thing", "+another line" }, rows("one thing\n", "another line\n"))
  end)

  it("mark whole characters", function()
    assert.same({ '-the same text <mark>\u{E4}</mark>', '+the same text <mark>\u{E5}</mark>' },
      rows("the same text \u{E4}\n", "the same text \u{E5}\n"))
    assert.same({ '-<mark>\u{E4}</mark> the same text', '+<mark>\u{124}</mark> the same text' },
      rows("\u{E4} the same text\n", "\u{124} the same text\n"))
  end)

  it("show a line break that is missing at the end", function()
    assert.same({ "-local a", "+local a <small>(no line break at the end)</small>" }, rows("local a\n", "local a"))
  end)

  it("show what is not a visible character", function()
    assert.same({ [[-&lt;b&gt;]], [[+&lt;b&gt;<mark><span class="escape">\r</span></mark>]] },
      rows("<b>\n", "<b>\r\n"))
    assert.matches("&lt;old&gt;", section("a", "b"), 1, true)
  end)
end)
