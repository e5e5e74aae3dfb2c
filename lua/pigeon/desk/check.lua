--- `pigeon check`: finds what is wrong with the rules before they are deployed. luacheck checks the
-- script, where it is installed; then the rules decide the objects of probes.lua.
local cjson = require "cjson"
local luacheck = require "pigeon.desk.luacheck"
local probes = require "pigeon.desk.probes"
local text = require "pigeon.text"

local check = {}

check.usage = [[
Usage: pigeon check [--rules FILE] [--connect] [--json]
Finds mistakes in settings and rules, and prints each as FILE:LINE: what.
Needs neither network nor broker. It checks
  * PIGEON_QUEUE, PIGEON_ENV and PIGEON_BATCH_FAILURES, and PIGEON_HOST and the
    other required variables where any of them is set
  * the script: syntax, unknown words, unused and shadowed locals (by luacheck,
    where that is installed)
  * how the script decides typical and awkward keys, each of them twice: it must
    not fail, take over 10 ms, or decide differently the second time. A key that
    takes it a second is a finding too, and ends the check
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --connect     also connects, logs in, and checks that the queues exist;
                publishes nothing
  --json        a JSON document: findings, a list of {file, line, what, key},
                and queues, a list of {queue, ok, what}
Status 1: there is a finding.
]]

local LONGEST_KEY = 60 -- bytes of a key in a line of text
local LONGEST = 1024 -- bytes of anything else

local json = cjson.new()

-- ------------------------------------------------------------------------ findings

local function clean(bytes)
  return bytes and text.clean(bytes, LONGEST)
end

local function new_finding(file, line, what)
  return { file = clean(file), line = line and math.tointeger(tonumber(line)), what = clean(what) }
end

-- "FILE:LINE: what", or a text without a line or file -> a finding.
local function finding_of(problem, script)
  local file, line, what = problem:match("^([^:]+):(%d+): (.*)$")
  if not file and script and problem:sub(1, #script + 2) == script .. ": " then
    file, what = script, problem:sub(#script + 3)
  end
  return new_finding(file, line, what or problem)
end

local function line_of(finding)
  local where = finding.file and finding.file .. (finding.line and ":" .. finding.line or "") .. ": " or ""
  if not finding.key then return where .. finding.what end
  local more = finding.more and (", and %d more"):format(finding.more) or ""
  return ('%s%s (key "%s"%s)'):format(where, finding.what, text.clean(finding.key, LONGEST_KEY), more)
end

local function encode(value)
  return (json.encode(value):gsub("\\/", "/"))
end

-- ------------------------------------------------------------------------ the report

-- What --connect found for each queue: host/desk/check_broker.h.
local function read_queues(setup)
  local list = {}
  for word, queue, what in setup:gmatch("([^\0]*)\0([^\0]*)\0([^\0]*)\0") do
    list[#list + 1] = { queue = clean(queue), ok = word == "ok", what = clean(what) }
  end
  return list
end

--- {json, rules or nil, arguments = what is wrong already} -> the report. The first batch has no
-- objects: it returns the findings that need none, before a probe can end the process. Without rules
-- there is no batch at all.
function check.open(settings)
  local report, findings, faults, probed, unchecked = {}, 0, 0, 0, nil
  local rules = settings.rules

  -- Rows as lines, or as further elements of a JSON list that has `before` of them.
  local function lay_out(list, before, line)
    local parts = {}
    for i, row in ipairs(list) do
      parts[i] = settings.json and (before + i > 1 and ",\n" or "") .. encode(row) or line(row) .. "\n"
    end
    return table.concat(parts)
  end

  -- Counts these findings, and returns them as text.
  local function show(list)
    findings = findings + #list
    return lay_out(list, findings - #list, line_of)
  end

  local function show_setup(queues)
    local problems = {}
    for _, queue in ipairs(queues) do
      if not queue.ok then faults = faults + 1 end
    end
    for i, problem in ipairs(settings.arguments) do problems[i] = finding_of(problem) end
    local shown = lay_out(queues, 0, function(queue) return ("queue %s: %s"):format(queue.queue, queue.what) end)
    if settings.json then shown = ('{"queues":[%s],"findings":['):format(shown) end
    return shown .. show(problems)
  end

  local function luacheck_findings()
    local list = {}
    local warnings, why_none = luacheck.run(rules.path)
    unchecked = why_none
    for i, warning in ipairs(warnings or {}) do list[i] = new_finding(rules.name, warning.line, warning.what) end
    return list
  end

  local function probe_findings(batch)
    local list = {}
    probed = probes.count(batch)
    for i, problem in ipairs(probes.problems(batch, rules.name)) do
      local finding = finding_of(problem.what, rules.name)
      finding.key, finding.more = clean(problem.key), problem.more
      list[i] = finding
    end
    return list
  end

  --- A batch, the one of the setup or the one of the probes -> its text.
  function report.conclude(batch)
    if batch.setup then return show_setup(read_queues(batch.setup)) .. show(luacheck_findings()) end
    return show(probe_findings(batch))
  end

  local function show_end()
    if settings.json then -- the rest of the document
      return "]," .. encode({ rules = clean(rules.name), keys = probed, luacheck = not unchecked }):sub(2) .. "\n"
    end
    local found = findings + faults
    return ("%s: %d keys decided, %s%s\n"):format(clean(rules.name), probed,
      found == 0 and "nothing found" or found == 1 and "1 finding" or found .. " findings",
      unchecked and ("; %s, so it did not check the script"):format(unchecked) or "")
  end

  --- The last text, and the exit status.
  function report.finish()
    if not rules then return show_setup({}) .. (settings.json and "]}\n" or ""), 1 end
    return show_end(), findings + faults > 0 and 1 or 0
  end

  return report
end

return check
