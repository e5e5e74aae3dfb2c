--- `pigeon explain`: what the rules decide of each object, why, and on which line.
local cjson = require "cjson"
local explanation = require "pigeon.desk.explanation"

local explain = { closely = true }

explain.usage = [[
Usage: pigeon explain [--rules FILE] [--trace] [--json] KEY...
       pigeon explain [--rules FILE] [--trace] [--json] < event.json
Says of each key, or of each object of an event, what the rules decide: accept,
defer, ignore or fail, why, on which line, each queue with its sample against
its throttle, and the messages. A KEY is taken as it stands.
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --trace       also the script: " >" marks a line that ran, ">>" the one that
                decided
  --json        a JSON object a line for each; with --trace the numbers of the
                lines that ran
PIGEON_QUEUE names the queues; unset, there is one, normal.
Status 1: something failed.
]]

local json = cjson.new()

local function encode(told)
  return (json.encode(told):gsub("\\/", "/"):gsub('"(%a+)":{}', '"%1":[]')) -- cjson's empty list
end

-- The numbers of the lines that ran, or nil where they are not known.
local function lines_of(trace)
  if not trace then return nil end
  local list = {}
  for number in pairs(trace.lines) do list[#list + 1] = number end
  table.sort(list)
  return list
end

--- {json, trace, rules, queues} -> the report: conclude for each batch, and finish.
function explain.open(settings)
  local report, failed, objects = {}, 0, 0

  --- A batch -> its text.
  function report.conclude(batch)
    local said = {}
    if batch.problem then batch.entries = { { label = "the event", problem = batch.problem } } end
    for _, entry in ipairs(batch.entries) do
      local told = explanation.of(entry, settings.rules.name, settings.queues)
      objects = objects + 1
      if told.verdict == "fail" then failed = failed + 1 end
      if settings.json then
        if settings.trace then told.lines = lines_of(entry.trace) end
        said[#said + 1] = encode(told)
      else
        table.move(explanation.lines(told), 1, 1000, #said + 1, said)
        if settings.trace and entry.object then
          local lines = explanation.script(settings.rules.source, entry.trace)
          table.move(lines, 1, #lines, #said + 1, said)
        end
      end
    end
    return #said > 0 and table.concat(said, "\n") .. "\n" or ""
  end

  --- The last text, and the exit status.
  function report.finish()
    if objects == 0 and not settings.json then return "No object: there is nothing to decide.\n", 0 end
    return "", failed > 0 and 1 or 0
  end

  return report
end

return explain
