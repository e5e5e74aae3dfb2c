--- `pigeon simulate`: counts what the rules would decide for a list of keys, and compares two scripts.
local counts = require "pigeon.desk.counts"
local json = require "pigeon.json"
local lists = require "pigeon.desk.lists"
local scripts = require "pigeon.desk.scripts"
local text = require "pigeon.text"

local simulate = {}

simulate.usage = [[
Usage: pigeon simulate [--rules FILE] [--ids PREFIX] [--manifest FILE] [--json]
                       [--against NEW.lua] [--examples N]
                       [--html FILE.html] < list
Counts what the rules decide for a list, and publishes nothing. The tables are
by verdict, reason and queue. The list may be keys, s3:// addresses or ARNs, one
a line; what aws s3 ls --recursive prints, or aws s3api list-objects-v2 with any
--output; an S3 Inventory (CSV) or S3 Batch manifest; events; JSON.
  --rules FILE    the script; else rules.lua beside the program, else the
                  repository's
  --against FILE  another script, the new one: the tables have both and the
                  difference, and each kind of change is counted
  --examples N    how many keys to show of each change, 1 to 1000; else 3
  --ids PREFIX    crash ids alone are keys below this prefix: v2/raw_crash
  --manifest FILE  the inventory's manifest.json: which column is what
  --json          one JSON object, for a program
  --html FILE.html  also a page, with the counts as bars; with --against each
                  kind of change, and the lines that differ
PIGEON_QUEUE names the queues; where it is not set, there is one, normal. At ^C
it prints what was counted so far.
Status 1: something failed, by either script, the rules accepted and deferred
nothing, or simulate was stopped.
]]

local LONGEST = 200
local EXAMPLES = 3

-- ------------------------------------------------------------------------ counting

-- {totals, new = the totals of the other script, changed, skipped, changes = counter, examples = {[change] =
-- {{key, ids = "old -> new" or nil}, ...}}, sides = {[change] = {from, to, other_id}}}.
local function nothing()
  return {
    totals = counts.totals(), new = counts.totals(), changed = 0, skipped = 0,
    changes = counts.counter(), examples = {}, sides = {},
  }
end

-- What the other script decides for an entry. What is not an object is not decided by either.
local function count_other(counted, entry)
  if entry.other or not entry.object then counts.note(counted.new, entry.other or entry) end
end

-- The verdicts of both scripts together: what one of them accepts was read as its owner meant it.
local function verdicts_of(counted)
  local verdicts = {}
  for _, kind in ipairs(counts.kinds) do
    verdicts[kind] = counted.totals.verdicts[kind] + counted.new.verdicts[kind]
  end
  return verdicts
end

