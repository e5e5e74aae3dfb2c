--- `pigeon replay`: publishes what the rules accept of a list, as if the events came again.
local text = require "pigeon.text"

local replay = {}

replay.usage = [[
Usage: pigeon replay [--rules FILE] [--rate N] [--from N] [--dry-run] < keys
Publishes what was missed: a line is a key, a row of an S3 inventory (CSV), or
an event. It goes the way of an event, a thousand lines at a time, and stops
after a batch in which anything failed, or at ^C. However it ends, it says which
line was confirmed last: that one and all before it are. To go on behind it
skips nothing; after a failure, what was confirmed behind the line that failed
is published again, and it says how much that is.
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --rate N      at most so many lines a second
  --from N      begins with line N
  --dry-run     decides, and neither connects nor publishes
It needs the variables that Lambda has: PIGEON_HOST and so on.
Status 1: it stopped.
]]

local MOST_FAILURES = 20

--- {dry_run} -> the report: failures as they come, and at the end the totals.
function replay.open(settings)
  local report = {}
  local confirmed, failed, again = nil, nil, 0 -- two lines, and how many messages behind the second
  local objects, messages, kinds = 0, 0, { accept = 0, defer = 0, ignore = 0 }

  local function count(entry)
    local sent = entry.destinations and #entry.destinations or 0
    messages = messages + sent
    if failed and entry.line >= failed then again = again + sent end
    if entry.failures then return end
    objects = objects + 1
    kinds[entry.verdict.kind] = kinds[entry.verdict.kind] + 1
  end

  local function say_failures(entries)
    local said, more = {}, 0
    for _, entry in ipairs(entries) do
      for _, failure in ipairs(entry.failures or {}) do
        if #said < MOST_FAILURES then
          said[#said + 1] = ("line %d failed: %s: %s"):format(entry.line, text.clean(failure.name or entry.label, 1024),
            text.clean(failure.text, 1024))
        else
          more = more + 1
        end
      end
    end
    if more > 0 then said[#said + 1] = ("and %d more"):format(more) end
    return table.concat(said, "\n") .. "\n"
  end

  --- A line is confirmed when all of it and all before it is: then --from can go on behind it.
  function report.conclude(batch)
    for _, entry in ipairs(batch.entries) do
      failed = failed or entry.failures and entry.line
    end
    for _, entry in ipairs(batch.entries) do
      count(entry)
      if not failed or entry.line < failed then confirmed = entry.line end
    end
    if failed then return say_failures(batch.entries), "failed" end
    return ""
  end

  -- Where to go on. A dry run confirms nothing.
  local function say_where()
    if settings.dry_run then return "" end
    local where = "no line was confirmed\n"
    if confirmed then
      where = ("line %d was confirmed last; --from %d goes on behind it\n"):format(confirmed, confirmed + 1)
    end
    if again == 0 then return where end
    return ("%s%d messages behind the failure were confirmed, and will be published again\n"):format(where, again)
  end

  function report.finish()
    local done = ("%s %d messages of %d objects: %d accepted, %d deferred, %d ignored\n"):format(
      settings.dry_run and "would publish" or "published", messages, objects, kinds.accept, kinds.defer, kinds.ignore)
    return done .. say_where(), failed and 1 or 0
  end

  return report
end

return replay
