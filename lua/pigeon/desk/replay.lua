--- `pigeon replay`: publishes what the rules accept from a list, as if the events came again.
local lists = require "pigeon.desk.lists"
local text = require "pigeon.text"

local replay = {}

replay.usage = [[
Usage: pigeon replay [--rules FILE] [--rate N] [--from N] [--dry-run]
                     [--ids PREFIX] [--manifest FILE] < list
Publishes what was missed. The list is in any form that simulate takes. Its
objects are handled like events, a thousand at a time; replay stops after a
batch in which anything failed, or at ^C. At the end it prints how far it came:
this object and all before it are done, so continuing after it skips nothing.
After a failure, what was confirmed after the failed object is then published
again; replay prints how many messages that is.
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --rate N      at most N objects a second
  --from N      begins with object N of the list
  --ids PREFIX  crash ids alone are keys below this prefix: v2/raw_crash
  --manifest FILE  the inventory's manifest.json: which column is what
  --dry-run     decides, but neither connects nor publishes
It needs the variables of the Lambda function: PIGEON_HOST and so on; a dry run
needs PIGEON_QUEUE.
Status 1: it stopped, or the rules accepted and deferred nothing.
]]

local MOST_FAILURES = 20

--- {dry_run, and those of lists.open()} -> the report: conclude() returns a batch's failures, finish()
-- the totals, the exit status, and what is wrong. Or nil and what is wrong with an option.
function replay.open(settings)
  local list, wrong = lists.open(settings)
  if not list then return nil, wrong end
  local report = { list = list }
  local done, failed, again = nil, nil, 0 -- two entries, and how many messages after the second
  local messages, kinds = 0, { accept = 0, defer = 0, ignore = 0, fail = 0 }

  local function count(entry)
    local sent = entry.destinations and #entry.destinations or 0
    messages = messages + sent
    if failed and entry.number >= failed.number then again = again + sent end
    local kind = entry.failures and "fail" or entry.verdict.kind
    kinds[kind] = kinds[kind] + 1
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

  --- A batch -> its text, and "failed" or "refused" where replay must stop. An object is done when all
  -- its messages are confirmed, and all objects before it are done: then --from can continue after it.
  function report.conclude(batch)
    if batch.problem then return batch.problem, "refused" end
    for _, entry in ipairs(batch.entries) do
      failed = failed or entry.failures and entry
    end
    for _, entry in ipairs(batch.entries) do
      count(entry)
      if not failed or entry.number < failed.number then done = { number = entry.number, line = entry.line } end
    end
    if failed then return failure_lines(batch.entries), "failed" end
    return ""
  end

  local function published()
    local word = settings.dry_run and "would publish" or "published"
    if messages == 0 and kinds.accept == 0 then return word .. " nothing\n" end
    return ("%s %d messages: %d objects accepted\n"):format(word, messages, kinds.accept)
  end

  -- Where to continue. After a dry run nothing is done.
  local function place()
    if settings.dry_run then return "" end
    local where = "no object is done\n"
    if done then
      where = ("done up to object %d (line %d); --from %d continues after it\n"):format(
        done.number, done.line, done.number + 1)
    end
    if again == 0 then return where end
    return ("%s%d messages after the failed object were confirmed, and will be published again\n"):format(where, again)
  end

  function report.finish()
    local problem = not failed and lists.problem(list, kinds) or nil
    return published() .. ("deferred %d, ignored %d\n"):format(kinds.defer, kinds.ignore)
      .. lists.not_counted(list) .. place(), (problem or failed) and 1 or 0, problem
  end

  return report
end

return replay
