--- Counts the decisions of a script, by verdict, reason and destination.
-- A counter is {counts = {[name] = how often}, names = how many there are}. It keeps a bounded number
-- of names, because a script can make up any number of reasons.
local shadow = require "pigeon.report.shadow"

local counts = { kinds = { "accept", "defer", "ignore", "fail" } }

local MOST_NAMES = 1000
local OTHERS = "(others)"

function counts.counter()
  return { counts = {}, names = 0 }
end

--- Counts a name. Returns the name under which it was counted.
function counts.add(counter, name)
  local list = counter.counts
  if not list[name] then
    if counter.names >= MOST_NAMES then name = OTHERS end
    if not list[name] then counter.names, list[name] = counter.names + 1, 0 end
  end
  list[name] = list[name] + 1
  return name
end

--- Totals of nothing: {objects, verdicts = {[kind] = number}, reasons = {[kind] = counter}, queues =
-- counter, lines = {[why a line is not an object] = the first such line}}.
function counts.totals()
  local totals = { objects = 0, verdicts = {}, reasons = {}, queues = counts.counter(), lines = {} }
  for _, kind in ipairs(counts.kinds) do
    totals.verdicts[kind], totals.reasons[kind] = 0, counts.counter()
  end
  return totals
end

--- Counts a decided entry, or the other script's decision {verdict} or {problem}.
function counts.note(totals, entry)
  local kind, reason = shadow.outcome(entry)
  totals.objects = totals.objects + 1
  totals.verdicts[kind] = totals.verdicts[kind] + 1
  if kind ~= "accept" then
    local name = counts.add(totals.reasons[kind], reason)
    if entry.problem and not totals.lines[name] then totals.lines[name] = entry.line end
    return
  end
  local destinations = entry.verdict.destinations
  if #destinations == 0 then counts.add(totals.queues, "(no queue)") end
  for i = 1, #destinations do
    counts.add(totals.queues, shadow.destination_name(destinations[i]))
  end
end

--- Two counters -> {{name, old, new}, ...} of all their names, the most frequent first.
function counts.rows(old, new)
  local rows = {}
  for name, count in pairs(old.counts) do
    rows[#rows + 1] = { name = name, old = count, new = new.counts[name] or 0 }
  end
  for name, count in pairs(new.counts) do
    if not old.counts[name] then rows[#rows + 1] = { name = name, old = 0, new = count } end
  end
  table.sort(rows, function(a, b)
    local most, most_of_b = math.max(a.old, a.new), math.max(b.old, b.new)
    if most ~= most_of_b then return most > most_of_b end
    return a.name < b.name
  end)
  return rows
end

--- Two totals -> a list of {title, by = what the rows are, rows}, each row as above; where it has a verdict, also
-- that, and the words that follow it.
function counts.sections(old, new)
  local verdicts, reasons = {}, {}
  for i, kind in ipairs(counts.kinds) do
    verdicts[i] = { name = kind, verdict = kind, old = old.verdicts[kind], new = new.verdicts[kind] }
    for _, row in ipairs(counts.rows(old.reasons[kind], new.reasons[kind])) do
      local line = kind == "fail" and (old.lines[row.name] or new.lines[row.name])
      local first = line and (" (first: line %d)"):format(line) or ""
      row.verdict, row.words = kind, row.name .. first
      row.name = ("%s%s: %s"):format(kind, first, row.name)
      reasons[#reasons + 1] = row
    end
  end
  return {
    { title = ("%d objects, by verdict"):format(old.objects), by = "verdict", rows = verdicts },
    { title = "by reason", by = "reason", rows = reasons },
    { title = "by queue", by = "queue", rows = counts.rows(old.queues, new.queues) },
  }
end

--- Totals -> the same for a program: {objects, verdicts, reasons = {[kind] = {[reason] = number}}, queues}.
function counts.plain(totals)
  local plain = { objects = totals.objects, verdicts = totals.verdicts, queues = totals.queues.counts, reasons = {} }
  for _, kind in ipairs(counts.kinds) do plain.reasons[kind] = totals.reasons[kind].counts end
  return plain
end

return counts
