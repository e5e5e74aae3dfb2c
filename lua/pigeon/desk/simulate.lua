--- `pigeon simulate`: counts what the rules would decide for a list of keys.
local json = require "pigeon.json"
local lists = require "pigeon.desk.lists"
local shadow = require "pigeon.report.shadow"
local text = require "pigeon.text"

local simulate = {}

simulate.usage = [[
Usage: pigeon simulate [--rules FILE] [--against OTHER.lua] [--json]
                       [--ids PREFIX] [--manifest FILE] < list
Counts what the rules decide for a list, and publishes nothing. The tables are
by verdict, reason and queue. The list may be keys, s3:// addresses or ARNs, one
a line; what aws s3 ls --recursive prints, or aws s3api list-objects-v2 with any
--output; an S3 Inventory (CSV) or S3 Batch manifest; events; JSON.
  --rules FILE    the script; else rules.lua beside the program, else the
                  repository's
  --against FILE  another script: also shows which decisions would change with
                  it, from what to what, with examples
  --ids PREFIX    crash ids alone are keys below this prefix: v2/raw_crash
  --manifest FILE  the inventory's manifest.json: which column is what
  --json          one JSON object, for a program
PIGEON_QUEUE names the queues; where it is not set, there is one, normal.
Status 1: something failed, or the rules accepted and deferred nothing.
]]

local KINDS = { "accept", "defer", "ignore", "fail" }
local MOST_KINDS = 1000 -- different reasons, queues and changes: a script can invent any number
local MOST_EXAMPLES = 10
local LONGEST = 200
local OTHERS = "(others)"

-- ------------------------------------------------------------------------ counting

local function counter()
  return { counts = {}, names = 0 }
end

local function add(list, name)
  local counts = list.counts
  if not counts[name] then
    if list.names >= MOST_KINDS then name = OTHERS end
    if not counts[name] then list.names, counts[name] = list.names + 1, 0 end
  end
  counts[name] = counts[name] + 1
  return name
end

