--- `pigeon replay`: publishes what the rules accept of a list, as if the events came again.
local text = require "pigeon.text"

local replay = {}

replay.usage = [[
Usage: pigeon replay [--rules FILE] [--rate N] [--from N] [--dry-run] < keys
Publishes what was missed: a line is a key, a row of an S3 inventory (CSV), or
an event. It goes the way of an event, a thousand lines at a time, and stops at
the first failure. However it ends, it says which line was confirmed last, and
so where to go on.
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --rate N      at most so many lines a second
  --from N      begins with line N
  --dry-run     decides, and publishes nothing
It needs the variables that Lambda has: PIGEON_HOST and so on.
Status 1: it stopped.
]]

local MOST_FAILURES = 20

--- {dry_run} -> the report: failures as they come, and at the end the totals.
function replay.open(settings)
  local report, stopped, confirmed = {}, false, nil
  local objects, messages, kinds = 0, 0, { accept = 0, defer = 0, ignore = 0 }

  local function count(entry)
    objects, messages = objects + 1, messages + #(entry.destinations or {})
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

  --- A line is confirmed when all before it are, too: then --from can go on behind it.
  function report.conclude(batch)
    for _, entry in ipairs(batch.entries) do
      if entry.failures then
        if not stopped then confirmed = entry.line > 1 and entry.line - 1 or nil end
        stopped = true
      else
        count(entry)
        if not stopped then confirmed = entry.line end
      end
    end
    if stopped then return say_failures(batch.entries), "failed" end
    return ""
  end

  function report.finish()
    local done = ("%s %d messages of %d objects: %d accepted, %d deferred, %d ignored\n"):format(
      settings.dry_run and "would publish" or "published", messages, objects, kinds.accept, kinds.defer, kinds.ignore)
    if not confirmed then return done .. "no line was confirmed\n", stopped and 1 or 0 end
    return done .. ("line %d was confirmed last; --from %d goes on behind it\n"):format(confirmed, confirmed + 1),
      stopped and 1 or 0
  end

  return report
end

return replay
