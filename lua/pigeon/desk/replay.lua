--- `pigeon replay`: publishes what the rules accept from a list, as if the events came again.
local text = require "pigeon.text"

local replay = {}

replay.usage = [[
Usage: pigeon replay [--rules FILE] [--rate N] [--from N] [--dry-run] < keys
Publishes what was missed. Each line is a key, a row of an S3 inventory (CSV),
or an event. The lines are handled like events, a thousand at a time; replay
stops after a batch in which anything failed, or at ^C. At the end it prints the
last confirmed line: this line and all before it are done, so continuing after
it skips nothing. After a failure, what was confirmed after the failed line is
then published again; replay prints how many messages that is.
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --rate N      at most N lines a second
  --from N      begins with line N
  --dry-run     decides, but neither connects nor publishes
It needs the variables of the Lambda function: PIGEON_HOST and so on.
Status 1: it stopped.
]]

local MOST_FAILURES = 20

--- {dry_run} -> the report: conclude() returns a batch's failures, finish() the totals and the exit
-- status.
function replay.open(settings)
  local report = {}
  local confirmed, failed, again = nil, nil, 0 -- two lines, and how many messages after the second
  local objects, messages, kinds = 0, 0, { accept = 0, defer = 0, ignore = 0 }

  local function count(entry)
    local sent = entry.destinations and #entry.destinations or 0
    messages = messages + sent
    if failed and entry.line >= failed then again = again + sent end
    if entry.failures then return end
    objects = objects + 1
    kinds[entry.verdict.kind] = kinds[entry.verdict.kind] + 1
  end

  local function failure_lines(entries)
    local lines, more = {}, 0
    for _, entry in ipairs(entries) do
      for _, failure in ipairs(entry.failures or {}) do
        if #lines < MOST_FAILURES then
          lines[#lines + 1] = ("line %d failed: %s: %s"):format(entry.line,
            text.clean(failure.name or entry.label, 1024), text.clean(failure.text, 1024))
        else
          more = more + 1
        end
      end
    end
    if more > 0 then lines[#lines + 1] = ("and %d more"):format(more) end
    return table.concat(lines, "\n") .. "\n"
  end

  --- A batch -> its text, and "failed" where replay must stop. A line is confirmed when all of it and
  -- all before it is: then --from can continue after it.
  function report.conclude(batch)
    for _, entry in ipairs(batch.entries) do
      failed = failed or entry.failures and entry.line
    end
    for _, entry in ipairs(batch.entries) do
      count(entry)
      if not failed or entry.line < failed then confirmed = entry.line end
    end
    if failed then return failure_lines(batch.entries), "failed" end
    return ""
  end

  -- Where to continue. A dry run confirms nothing.
  local function last_line()
    if settings.dry_run then return "" end
    local where = "no line was confirmed\n"
    if confirmed then
      where = ("line %d was confirmed last; --from %d continues after it\n"):format(confirmed, confirmed + 1)
    end
    if again == 0 then return where end
    return ("%s%d messages after the failed line were confirmed, and will be published again\n"):format(where, again)
  end

  function report.finish()
    local done = ("%s %d messages of %d objects: %d accepted, %d deferred, %d ignored\n"):format(
      settings.dry_run and "would publish" or "published", messages, objects, kinds.accept, kinds.defer, kinds.ignore)
    return done .. last_line(), failed and 1 or 0
  end

  return report
end

return replay