-- {{name, count}, ...}, the most frequent first.
local function sorted(counts)
  local rows = {}
  for name, count in pairs(counts.counts) do
    rows[#rows + 1] = { name = name, count = count }
  end
  table.sort(rows, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.name < b.name
  end)
  return rows
end

local function count_entry(totals, entry)
  local kind, reason = shadow.outcome(entry)
  totals.objects = totals.objects + 1
  totals.verdicts[kind] = totals.verdicts[kind] + 1
  if kind ~= "accept" then
    local name = add(totals.reasons[kind], reason)
    if entry.problem and not totals.lines[name] then totals.lines[name] = entry.line end
    return
  end
  local destinations = entry.destinations
  if #destinations == 0 then add(totals.queues, "(no queue)") end
  for i = 1, #destinations do
    add(totals.queues, destinations[i])
  end
end

local function count_changes(totals, tally)
  totals.changed = totals.changed + tally.differences
  totals.skipped = totals.skipped + tally.skipped
  for _, change in ipairs(tally.changes) do
    local name = add(totals.changes, ("%s  ->  %s"):format(change.from, change.to))
    local examples = totals.examples[name] or {}
    totals.examples[name] = examples
    if #examples < MOST_EXAMPLES then examples[#examples + 1] = change.entry.label end
  end
end

-- ------------------------------------------------------------------------ showing

local function clean(name)
  return text.clean(name, LONGEST)
end

local function bar(count, total, width)
  return ("#"):rep(total > 0 and math.ceil(count * width / total) or 0)
end

-- Rows {name, count} under a title, each with its share of `total`.
local function table_lines(lines, title, rows, total, width)
  if #rows == 0 then return end
  lines[#lines + 1] = title
  local widest, digits = 8, #tostring(total)
  for _, row in ipairs(rows) do widest = math.max(widest, math.min(utf8.len(clean(row.name)), 40)) end
  local room = math.max(10, width - widest - digits - 13)
  for _, row in ipairs(rows) do
    local name = clean(row.name)
    local gap = (" "):rep(widest - utf8.len(name))
    lines[#lines + 1] = (("  %s%s %" .. digits .. "d %6.2f %% %s"):format(name, gap, row.count,
      total > 0 and row.count * 100 / total or 0, bar(row.count, total, room)):gsub(" +$", ""))
  end
end

local function verdict_rows(totals)
  local rows = {}
  for i, kind in ipairs(KINDS) do rows[i] = { name = kind, count = totals.verdicts[kind] } end
  return rows
end

local function reason_rows(totals)
  local rows = {}
  for _, kind in ipairs(KINDS) do
    for _, row in ipairs(sorted(totals.reasons[kind])) do
      local line = kind == "fail" and totals.lines[row.name]
      local where = line and (" (first: line %d)"):format(line) or ""
      rows[#rows + 1] = { name = ("%s%s: %s"):format(kind, where, row.name), count = row.count }
    end
  end
  return rows
end

local function change_lines(lines, totals)
  lines[#lines + 1] = ("%d of %d would change"):format(totals.changed, totals.objects)
  if totals.skipped > 0 then
    lines[#lines + 1] = ("  %d not decided by the other script: out of time"):format(totals.skipped)
  end
  for _, row in ipairs(sorted(totals.changes)) do
    lines[#lines + 1] = ("  %d  %s"):format(row.count, text.clean(row.name, 2 * LONGEST))
    for _, example in ipairs(totals.examples[row.name] or {}) do
      lines[#lines + 1] = "       " .. text.clean(example, 1024)
    end
  end
end

local function text_of(totals, list, against, width)
  local lines = {}
  table_lines(lines, ("%d objects, by verdict"):format(totals.objects), verdict_rows(totals), totals.objects, width)
  table_lines(lines, "by reason", reason_rows(totals), totals.objects, width)
  table_lines(lines, "by queue", sorted(totals.queues), totals.objects, width)
  if against then change_lines(lines, totals) end
  return table.concat(lines, "\n") .. "\n" .. lists.not_counted(list)
end

local function json_of(totals, list, against)
  local counted = { objects = totals.objects, verdicts = totals.verdicts, queues = totals.queues.counts, reasons = {},
    lines = totals.lines, not_counted = list.passed }
  for _, kind in ipairs(KINDS) do counted.reasons[kind] = totals.reasons[kind].counts end
  if against then
    counted.changed, counted.skipped, counted.changes = totals.changed, totals.skipped, json.list {}
    for i, row in ipairs(sorted(totals.changes)) do
      local keys = json.list {}
      for j, key in ipairs(totals.examples[row.name] or {}) do keys[j] = text.clean(key, 1024) end
      counted.changes[i] = { change = text.clean(row.name, 2 * LONGEST), count = row.count, examples = keys }
    end
  end
  return json.encode(counted) .. "\n"
end

--- {json, width, and those of lists.open()} -> the report: conclude() counts each batch, finish() returns
-- the tables, the exit status, and what is wrong. report.against is set where there is another script.
-- Or nil and what is wrong with an option.
function simulate.open(settings)
  local list, wrong = lists.open(settings)
  if not list then return nil, wrong end
  local report = { list = list }
  local totals = {
    objects = 0, changed = 0, skipped = 0, verdicts = {}, reasons = {}, queues = counter(), changes = counter(),
    examples = {}, lines = {}, -- the first line of each reason why a line is no object
  }
  for _, kind in ipairs(KINDS) do
    totals.verdicts[kind], totals.reasons[kind] = 0, counter()
  end

  function report.conclude(batch)
    if batch.problem then return batch.problem, "refused" end
    for _, entry in ipairs(batch.entries) do
      count_entry(totals, entry)
    end
    if report.against then count_changes(totals, batch.shadow) end
    return ""
  end

  function report.finish()
    local width = settings.width > 0 and settings.width or 80
    local problem = lists.problem(list, totals.verdicts)
    return settings.json and json_of(totals, list, report.against) or text_of(totals, list, report.against, width),
      (problem or totals.verdicts.fail > 0) and 1 or 0, problem
  end

  return report
end

return simulate
