--- `pigeon check`: finds what is wrong with the rules before they are deployed. luacheck checks the
-- script, where it is installed; then the rules decide the objects of probes.lua.
local json = require "pigeon.json"
local kept = require "pigeon.desk.kept"
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
  * what the script keeps above its function, which must not grow meanwhile
  --rules FILE  the script; else rules.lua beside the program, else the
                repository's
  --connect     also connects, logs in, and checks that the queues exist;
                publishes nothing
  --json        JSON Lines: an object for each finding, with what there is of
                file, line, what, fix, level (error or warning), queue, key, and
                more (how many other keys); at the end {"summary": ...}, which
                is missing where a key ended the check
Status 1: there is a finding.
]]

local LONGEST_KEY = 60 -- bytes of a key in a line of text
local LONGEST = 1024 -- bytes of anything else

-- ------------------------------------------------------------------------ findings

local function clean(bytes)
  return bytes and text.clean(bytes, LONGEST)
end

-- What is wrong, with its level, "error" unless it is given -> a finding.
local function new_finding(what, level)
  return { what = clean(what), level = level or "error" }
end

local function set_place(finding, file, line)
  finding.file, finding.line = clean(file), line and math.tointeger(tonumber(line))
  return finding
end

-- "FILE:LINE: what", or a text without a line or file -> a finding.
local function finding_of(problem, script)
  local file, line, what = problem:match("^([^:]+):(%d+): (.*)$")
  if not file and script and problem:sub(1, #script + 2) == script .. ": " then
    file, what = script, problem:sub(#script + 3)
  end
  return set_place(new_finding(what or problem), file, line)
end

local function line_of(finding)
  local where = finding.file and finding.file .. (finding.line and ":" .. finding.line or "") .. ": "
    or finding.queue and "queue " .. finding.queue .. ": " or ""
  local what = finding.what .. (finding.fix and "; next: " .. finding.fix or "")
  if not finding.key then return where .. what end
  local more = finding.more and (", and %d more"):format(finding.more) or ""
  return ('%s%s (key "%s"%s)'):format(where, what, text.clean(finding.key, LONGEST_KEY), more)
end

-- ------------------------------------------------------------------------ the report

--- {json, rules or nil, arguments = what is wrong already} -> the report. The first batch has no
-- objects: it returns the findings that need none, before a probe can end the process
-- (host/desk/command.c has the line for that). Without rules there is no batch at all.
function check.open(settings)
  local report, findings, probed, unchecked = {}, 0, 0, nil
  local queues = json.list {} -- what the summary has of each
  local rules = settings.rules
  local grown = rules and kept.watch(settings.rule, rules.source)

  -- Counts these findings, and returns them as text: lines of JSON, or lines for people.
  local function show(list)
    findings = findings + #list
    local lines = {}
    for i, finding in ipairs(list) do
      lines[i] = (settings.json and json.encode(finding) or line_of(finding)) .. "\n"
    end
    return table.concat(lines)
  end

  -- {queue, ok, what, fix} of each queue, where --connect asked for them -> their text. People see also
  -- those that are ok.
  local function show_queues(list)
    local parts = {}
    for i, row in ipairs(list) do
      local finding = new_finding(row.what)
      finding.queue, finding.fix = clean(row.queue), clean(row.fix)
      queues[i] = { queue = finding.queue, ok = row.ok, what = finding.what }
      if not row.ok then
        parts[i] = show { finding }
      else
        parts[i] = settings.json and "" or line_of(finding) .. "\n"
      end
    end
    return table.concat(parts)
  end

  local function show_arguments()
    local problems = {}
    for i, problem in ipairs(settings.arguments) do problems[i] = finding_of(problem) end
    return show(problems)
  end

  local function luacheck_findings()
    local list = {}
    local warnings, why_none = luacheck.run(rules.path)
    unchecked = why_none
    for i, warning in ipairs(warnings or {}) do
      list[i] = set_place(new_finding(warning.what, warning.level), rules.name, warning.line)
    end
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
    for _, growth in ipairs(grown()) do
      list[#list + 1] = set_place(new_finding(growth.what), rules.name, growth.line)
    end
    return list
  end

  --- A batch, the one of the setup or the one of the probes -> its text.
  function report.conclude(batch)
    if batch.queues then return show_queues(batch.queues) .. show_arguments() .. show(luacheck_findings()) end
    return show(probe_findings(batch))
  end

  local function show_end()
    if settings.json then
      return json.encode { summary = {
        findings = findings, queues = queues, rules = clean(rules and rules.name), keys = rules and probed,
        luacheck = rules and not unchecked,
      } } .. "\n"
    end
    if not rules then return "" end
    return ("%s: %d keys decided, %s%s\n"):format(clean(rules.name), probed,
      findings == 0 and "nothing found" or findings == 1 and "1 finding" or findings .. " findings",
      unchecked and ("; %s, so it did not check the script"):format(unchecked) or "")
  end

  --- The last text, and the exit status.
  function report.finish()
    local rest = rules and "" or show_arguments()
    return rest .. show_end(), findings > 0 and 1 or 0
  end

  return report
end

return check
