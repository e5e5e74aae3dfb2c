local line_diff = require "pigeon.desk.page.line_diff"

local SIGNS = { same = " ", removed = "-", added = "+" }

-- As `diff -u` shows it, without line breaks.
local function shown(old, new)
  local lines = {}
  for i, row in ipairs(line_diff.of(old, new)) do lines[i] = SIGNS[row.kind] .. row.text:gsub("\n", "") end
  return table.concat(lines, ",")
end

-- How many lines two lists have in common, in order.
local function longest_common(a, b)
  local before = {}
  for y = 0, #b do before[y] = 0 end
  for x = 1, #a do
    local now = { [0] = 0 }
    for y = 1, #b do
      now[y] = a[x] == b[y] and before[y - 1] + 1 or math.max(before[y], now[y - 1])
    end
    before = now
  end
  return before[#b]
end

local function random_lines()
  local lines = {}
  for i = 1, math.random(0, 12) do lines[i] = ("abc"):sub(math.random(3)):sub(1, 1) .. "\n" end
  return lines
end

describe("the difference between two texts", function()
  local CASES = {
    { "nothing", "", "", "" },
    { "the same", "a\nb\n", "a\nb\n", " a, b" },
    { "a line that is added", "a\nc\n", "a\nb\nc\n", " a,+b, c" },
    { "a line that is removed", "a\nb\nc\n", "a\nc\n", " a,-b, c" },
    { "a line that is changed", "a\nb\nc\n", "a\nx\nc\n", " a,-b,+x, c" },
    { "all lines", "a\nb\n", "c\nd\n", "-a,-b,+c,+d" },
    { "a whole text", "", "a\nb\n", "+a,+b" },
    { "the line break at the end", "a\nb", "a\nb\n", " a,-b,+b" },
    { "empty lines", "\n\na\n", "\na\n", " ,-, a" },
    { "line breaks of another system", "a\r\n", "a\n", "-a\r,+a" },
  }
  for _, case in ipairs(CASES) do
    it("is " .. case[1], function() assert.equal(case[4], shown(case[2], case[3])) end)
  end

  it("has all lines of both in order, their numbers, and no change too many", function()
    math.randomseed(11)
    for _ = 1, 2000 do
      local a, b = random_lines(), random_lines()
      local old, new, changes = {}, {}, 0
      for _, row in ipairs(line_diff.of(table.concat(a), table.concat(b))) do
        if row.kind ~= "added" then old[#old + 1] = row.text end
        if row.kind ~= "removed" then new[#new + 1] = row.text end
        if row.kind ~= "same" then changes = changes + 1 end
        assert.equal(row.kind ~= "added" and #old or nil, row.old)
        assert.equal(row.kind ~= "removed" and #new or nil, row.new)
      end
      assert.same({ a, b }, { old, new })
      assert.equal(#a + #b - 2 * longest_common(a, b), changes)
    end
  end)

  it("is found in long texts", function()
    local old, new = {}, {}
    for i = 1, 20000 do old[i], new[i] = i .. "\n", i .. "\n" end
    new[1], new[20000] = "first\n", "last\n"
    local rows = line_diff.of(table.concat(old), table.concat(new))
    assert.equal(20002, #rows)
    assert.same({ kind = "added", text = "last\n", new = 20000 }, rows[#rows])
  end)

  it("is everything, where too many lines differ", function()
    local old, new = { "same\n" }, { "same\n" }
    for i = 2, 600 do old[i], new[i] = "old " .. i .. "\n", "new " .. i .. "\n" end
    local rows = line_diff.of(table.concat(old), table.concat(new))
    assert.equal(1200, #rows)
    assert.same({ kind = "removed", text = "same\n", old = 1 }, rows[1])
    assert.same({ kind = "added", text = "same\n", new = 1 }, rows[601])
  end)
end)
