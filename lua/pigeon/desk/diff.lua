--- `pigeon diff`: which objects two scripts decide differently, of those that their constants tell apart.
local counts = require "pigeon.desk.counts"
local enumeration = require "pigeon.desk.enumeration"
local json = require "pigeon.json"
local outcomes = require "pigeon.desk.outcomes"
local scripts = require "pigeon.desk.scripts"

local diff = {}

diff.usage = [[
Usage: pigeon diff OLD.lua NEW.lua [--json] [--html FILE.html]
Shows every kind of change from one script to another, each with an object that
shows it. It makes objects from the constants of both (buckets, prefixes, event
names, annotations, dates, sizes, ids on both sides of each throttle, absent
fields), and both decide each of them. It enumerates, and proves nothing about
other objects; simulate --against counts the changes among real keys.
  --json  JSON Lines: an object for each kind of change, with old and new (each
          verdict, and reason or destinations), count, and example (an object
          with its fields); after 1,000 kinds one with "others": true for all
          the rest; at the end {"summary": ...}
  --html FILE.html  also a page, for who reviews the change: counts as bars,
          each kind of change, the lines that differ
PIGEON_QUEUE names the queues; where it is not set, there is one, normal.
Status 0: no difference. 1: there is one. 2: a script does not load, all objects
fail in both, or not all were decided and there is no difference among those
that were.
]]

local ANOTHER_ID = ", with another id"

-- What is counted: {kinds = {{name, old, new, other_id, count, example}, ...}, old and new being outcomes,
-- differences, both_fail, skipped = not decided by the new script, totals, new = the totals of the new script}.
local function nothing()
  return {
    kinds = {}, differences = 0, both_fail = 0, skipped = 0, counter = counts.counter(), by_name = {},
    totals = counts.totals(), new = counts.totals(),
  }
end

local function count_change(counted, change)
  local old, new = change.entry.verdict or {}, change.other.verdict or {}
  local other_id = old.id ~= nil and new.id ~= nil and old.id ~= new.id
  local from, to = outcomes.of(change.entry), outcomes.of(change.other)
  local line = ("%s  ->  %s%s"):format(outcomes.line(from), outcomes.line(to), other_id and ANOTHER_ID or "")
  local name = counts.add(counted.counter, line)
  local kind = counted.by_name[name]
  if not kind then
    kind = { name = name, old = from, new = to, other_id = other_id, count = 0, example = change.entry.object,
      others = name ~= line or nil }
    counted.by_name[name], counted.kinds[#counted.kinds + 1] = kind, kind
  end
  kind.count = kind.count + 1
end

local function sort(kinds)
  table.sort(kinds, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.name < b.name
  end)
end

local function notes_of(counted)
  local notes = {}
  if counted.skipped > 0 then notes[1] = ("%d objects were not decided by both"):format(counted.skipped) end
  if counted.both_fail > 0 then
    notes[#notes + 1] = ("%d objects fail in both scripts; pigeon check shows why"):format(counted.both_fail)
  end
  return notes
end

-- Whether no object has a verdict of either script: then that they are the same proves nothing.
local function fails_all(counted, list)
  return list.count > 0 and counted.both_fail == list.count
end

local function text_of(counted, list, old, new)
  local lines = scripts.lines(old, new)
  if fails_all(counted, list) then
    lines[3] = ("nothing to compare: each of %d objects, made from the constants of both, fails"):format(list.count)
  elseif #counted.kinds == 0 then
    lines[3] = ("no difference in %d objects, made from the constants of both"):format(list.count)
  else
    lines[3] = ("%d of %d objects, made from the constants of both, change; kinds of change: %d"):format(
      counted.differences, list.count, #counted.kinds)
  end
  for _, kind in ipairs(counted.kinds) do
    outcomes.append(lines, kind.count, kind.name, kind.example, list.base)
  end
  for _, note in ipairs(notes_of(counted)) do lines[#lines + 1] = note end
  outcomes.append_end(lines, list)
  return table.concat(lines, "\n") .. "\n"
end

local function json_of(counted, list, old, new)
  local old_name, new_name = scripts.names(old, new)
  local lines = {}
  for i, kind in ipairs(counted.kinds) do
    lines[i] = json.encode { old = kind.old, new = kind.new, another_id = kind.other_id or nil, count = kind.count,
      others = kind.others, example = outcomes.plain(kind.example) }
  end
  lines[#lines + 1] = json.encode { summary = {
    objects = list.count, of = list.total, differences = counted.differences, kinds = #counted.kinds,
    both_fail = counted.both_fail, skipped = counted.skipped, missing = list.missing(),
    old = scripts.plain(old_name, old), new = scripts.plain(new_name, new),
  } }
  return table.concat(lines, "\n") .. "\n"
end

--- {json, html, rules = the old script, queues} -> the report: conclude() counts each batch, finish() returns the
-- changes and the exit status, and with html the page. report.against is the new script.
function diff.open(settings)
  local report, counted = {}, nothing()
  local get_list = enumeration.attach(settings, report)

  function report.conclude(batch)
    counted.differences = counted.differences + batch.shadow.differences
    counted.skipped = counted.skipped + batch.shadow.skipped
    for _, change in ipairs(batch.shadow.changes) do count_change(counted, change) end
    for _, entry in ipairs(batch.entries) do
      if settings.html then
        counts.note(counted.totals, entry)
        if entry.other then counts.note(counted.new, entry.other) end
      end
      if entry.failures and entry.other and entry.other.problem then counted.both_fail = counted.both_fail + 1 end
    end
    return ""
  end

  function report.finish()
    local list = get_list()
    sort(counted.kinds)
    local show = settings.json and json_of or text_of
    local unknown = list.missing() or counted.skipped > 0 or fails_all(counted, list)
    local status = counted.differences > 0 and 1 or unknown and 2 or 0
    return show(counted, list, settings.rules, report.against), status, nil,
      settings.html and require("pigeon.desk.page.diff").of(settings, counted, list, report.against,
        notes_of(counted)) or nil
  end

  return report
end

return diff
