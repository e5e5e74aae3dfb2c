--- Which lines one text has and another has not: Myers' greedy algorithm, "An O(ND) Difference Algorithm".
--
-- It follows the longest common lines from the start: after d lines that were removed or added it knows for each
-- diagonal (lines of old less lines of new) how far it can come, and stops where both texts are at their end. The
-- way is then read backwards. Few differences take little time, however long the texts are.
local line_diff = {}

local MOST_CHANGES <const> = 1000 -- its memory grows by the square of them

-- "a\nb" -> {"a\n", "b"}: the last line differs from one with a line break.
local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]*\n?") do
    if line ~= "" then lines[#lines + 1] = line end
  end
  return lines
end

-- Follows equal lines from here -> how far in old.
local function slide(old, new, x, diagonal)
  while x < #old and x - diagonal < #new and old[x + 1] == new[x - diagonal + 1] do x = x + 1 end
  return x
end

-- Where the way to this diagonal comes from: one line less of new ("+"), or of old ("-").
local function comes_by_new(reach, diagonal, changes)
  return diagonal == -changes or diagonal ~= changes and reach[diagonal - 1] < reach[diagonal + 1]
end

-- How far each diagonal came after so many changes, for 0, 1, ... changes up to the last; nil: too many.
local function search(old, new)
  local before, trace = { [1] = 0 }, {}
  for changes = 0, MOST_CHANGES do
    local reach = {}
    trace[changes] = before
    for diagonal = -changes, changes, 2 do
      local x = comes_by_new(before, diagonal, changes) and before[diagonal + 1] or before[diagonal - 1] + 1
      x = slide(old, new, x, diagonal)
      reach[diagonal] = x
      if x >= #old and x - diagonal >= #new then return trace, changes end
    end
    before = reach
  end
end

local function add(rows, kind, text, x, y)
  rows[#rows + 1] = { kind = kind, text = text,
    old = kind ~= "added" and x or nil, new = kind ~= "removed" and y or nil }
end

-- Everything is another line.
local function replaced(old, new)
  local rows = {}
  for x, text in ipairs(old) do add(rows, "removed", text, x) end
  for y, text in ipairs(new) do add(rows, "added", text, nil, y) end
  return rows
end

local function reversed(rows)
  local result = {}
  for i = #rows, 1, -1 do result[#result + 1] = rows[i] end
  return result
end

--- Two texts -> the rows of both, in order: {kind = "same", "removed" or "added", text = the line with its line
-- break, old and new = its number in each text that has it}. Where more than 1,000 lines differ, all rows are
-- removed or added.
function line_diff.of(old_text, new_text)
  local old, new = lines_of(old_text), lines_of(new_text)
  local trace, last = search(old, new)
  if not trace then return replaced(old, new) end
  local rows, x, y = {}, #old, #new
  for changes = last, 1, -1 do
    local before, diagonal = trace[changes], x - y
    local by_new = comes_by_new(before, diagonal, changes)
    local from = by_new and diagonal + 1 or diagonal - 1
    local start = by_new and before[from] or before[from] + 1 -- in old, after that step
    while x > start do
      add(rows, "same", old[x], x, y)
      x, y = x - 1, y - 1
    end
    if by_new then
      add(rows, "added", new[y], nil, y)
      y = y - 1
    else
      add(rows, "removed", old[x], x)
      x = x - 1
    end
  end
  while x > 0 do
    add(rows, "same", old[x], x, y)
    x, y = x - 1, y - 1
  end
  return reversed(rows)
end

return line_diff