local function count_change(counted, change, most)
  local old, new = change.entry.verdict or {}, change.other.verdict or {}
  local other_id = old.id and new.id and old.id ~= new.id
  local line = ("%s  ->  %s%s"):format(change.from, change.to, other_id and ", with another id" or "")
  local name = counts.add(counted.changes, line)
  if name == line and not counted.sides[name] then
    counted.sides[name] = { from = change.from, to = change.to, other_id = other_id }
  end
  local examples = counted.examples[name] or {}
  counted.examples[name] = examples
  if #examples < most then
    examples[#examples + 1] = { key = change.entry.label, ids = other_id and old.id .. " -> " .. new.id }
  end
end

local function count_changes(counted, tally, most)
  counted.changed = counted.changed + tally.differences
  counted.skipped = counted.skipped + tally.skipped
  for _, change in ipairs(tally.changes) do
    count_change(counted, change, most)
  end
end

-- ------------------------------------------------------------------------ showing

local function clean(name)
  return text.clean(name, LONGEST)
end

local function length(name)
  return utf8.len(clean(name))
end

local function padded(name, width)
  name = clean(name)
  return name .. (" "):rep(width - utf8.len(name))
end

local function widest_of(rows, least)
  for _, row in ipairs(rows) do least = math.max(least, math.min(length(row.name), 40)) end
  return least
end

local function bar(count, total, width)
  return ("#"):rep(total > 0 and math.ceil(count * width / total) or 0)
end

-- A section's rows, each with its share of `total`.
local function share_lines(lines, section, total, width)
  if #section.rows == 0 then return end
  lines[#lines + 1] = section.title
  local widest, digits = widest_of(section.rows, 8), #tostring(total)
  local room = math.max(10, width - widest - digits - 13)
  for _, row in ipairs(section.rows) do
    lines[#lines + 1] = (("  %s %" .. digits .. "d %6.2f %% %s"):format(padded(row.name, widest), row.old,
      total > 0 and row.old * 100 / total or 0, bar(row.old, total, room)):gsub(" +$", ""))
  end
end

-- All sections' rows, each with the number of both scripts and the difference.
local function difference_lines(lines, sections)
  local widest = 0
  for _, section in ipairs(sections) do widest = math.max(widest_of(section.rows, widest), #section.title - 2) end
  for _, section in ipairs(sections) do
    if #section.rows > 0 then
      lines[#lines + 1] = ("%s %9s %9s  difference"):format(padded(section.title, widest + 2), "old", "new")
    end
    for _, row in ipairs(section.rows) do
      lines[#lines + 1] = (("  %s %9d %9d %s"):format(padded(row.name, widest), row.old, row.new,
        row.old == row.new and "" or ("%+11d"):format(row.new - row.old)):gsub(" +$", ""))
    end
  end
end

local function not_decided(counted)
  return counted.skipped > 0 and ("%d not decided by the new script"):format(counted.skipped) or nil
end

local function change_lines(lines, counted)
  lines[#lines + 1] = ("%d of %d would change"):format(counted.changed, counted.totals.objects)
  if counted.skipped > 0 then lines[#lines + 1] = "  " .. not_decided(counted) end
  for _, row in ipairs(counts.rows(counted.changes, counts.counter())) do
    lines[#lines + 1] = ("  %d  %s"):format(row.old, text.clean(row.name, 2 * LONGEST))
    for _, example in ipairs(counted.examples[row.name] or {}) do
      lines[#lines + 1] = ("       %s%s"):format(text.clean(example.key, 1024),
        example.ids and "  (" .. example.ids .. ")" or "")
    end
  end
end

local function text_of(counted, list, rules, against, width)
  local lines, sections = {}, counts.sections(counted.totals, counted.new)
  if against then
    lines = scripts.lines(rules, against)
    difference_lines(lines, sections)
    change_lines(lines, counted)
  else
    for _, section in ipairs(sections) do share_lines(lines, section, counted.totals.objects, width) end
  end
  return table.concat(lines, "\n") .. "\n" .. lists.not_counted(list)
end

local function json_of(counted, list, rules, against)
  local plain = counts.plain(counted.totals)
  plain.lines, plain.not_counted = counted.totals.lines, list.passed
  if against then
    local old, new = scripts.names(rules, against)
    plain.rules = scripts.plain(old, rules)
    plain.new = counts.plain(counted.new)
    plain.new.rules = scripts.plain(new, against)
    plain.changed, plain.skipped, plain.changes = counted.changed, counted.skipped, json.list {}
    for i, row in ipairs(counts.rows(counted.changes, counts.counter())) do
      local keys = json.list {}
      for j, example in ipairs(counted.examples[row.name] or {}) do keys[j] = text.clean(example.key, 1024) end
      plain.changes[i] = { change = text.clean(row.name, 2 * LONGEST), count = row.old, examples = keys }
    end
  end
  return json.encode(plain) .. "\n"
end

-- What a page has to say besides its counts.
local function notes_of(counted, list)
  local notes = { not_decided(counted) }
  if list.passed > 0 then notes[#notes + 1] = lists.not_counted(list):gsub("\n$", "") end
  return notes
end

--- {json, html, width, examples, rules = the script, and those of lists.open()} -> the report: conclude() counts
-- each batch, finish() returns the tables, the exit status, what is wrong, and with html the page.
-- report.against is the other script, where there is one. Or nil and what is wrong with an option.
function simulate.open(settings)
  local list, wrong = lists.open(settings)
  if not list then return nil, wrong end
  local report, counted, refused = { list = list }, nothing(), false

  function report.conclude(batch)
    refused = batch.problem ~= nil
    if refused then return batch.problem, "refused" end
    for _, entry in ipairs(batch.entries) do
      counts.note(counted.totals, entry)
      if report.against then count_other(counted, entry) end
    end
    if report.against then count_changes(counted, batch.shadow, settings.examples or EXAMPLES) end
    return ""
  end

  --- The second script has to decide everything, too: what it left out may be what would fail.
  function report.finish()
    if refused then return "", 1 end
    local width = settings.width > 0 and settings.width or 80
    local failed = counted.totals.verdicts.fail + counted.new.verdicts.fail + counted.skipped
    local problem = lists.problem(list, verdicts_of(counted))
    local show = settings.json and json_of or text_of
    return show(counted, list, settings.rules, report.against, width), (problem or failed > 0) and 1 or 0, problem,
      settings.html and require("pigeon.desk.page.simulate").of(settings, counted, report.against,
        notes_of(counted, list), problem) or nil
  end

  return report
end

return simulate
