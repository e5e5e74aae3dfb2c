--- A report as one page of HTML, for somebody who reviews a change of the rules: nothing is loaded from elsewhere,
-- no script runs, and the same report gives the same bytes.
local html = require "pigeon.desk.page.html"
local line_table = require "pigeon.desk.page.line_table"
local style = require "pigeon.desk.page.style"

local number, quote = html.number, html.quote

local page = {}

local MOST_ROWS <const> = 20 -- of a table; the others are folded
local TITLES <const> = { verdict = "By verdict", reason = "By reason", queue = "By queue" }

local function put(out, form, ...)
  out[#out + 1] = select("#", ...) > 0 and form:format(...) or form
end

-- ------------------------------------------------------------------------ small parts

-- A verdict, and the words that follow it.
local function outcome(verdict, words)
  local shown = ('<span class="verdict %s">%s</span>'):format(verdict, verdict)
  return words and words ~= "" and shown .. " " .. quote(words) or shown
end

-- "accept: normal" -> the same.
local function outcome_of_line(line)
  return outcome(line:match("^(%a+): (.*)$"))
end

local function difference(row)
  local value = row.new - row.old
  if value == 0 then return '<span class="quiet">none</span>' end
  return ('<span class="changed">%s%s</span>'):format(value > 0 and "+" or "\u{2212}", number(math.abs(value)))
end

local function share(value, total)
  return ("%.2f %%"):format(total > 0 and value * 100 / total or 0)
end

local function bar(which, value, total)
  if value == 0 then return '<span class="bar none"></span>' end
  return ('<span class="bar %s" style="width:%.2f%%"></span>'):format(which, value * 100 / total)
end

-- ------------------------------------------------------------------------ bars

local function amount(value, total)
  return ('<td class="number">%s<small>%s</small></td>'):format(number(value), share(value, total))
end

local function row_name(row)
  if not row.verdict then return quote(row.name) end
  return outcome(row.verdict, row.words)
end

local function put_row(out, row, report)
  local total, both = report.total, report.new
  put(out, '<tr><th scope="row">%s<span class="bars" aria-hidden="true">%s%s</span></th>%s%s%s</tr>\n', row_name(row),
    bar(both and "old" or "new", row.old, total), both and bar("new", row.new, total) or "", amount(row.old, total),
    both and amount(row.new, total) or "", both and '<td class="number">' .. difference(row) .. "</td>" or "")
end

local function put_table(out, section, caption, first, last, report)
  put(out, '<table class="counts">\n<caption>%s</caption>\n<thead><tr><th scope="col">%s</th>', caption, section.by)
  put(out, report.new and '<th scope="col" class="number">old</th><th scope="col" class="number">new</th>'
    .. '<th scope="col" class="number signed">change</th>' or '<th scope="col" class="number">objects</th>')
  put(out, "</tr></thead>\n<tbody>\n")
  for i = first, last do put_row(out, section.rows[i], report) end
  put(out, "</tbody>\n</table>\n")
end

local function put_section(out, section, report)
  local count, title = #section.rows, TITLES[section.by]
  if count == 0 then return end
  put_table(out, section, title, 1, math.min(count, MOST_ROWS), report)
  if count <= MOST_ROWS then return end
  put(out, '<details class="more"><summary>%s more, %s</summary>\n', number(count - MOST_ROWS), title:lower())
  put_table(out, section, title .. ", the others", MOST_ROWS + 1, count, report)
  put(out, "</details>\n")
end

-- The columns of numbers are as wide in all tables, or else bars would not be on one scale. In widths of a digit.
local function width_of(most)
  local digits = #("%d"):format(most)
  return math.max(digits + (#number(most) - digits) / 2, 7)
end

local function put_counts(out, report)
  put(out, '<section style="--digits:%.1f">\n<h2>Verdicts, reasons and queues</h2>\n', width_of(report.total))
  put(out, "<p>%s A full bar is %s, in all tables.</p>\n", report.counted, html.count(report.total, "object"))
  if report.new then
    put(out, '<ul class="legend"><li><span class="swatch old"></span>old: %s</li>'
      .. '<li><span class="swatch new"></span>new: %s</li></ul>\n', quote(report.old.name), quote(report.new.name))
  end
  for _, section in ipairs(report.sections) do put_section(out, section, report) end
  put(out, "</section>\n")
end

-- ------------------------------------------------------------------------ kinds of change

local function put_object(out, fields)
  put(out, '<table class="fields">\n<caption>An object that changes so</caption>\n<tbody>\n')
  for _, field in ipairs(fields) do
    put(out, '<tr><th scope="row">%s</th><td>%s%s</td></tr>\n', field.name,
      field.value and quote(field.value) or '<span class="quiet">absent</span>',
      field.usual and ' <small>(usually ' .. quote(field.usual) .. ")</small>" or "")
  end
  put(out, "</tbody>\n</table>\n")
end

local function put_keys(out, kind)
  local shown = #kind.examples
  put(out, "<p>%s:</p>\n<ul class=\"keys\">\n", shown == kind.count and html.count(shown, "key")
    or ("%s of %s"):format(number(shown), html.count(kind.count, "key")))
  for _, example in ipairs(kind.examples) do
    put(out, "<li>%s%s</li>\n", quote(example.key),
      example.ids and " <small>(" .. quote(example.ids) .. ")</small>" or "")
  end
  put(out, "</ul>\n")
end

local function put_kind(out, kind)
  put(out, '<details class="kind"><summary><span class="amount">%s</span> ', number(kind.count))
  if kind.others then
    put(out, "of all other kinds of change")
  else
    put(out, '<span class="side">%s</span><span class="arrow" aria-hidden="true">\u{2192}</span>'
      .. '<span class="hidden"> becomes </span><span class="side">%s</span>%s', outcome_of_line(kind.from),
      outcome_of_line(kind.to), kind.other_id and ", with another id" or "")
  end
  put(out, '</summary>\n<div class="inside">\n')
  if kind.fields then put_object(out, kind.fields) else put_keys(out, kind) end
  put(out, "</div>\n</details>\n")
end

local function put_kinds(out, report)
  put(out, "<section>\n<h2>Kinds of change</h2>\n")
  if #report.kinds == 0 then
    put(out, "<p>There are none.</p>\n")
  else
    put(out, "<p>How many objects change so, and from what to what. Each opens to examples.</p>\n")
  end
  for _, kind in ipairs(report.kinds) do put_kind(out, kind) end
  put(out, "</section>\n")
end

-- ------------------------------------------------------------------------ the head

local function put_scripts(out, report)
  put(out, '<table>\n<caption>%s</caption>\n<thead><tr><th scope="col">%s</th><th scope="col">version</th></tr></thead>'
    .. "\n<tbody>\n", report.new and "The scripts" or "The script", "name")
  for _, which in ipairs { "old", "new" } do
    local script = report[which]
    if script then
      put(out, '<tr><th scope="row">%s<span class="script">%s</span></th><td><code>%s</code></td></tr>\n',
        report.new and which .. ": " or "", quote(script.name), quote(script.hash))
    end
  end
  put(out, "</tbody>\n</table>\n<p>PIGEON_QUEUE is <code>%s</code>%s.</p>\n", quote(report.queues),
    report.assumed and ", because it was not set" or "")
end

local function put_notes(out, report)
  for _, class in ipairs { "bad", "good" } do
    local notes = class == "bad" and report.problems or report.notes
    if #notes > 0 then
      put(out, '<ul class="notes %s">\n', class)
      for _, note in ipairs(notes) do put(out, "<li>%s</li>\n", quote(note)) end
      put(out, "</ul>\n")
    end
  end
end

local function put_head(out, report)
  put(out, '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
  put(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n")
  put(out, '<meta name="viewport" content="width=device-width, initial-scale=1">\n')
  put(out, '<meta name="color-scheme" content="light dark">\n<meta name="generator" content="pigeon">\n')
  put(out, "<title>pigeon %s: %s</title>\n<style>\n", report.command, report.title)
  out[#out + 1] = style
  put(out, "</style>\n</head>\n<body>\n<header>\n")
  put(out, '<p class="command">pigeon %s</p>\n<h1>%s</h1>\n', report.command, report.title)
  put_notes(out, report)
  put_scripts(out, report)
  put(out, "</header>\n<main>\n")
end

--- A report -> the page. It has, in words of our own: command, title, counted = what the counts are about, footer.
-- queues = PIGEON_QUEUE, assumed = whether it was not set. old and new = {name, hash, source}, new only where two
-- scripts are compared. problems and notes, lists of texts. total = how many objects; sections = what
-- counts.sections() returns. kinds of change = {{from, to = outcomes in one line, other_id, count, others,
-- fields = {{name, value, usual}, ...} of an object, or examples = {{key, ids}, ...}}, ...}.
function page.of(report)
  local out = {}
  put_head(out, report)
  put_counts(out, report)
  if report.new then
    put_kinds(out, report)
    line_table.put(out, report.old, report.new)
  end
  put(out, "</main>\n<footer><p>%s</p></footer>\n</body>\n</html>\n", report.footer)
  return table.concat(out)
end

return page
