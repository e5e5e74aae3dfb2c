--- `pigeon check`: what is wrong with the rules before they are deployed. luacheck looks at the
-- text, where it is installed; then the rules decide what pigeon.desk.probes has.
local text = require "pigeon.text"
local verdict = require "pigeon.verdict"
local words = require "pigeon.words"

local check = {}

check.usage = [[
Usage: pigeon check [--rules FILE] [--connect]
Looks for mistakes in the configuration and the rules, and says FILE:LINE: what. Needs
neither network nor broker. Looks at
  * PIGEON_QUEUE, PIGEON_ENV and PIGEON_BATCH_FAILURES, and at PIGEON_HOST and the other
    required variables where any of them is set
  * the script: syntax, unknown words, unused and shadowed locals (by luacheck, where that
    is installed)
  * what it does with typical and awkward keys, each decided twice: it must not fail, take
    over 10 ms, or decide differently the second time. A key that keeps it busy for a
    second ends the check with a line that names the key.
  --rules FILE  the script; else rules.lua beside the program, else the repository's
  --connect     also connects, logs in, and asks whether the queues are there; publishes
                nothing
Status 1: there is a finding.
]]

local MOST_MS = 10
local LONGEST_KEY = 60

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

-- The findings of luacheck, or nil where it is not installed.
local function luacheck(rules)
  local pipe = io.popen(("luacheck --no-config --no-color --formatter plain --no-unused-args --no-max-line-length "
    .. "--std none --read-globals %s --filename rules - <%s 2>/dev/null; echo status $?"):format(
    globals(), quote(rules.path)))
  local findings, status = {}, nil
  for line in pipe:lines() do
    local number, what = line:match("^rules:(%d+):%d+: (.*)$")
    if number then findings[#findings + 1] = ("%s:%s: %s"):format(rules.name, number, what) end
    status = line:match("^status (%d+)$") or status
  end
  pipe:close()
  if status == "127" then return nil end
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
    if what and by_text[what] then
      by_text[what].more = by_text[what].more + 1
    elseif what then
      list[#list + 1] = { what = what, key = entries[i].label, more = 0 }
      by_text[what] = list[#list]
    end
  end
  for i, finding in ipairs(list) do
    local more = finding.more > 0 and (", and %d more"):format(finding.more) or ""
    list[i] = ('%s (key "%s"%s)'):format(text.clean(finding.what, 1024), text.clean(finding.key, LONGEST_KEY), more)
  end
  return list
end

--- {rules} -> the report. The first batch is empty, and there luacheck's findings are said: they
-- must be out before a probe ends the process.
function check.open(settings)
  local report, found, linted, probed = {}, 0, nil, 0

  local function say(findings)
    found = found + #findings
    return #findings > 0 and table.concat(findings, "\n") .. "\n" or ""
  end

  function report.conclude(batch)
    if #batch.entries == 0 then
      linted = luacheck(settings.rules)
      return say(linted or {})
    end
    probed = #batch.entries // 3
    return say(probe_findings(settings.rules, batch.entries))
  end

  function report.finish()
    local lint = linted and ""
      or "; luacheck is not installed (apt-get install lua-check), so the text was not looked at"
    return ("%s: %d keys decided, %s%s\n"):format(settings.rules.name, probed,
      found == 0 and "nothing found" or found .. " findings", lint), found > 0 and 1 or 0
  end

  return report
end

return check
