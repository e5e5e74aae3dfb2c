--- The lines of two scripts, for a page: those that were removed or added, and some around them.
local html = require "pigeon.desk.page.html"
local line_diff = require "pigeon.desk.page.line_diff"

local number = html.number

local line_table = {}

local AROUND <const> = 3

local KINDS <const> = {
  same = { sign = "", element = "span" },
  removed = { sign = '<span aria-hidden="true">\u{2212}</span><span class="hidden">removed</span>', element = "del" },
  added = { sign = '<span aria-hidden="true">+</span><span class="hidden">added</span>', element = "ins" },
}

-- Which rows are shown: {[i] = true}.
local function near_changes(rows)
  local near = {}
  for i, row in ipairs(rows) do
    if row.kind ~= "same" then
      for j = i - AROUND, i + AROUND do near[j] = true end
    end
  end
  return near
end

-- How many bytes two texts begin with in common, up to a whole character.
local function common_start(a, b)
  local count, least = 0, math.min(#a, #b)
  while count < least and a:byte(count + 1) == b:byte(count + 1) do count = count + 1 end
  while count > 0 and (a:find("^[\x80-\xBF]", count + 1) or b:find("^[\x80-\xBF]", count + 1)) do count = count - 1 end
  return count
end

-- How many they end with, of those after the first `start`.
local function common_end(a, b, start)
  local count, least = 0, math.min(#a, #b) - start
  while count < least and a:byte(-count - 1) == b:byte(-count - 1) do count = count + 1 end
  while count > 0 and a:find("^[\x80-\xBF]", #a - count + 1) do count = count - 1 end
  return count
end

-- Sets row.first and row.last, the bytes in which a removed line and the added one in its place differ. Lines that
-- have little in common are left alone.
local function mark_pair(removed, added)
  local a, b = removed.text, added.text
  local first = common_start(a, b)
  local tail = common_end(a, b, first)
  if (first + tail) * 2 < math.max(#a, #b) then return end
  removed.first, removed.last = first + 1, #a - tail
  added.first, added.last = first + 1, #b - tail
end

-- Where as many lines are added as were removed before them, each is the other one changed.
local function mark_pairs(rows)
  local i = 1
  while i <= #rows do
    local removed = i -- then the first row that was not
    while rows[removed] and rows[removed].kind == "removed" do removed = removed + 1 end
    local added = removed
    while rows[added] and rows[added].kind == "added" do added = added + 1 end
    if removed > i and added - removed == removed - i then
      for j = i, removed - 1 do mark_pair(rows[j], rows[j + removed - i]) end
    end
    i = math.max(added, i + 1)
  end
end

local function line_of(row)
  local text = row.text
  local last_line = text:sub(-1) ~= "\n" and ' <small>(no line break at the end)</small>' or ""
  local stop = #text - (last_line == "" and 1 or 0)
  if not row.first or row.first > math.min(row.last, stop) then
    return html.text(text:sub(1, stop)) .. last_line
  end
  local middle_end = math.min(row.last, stop)
  return ("%s<mark>%s</mark>%s%s"):format(html.text(text:sub(1, row.first - 1)),
    html.text(text:sub(row.first, middle_end)), html.text(text:sub(middle_end + 1, stop)), last_line)
end

local function put_row(out, row)
  local kind = KINDS[row.kind]
  out[#out + 1] = ('<tr class="%s"><td class="at">%s</td><td class="at">%s</td><td class="sign">%s</td>')
    :format(row.kind, row.old or "", row.new or "", kind.sign)
  out[#out + 1] = ('<td class="line"><%s><bdi dir="ltr">%s</bdi></%s></td></tr>\n'):format(kind.element, line_of(row),
    kind.element)
end

local function put_rows(out, rows)
  local near, skipped = near_changes(rows), 0
  local function put_skipped()
    if skipped == 0 then return end
    out[#out + 1] = ('<tr class="skip"><td colspan="4">%s, the same in both</td></tr>\n'):format(
      html.count(skipped, "line"))
    skipped = 0
  end
  for i, row in ipairs(rows) do
    if near[i] then
      put_skipped()
      put_row(out, row)
    else
      skipped = skipped + 1
    end
  end
  put_skipped()
end

local function count(rows, kind)
  local total = 0
  for _, row in ipairs(rows) do
    if row.kind == kind then total = total + 1 end
  end
  return total
end

--- Appends to `out` a section of HTML with the lines in which two scripts {name, source} differ.
function line_table.put(out, old, new)
  out[#out + 1] = "<section>\n<h2>The scripts, line by line</h2>\n"
  if old.source == new.source then
    out[#out + 1] = "<p>Both scripts are the same, byte for byte.</p>\n</section>\n"
    return
  end
  local rows = line_diff.of(old.source, new.source)
  mark_pairs(rows)
  out[#out + 1] = ("<p>From %s to %s.</p>\n"):format(html.quote(old.name), html.quote(new.name))
  out[#out + 1] = ('<table class="lines">\n<caption>%s removed, %s added</caption>\n'):format(
    html.count(count(rows, "removed"), "line"), number(count(rows, "added")))
  out[#out + 1] = '<thead><tr><th scope="col" class="at">old</th><th scope="col" class="at">new</th>'
    .. '<th scope="col" class="sign"><span class="hidden">what</span></th><th scope="col">line</th></tr></thead>\n'
    .. "<tbody>\n"
  put_rows(out, rows)
  out[#out + 1] = "</tbody>\n</table>\n</section>\n"
end

return line_table
