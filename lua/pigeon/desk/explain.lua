--- `pigeon explain`: what the rules decide for each object, why, and on which line.
local explanation = require "pigeon.desk.explanation"
local hint = require "pigeon.desk.hint"
local json = require "pigeon.json"

local explain = { closely = true }

explain.usage = [[
Usage: pigeon explain [--rules FILE] [--trace] [--json] KEY...
       pigeon explain [--rules FILE] [--trace] [--json] < event.json
Shows for each key, or each object of an event, what the rules decide: accept,
defer, ignore or fail, why, on which line, each queue with its sample against
its throttle, and the messages. A KEY is used as it is, without decoding. Where
an ignored KEY is empty or looks like a file, an address or a crash id alone, a
hint says what to type; after -- there are no hints.
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --trace       also the script: " >" marks a line that ran, ">>" the one that
                decided
  --json        one JSON object per line; with --trace, the numbers of the lines
                that ran
PIGEON_QUEUE names the queues; where it is not set, there is one, normal.
Status 1: something failed, there was a hint, or no object.
]]

-- The numbers of the lines that ran, or nil where the trace is missing.
local function lines_of(trace)
  if not trace then return nil end
  local list = json.list {}
  for number in pairs(trace.lines) do list[#list + 1] = number end
  table.sort(list)
  return list
end

--- {json, trace, rules, queues} -> the report: conclude for each batch, and finish.
function explain.open(settings)
  local report, failed, objects = {}, 0, 0

  local function hint_of(entry, explained)
    if not entry.typed or settings.literal or explained.verdict == "accept" or explained.verdict == "defer" then
      return nil
    end
    return hint.of(entry.label, settings.files or {})
  end

  --- A batch -> its text.
  function report.conclude(batch)
    local parts = {}
    if batch.problem then batch.entries = { { label = "the event", problem = batch.problem } } end
    for _, entry in ipairs(batch.entries) do
      local explained = explanation.of(entry, settings.rules.name, settings.queues)
      objects = objects + 1
      explained.hint = hint_of(entry, explained)
      if explained.verdict == "fail" or explained.hint then failed = failed + 1 end
      if settings.json then
        if settings.trace then explained.lines = lines_of(entry.trace) end
        parts[#parts + 1] = json.encode(explained)
      else
        table.move(explanation.lines(explained), 1, 1000, #parts + 1, parts)
        if settings.trace and entry.object then
          local lines = explanation.script(settings.rules.source, entry.trace)
          table.move(lines, 1, #lines, #parts + 1, parts)
        end
      end
    end
    return #parts > 0 and table.concat(parts, "\n") .. "\n" or ""
  end

  --- The last text, and the exit status.
  function report.finish()
    if objects == 0 then return settings.json and "" or "No object: there is nothing to decide.\n", 1 end
    return "", failed > 0 and 1 or 0
  end

  return report
end

return explain
