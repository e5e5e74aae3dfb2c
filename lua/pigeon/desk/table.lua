--- `pigeon table`: what a script can do with the objects that its own constants tell apart.
local counts = require "pigeon.desk.counts"
local enumeration = require "pigeon.desk.enumeration"
local json = require "pigeon.json"
local outcomes = require "pigeon.desk.outcomes"
local reached = require "pigeon.desk.reached"
local scripts = require "pigeon.desk.scripts"
local text = require "pigeon.text"

local report_table = {}

report_table.usage = [[
Usage: pigeon table [FILE] [--json]
Shows all that a script can do, on one screen. It makes objects from the
script's own constants (buckets, prefixes, event names, annotations, dates,
sizes, ids on both sides of each throttle, absent fields), decides each of them,
and prints each outcome, how often it came, and an example, and the verdicts in
the script that no object reaches. It enumerates, and proves nothing about other
objects.
  FILE          the script (also: --rules FILE); else rules.lua beside the
                program, else the repository's
  --json        JSON Lines: an object for each outcome, with verdict, reason or
                destinations, count, and example (an object with its fields);
                after 1,000 outcomes one with "others": true for all the rest;
                at the end {"summary": ...}; its unreached has line and what
PIGEON_QUEUE names the queues; where it is not set, there is one, normal.
Status 1: an object failed, or not all were decided.
]]

local RANK = { accept = 1, defer = 2, ignore = 3, fail = 4 }

-- {{outcome, count, example}, ...}: by verdict, then the most frequent first.
local function sorted(rows)
  table.sort(rows, function(a, b)
    if a.outcome.verdict ~= b.outcome.verdict then return RANK[a.outcome.verdict] < RANK[b.outcome.verdict] end
    if a.count ~= b.count then return a.count > b.count end
    return a.name < b.name
  end)
  return rows
end

local function text_of(rows, list, rules, missed)
  local lines = { ("%s (%s): %d objects, made from its constants; %d outcomes"):format(
    text.clean(rules.name, 1024), rules.hash, list.count, #rows) }
  for _, row in ipairs(rows) do
    outcomes.append(lines, row.count, row.name, row.example, list.base)
  end
  outcomes.append_end(lines, list)
  if missed[1] then lines[#lines + 1] = "No object reaches:" end
  for _, item in ipairs(missed) do
    lines[#lines + 1] = text.clean(("    line %d: %s"):format(item.line, item.text), 77)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function json_of(rows, list, rules, missed)
  local unreached = json.list {}
  for i, item in ipairs(missed) do unreached[i] = { line = item.line, what = text.clean(item.text, 1024) } end
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = json.encode {
      verdict = row.outcome.verdict, reason = row.outcome.reason, destinations = row.outcome.destinations,
      count = row.count, others = row.others, example = outcomes.plain(row.example),
    }
  end
  lines[#lines + 1] = json.encode { summary = {
    objects = list.count, of = list.total, outcomes = #rows, missing = list.missing(), unreached = unreached,
    rules = scripts.plain(text.clean(rules.name, 1024), rules),
  } }
  return table.concat(lines, "\n") .. "\n"
end

--- {json, rules, queues} -> the report: conclude() counts each batch, finish() returns the table.
function report_table.open(settings)
  local report, counter, rows, by_name = {}, counts.counter(), {}, {}
  local get_list = enumeration.attach(settings, report)
  local verdicts = reached.open(settings.rules, settings.queues, settings.PIGEON_ENV)

  function report.conclude(batch)
    verdicts.note(batch.entries)
    for _, entry in ipairs(batch.entries) do
      local outcome = outcomes.of(entry)
      local line = outcomes.line(outcome)
      local name = counts.add(counter, line)
      local row = by_name[name]
      if not row then
        row = { name = name, outcome = outcome, count = 0, example = entry.object, others = name ~= line or nil }
        by_name[name], rows[#rows + 1] = row, row
      end
      row.count = row.count + 1
    end
    return ""
  end

  function report.finish()
    local list, failed = get_list(), false
    for _, row in ipairs(rows) do failed = failed or row.outcome.verdict == "fail" end
    local show = settings.json and json_of or text_of
    return show(sorted(rows), list, settings.rules, verdicts.missed()), (failed or list.missing()) and 1 or 0
  end

  return report
end

return report_table
