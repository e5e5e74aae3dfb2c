--- `pigeon check`: what is wrong with the rules before they are deployed. luacheck looks at the
-- text, where it is installed; then the rules decide what pigeon.desk.probes has.
local cjson = require "cjson"
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"
local words = require "pigeon.rules.words"

local check = {}

check.usage = [[
Usage: pigeon check [--rules FILE] [--connect] [--json]
Looks for mistakes in the configuration and the rules, and says FILE:LINE: what.
Needs neither network nor broker. Looks at
  * PIGEON_QUEUE, PIGEON_ENV and PIGEON_BATCH_FAILURES, and at PIGEON_HOST and
    the other required variables where any of them is set
  * the script: syntax, unknown words, unused and shadowed locals (by luacheck,
    where that is installed)
  * what it does with typical and awkward keys, each decided twice: it must not
    fail, take over 10 ms, or decide differently the second time. A key that
    keeps it busy for a second is a finding, too, and the last one
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --connect     also connects, logs in, and asks whether the queues are there;
                publishes nothing
  --json        a JSON document: findings, a list of {file, line, what, key},
                and queues, a list of {queue, ok, what}
Status 1: there is a finding.
]]

local MOST_MS = 10
local LONGEST_KEY = 60 -- where people read it
local LONGEST = 1024

local json = cjson.new()

-- ------------------------------------------------------------------------ findings

local function clean(bytes)
  return bytes and text.clean(bytes, LONGEST)
end

local function new_finding(file, line, what)
  return { file = clean(file), line = line and math.tointeger(tonumber(line)), what = clean(what) }
end

-- "FILE:LINE: what", or what is of no line or file -> a finding.
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

-- ------------------------------------------------------------------------ the text

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The words of words.lua, as luacheck's command line takes them.
local function globals()
  local list = {}
  for _, word in ipairs(words) do list[#list + 1] = word end
  for library, part in pairs(words) do
    if type(library) == "string" then
      for _, field in ipairs(part.fields) do list[#list + 1] = library .. "." .. field end
    end
  end
  table.sort(list)
  return table.concat(list, " ")
end

-- The findings of luacheck, or nil and why there are none. Its status is 1 for warnings and 2
-- for errors; the shell's is 127 where there is no luacheck.
local function luacheck(rules)
  local pipe = io.popen(("luacheck --no-config --no-color --formatter plain --no-unused-args --no-max-line-length "
    .. "--std none --read-globals %s --filename rules - 2>/dev/null <%s"):format(globals(), quote(rules.path)))
  local findings = {}
  for line in pipe:lines() do
    local number, what = line:match("^rules:(%d+):%d+: (.*)$")
    if number then findings[#findings + 1] = new_finding(rules.name, number, what) end
  end
  local _, _, status = pipe:close()
  if status == 127 then return nil, "luacheck is not installed (apt-get install lua-check)" end
  if status > 2 or status > 0 and #findings == 0 then return nil, ("luacheck failed, with status %d"):format(status) end
  return findings
end

-- ------------------------------------------------------------------------ the probes

-- A decision in one line, to compare by.
local function summary(entry)
  local says = entry.verdict
  if not says then return "failed: " .. entry.failures[1].text end
  local parts = { says.kind, says.reason or says.id }
  for _, destination in ipairs(says.destinations or {}) do
    parts[#parts + 1] = verdict.destination_name(destination)
  end
  return table.concat(parts, " ")
end

local function where(rules, entry)
  return entry.trace and entry.trace.line and ("%s:%d"):format(rules.name, entry.trace.line) or rules.name
end

-- What is wrong with a probe that was decided as first, second and, closely, third; or nil.
local function judge(rules, first, second, third)
  local one, two = summary(first), summary(second)
  if one ~= two then
    return ("%s: decides differently the second time: %s, then %s"):format(where(rules, third), one, two)
  end
  if first.failures then return first.failures[1].text end
  local ms = math.min(first.cpu, second.cpu) * 1000
  if ms > MOST_MS then return ("%s: took over %d ms"):format(where(rules, third), MOST_MS) end
end

-- The findings, each with the first key that shows it and how many more do.
local function probe_findings(rules, entries)
  local count, list, by_text = #entries // 3, {}, {}
  for i = 1, count do
    local what = judge(rules, entries[i], entries[2 * count + 1 - i], entries[2 * count + i])
    local known = by_text[what]
    if known then
      known.more = (known.more or 0) + 1
    elseif what then
      local finding = finding_of(what, rules.name)
      finding.key = clean(entries[i].label)
      list[#list + 1], by_text[what] = finding, finding
    end
  end
  return list
end

-- ------------------------------------------------------------------------ the report

-- What the broker said of each queue: host/desk/check_broker.h.
local function read_queues(setup)
  local list = {}
  for word, queue, what in setup:gmatch("([^\0]*)\0([^\0]*)\0([^\0]*)\0") do
    list[#list + 1] = { queue = clean(queue), ok = word == "ok", what = clean(what) }
  end
  return list
end

--- {json, rules or nil, arguments = what is wrong already} -> the report. The first batch has no
-- objects: there the findings that need none are said, before a probe can end the process. Without
-- rules there is no batch at all.
function check.open(settings)
  local report, findings, faults, probed, unseen = {}, 0, 0, 0, nil
  local rules = settings.rules

  -- Lines, or elements of a list that has `before` already.
  local function lay_out(list, before, line)
    local said = {}
    for i, row in ipairs(list) do
      said[i] = settings.json and (before + i > 1 and ",\n" or "") .. encode(row) or line(row) .. "\n"
    end
    return table.concat(said)
  end

  local function say(list)
    findings = findings + #list
    return lay_out(list, findings - #list, line_of)
  end

  local function say_setup(queues)
    local problems = {}
    for _, queue in ipairs(queues) do
      if not queue.ok then faults = faults + 1 end
    end
    for i, problem in ipairs(settings.arguments) do problems[i] = finding_of(problem) end
    local said = lay_out(queues, 0, function(queue) return ("queue %s: %s"):format(queue.queue, queue.what) end)
    if settings.json then said = ('{"queues":[%s],"findings":['):format(said) end
    return said .. say(problems)
  end

  function report.conclude(batch)
    if batch.setup then
      local lint
      lint, unseen = luacheck(rules)
      return say_setup(read_queues(batch.setup)) .. say(lint or {})
    end
    probed = #batch.entries // 3
    return say(probe_findings(rules, batch.entries))
  end

  local function say_end()
    if settings.json then -- the rest of the document
      return "]," .. encode({ rules = clean(rules.name), keys = probed, luacheck = not unseen }):sub(2) .. "\n"
    end
    local found = findings + faults
    return ("%s: %d keys decided, %s%s\n"):format(clean(rules.name), probed,
      found == 0 and "nothing found" or found == 1 and "1 finding" or found .. " findings",
      unseen and ("; %s, so the text was not looked at"):format(unseen) or "")
  end

  function report.finish()
    if not rules then return say_setup({}) .. (settings.json and "]}\n" or ""), 1 end
    return say_end(), findings + faults > 0 and 1 or 0
  end

  return report
end

return check
