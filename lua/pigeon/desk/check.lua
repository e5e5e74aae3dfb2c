--- `pigeon check`: finds what is wrong with the rules before they are deployed. First what stands in
-- the script's text (lua/pigeon/source); then the rules decide the objects of probes.lua, in a process
-- of its own (host/desk/apart.c).
local age = require "pigeon.desk.age"
local enumeration = require "pigeon.desk.enumeration"
local findings_in_text = require "pigeon.source.findings"
local json = require "pigeon.json"
local kept = require "pigeon.desk.kept"
local probes = require "pigeon.desk.probes"
local reached = require "pigeon.desk.reached"
local repairs = require "pigeon.desk.repairs"
local source = require "pigeon.source"
local text = require "pigeon.text"
local variables = require "pigeon.desk.variables"

local check = {}

check.usage = [[
Usage: pigeon check [FILE] [--strict] [--connect] [--json]
Finds mistakes in settings and rules, and prints each as FILE:LINE: what, and
what to write instead. Needs neither network nor broker. It checks
  * PIGEON_QUEUE, PIGEON_ENV and PIGEON_BATCH_FAILURES, PIGEON_TLS, that
    PIGEON_SHADOW_RULES is there, that no PIGEON_ variable is misspelt, and
    PIGEON_HOST and the other required variables where any of them is set
  * the script's text: syntax, names that do not exist, verdicts that are not
    returned, arguments, conditions that are always the same, reasons, ids,
    patterns, state that changes; queues that PIGEON_QUEUE does not have, where
    that is set
  * how the script decides the objects that its constants tell apart (pigeon
    table shows them) and awkward ones, each of them twice: it must not fail,
    take over 10 ms, or decide differently the second time. A key that takes it
    a second is a finding too, and the others go on
  * that a script with accept sends any of these objects to a queue; a script
    without, and a verdict that no object reaches, are only notes
  * what the script keeps above its function, which must not grow meanwhile
  * the program itself: its newest Debian package should be at most 90 days old,
    by the clock or, where it is set, by SOURCE_DATE_EPOCH. That is a note, too:
    notes are counted, and change no status
  FILE          the script (also: --rules FILE); else rules.lua beside the
                program, else the repository's
  --strict      warnings count, too: what may be meant, but seldom is
  --connect     also connects, logs in (at each host of PIGEON_HOST, where there
                are several), and checks that the queues exist, and
                that the broker takes messages (no alarm, limit or missing
                right): it has to return one for which there is no queue. Prints
                what is missing as lines of rabbitmqctl
  --json        JSON Lines: an object for each finding, with what there is of
                file, line, what, fix, level (error, warning or note), queue,
                broker (true: no queue is to blame), run (lines of rabbitmqctl),
                key, more (how many other objects); at the end {"summary": ...}
Status 1: there is an error; with --strict, a warning.
]]

local MOST = 20 -- probes of a batch; the time is looked at between
local LONGEST_KEY = 100 -- bytes of a key in a line of text
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

-- {error, warning, note = how many} -> "nothing found", "1 error, 2 notes", "no error, no warning, 1 note".
local function summary_of(counts)
  local only_notes = counts.error + counts.warning == 0
  local parts = { only_notes and "no error, no warning" or nil }
  for _, level in ipairs { "error", "warning", "note" } do
    local count = counts[level]
    if count > 0 then parts[#parts + 1] = ("%d %s%s"):format(count, level, count == 1 and "" or "s") end
  end
  return only_notes and counts.note == 0 and "nothing found" or table.concat(parts, ", ")
end

local function line_of(finding)
  local where = finding.file and finding.file .. (finding.line and ":" .. finding.line or "") .. ": "
    or finding.queue and "queue " .. finding.queue .. ": "
    or finding.broker and not finding.what:find("^secrets: ") and "broker: " or ""
  local what = (finding.level ~= "error" and finding.level .. ": " or "") .. finding.what
    .. (finding.fix and ((finding.queue or finding.broker) and "; next: " or ": ") .. finding.fix or "")
  if not finding.key then return where .. what end
  local more = finding.more and (", and %d more"):format(finding.more) or ""
  return ('%s%s (key "%s"%s)'):format(where, what, text.clean(finding.key, LONGEST_KEY), more)
end

-- The script -> the lines of the first use of each global name, a map.
local function lines_of_words(script)
  local tree, lines = source.parse(script.source, script.name), {}
  if not tree then return lines end
  source.walk(tree, function(node)
    if node.kind == "Name" and not node.declaration then lines[node.name] = lines[node.name] or node.line end
  end)
  return lines
end

-- ------------------------------------------------------------------------ the report

--- {json, strict, rules or nil, arguments = what is wrong already, queues = PIGEON_QUEUE's, assumed_queue
-- = it is not set, unloaded = why the rules do not load, rule = their function, parts = the program's packages,
-- now = SOURCE_DATE_EPOCH or nil} -> the report. The first batch has no
-- objects: it returns the findings that need none. Without rules there is no batch at all.
function check.open(settings)
  local report, counts = {}, { error = 0, warning = 0, note = 0 }
  local objects, probing, verdicts -- made when the first probe is asked for
  local surplus -- the first call with too many arguments that was seen: {word, entry}
  local wrong_lines = {} -- with an error in their text: what the rules do there is not reported again
  local queues = json.list {} -- what the summary has of each
  local rules = settings.rules
  local grown = settings.rule and kept.watch(settings.rule, rules.source)

  -- Counts these findings, and returns them as text: lines of JSON, or lines for people.
  local function show(list)
    local lines = {}
    for i, finding in ipairs(list) do
      counts[finding.level] = counts[finding.level] + 1
      lines[i] = (settings.json and json.encode(finding) or line_of(finding)) .. "\n"
    end
    return table.concat(lines)
  end

  -- Each command of these findings once, for people to paste.
  local function show_commands(list)
    local parts, seen, note = {}, {}, ""
    for _, finding in ipairs(list) do
      for _, command in ipairs(finding.run or {}) do
        if not seen[command] then parts[#parts + 1] = ("    %s\n"):format(command) end
        seen[command] = true
        if command:find("set_permissions", 1, true) then
          note = " (set_permissions replaces the user's rights in this virtual host)"
        end
      end
    end
    if settings.json or #parts == 0 then return "" end
    return "on the broker" .. note .. ":\n" .. table.concat(parts)
  end

  -- {queue, ok, what, fix, missing} of each queue, of the broker where it takes no message, and of each of
  -- several hosts, where --connect asked for them -> their text. People see also those that are ok. What failed
  -- before a queue was asked for is the broker's, and reported once.
  local function show_queues(list, login)
    local parts, found, seen = {}, {}, {}
    for i, row in ipairs(list) do
      local finding = new_finding(row.what)
      finding.queue, finding.fix = clean(row.queue), clean(row.fix)
      if row.queue then queues[i] = { queue = finding.queue, ok = row.ok, what = finding.what } end
      finding.broker = row.ok and not row.queue or nil
      if row.ok then
        parts[#parts + 1] = settings.json and "" or line_of(finding) .. "\n"
      elseif not seen[row.what] then
        if not row.what:find("^ask: ") then finding.queue, finding.broker, seen[row.what] = nil, true, true end
        finding.run = repairs.of(list, row, login)
        found[#found + 1] = finding
        parts[#parts + 1] = show { finding }
      end
    end
    return table.concat(parts) .. show_commands(found)
  end

  -- What is wrong beside the rules.
  local function show_arguments()
    local problems = {}
    for i, problem in ipairs(settings.arguments) do problems[i] = finding_of(problem) end
    for _, found in ipairs(variables.misspelt(settings.known or "", settings.set or "")) do
      local finding = new_finding(found.what, found.level)
      finding.fix = clean(found.fix)
      problems[#problems + 1] = finding
    end
    return show(problems)
  end

  -- What is wrong with the program: nothing that a script or a setting could cure, so it is a note.
  local function show_age()
    local what, fix = age.problem(settings.parts or "", tonumber(settings.now) or os.time())
    if not what then return "" end
    local finding = set_place(new_finding(what, "note"), "bootstrap")
    finding.fix = fix
    return show { finding }
  end

  -- What stands in the text; and why it does not load, where the text does not show it.
  local function text_findings()
    local list = {}
    for i, found in ipairs(findings_in_text.of(rules, not settings.assumed_queue and settings.queues or nil)) do
      list[i] = set_place(new_finding(found.what, found.level), rules.name, found.line)
      list[i].fix = clean(found.fix)
      if found.level == "error" then wrong_lines[found.line] = true end
    end
    local problem = settings.unloaded and finding_of(settings.unloaded, rules.name)
    if problem and not wrong_lines[problem.line] then list[#list + 1] = problem end
    return list
  end

  local function open_probes()
    if probing then return end
    objects = enumeration.open({ rules }, settings.queues)
    probing = probes.open(objects, rules.name, MOST)
    verdicts = reached.open(rules, settings.queues, settings.PIGEON_ENV)
  end

  -- Whether the rules look at PIGEON_ENV, which is not set here.
  local function lacks_env()
    return lines_of_words(rules).env and (settings.PIGEON_ENV or "") == ""
  end

  -- The finding where the rules decide all objects without a failure, and send none; or nil. A script
  -- without accept can be meant so, and with another PIGEON_QUEUE or PIGEON_ENV than none it may send some.
  local function nothing_sent()
    if not probing or objects.missing() then return nil end
    local accepted, sent = probing.accepted()
    if (settings.assumed_queue and accepted or sent) > 0 then return nil end
    local line = lines_of_words(rules).accept
    if not line then
      local finding = new_finding("no accept in this script: nothing goes to a queue", "note")
      finding.fix = "is it the script that was meant?"
      return set_place(finding, rules.name)
    end
    if lacks_env() then return nil end
    local finding = new_finding(("no accept sends any of %d objects to a queue"):format(objects.count), "warning")
    finding.fix = "pigeon table shows what becomes of them"
    return set_place(finding, rules.name, line)
  end

  -- A note for each verdict that none of the objects reaches. It may be right: the objects are not all there
  -- are, and another PIGEON_ENV may lead there.
  local function notes()
    local list = {}
    for _, item in ipairs(verdicts and not objects.missing() and not lacks_env() and verdicts.missed() or {}) do
      local finding = new_finding(("none of %d objects reaches %s"):format(objects.count, item.text), "note")
      finding.fix = "is a condition above it always the same?"
      list[#list + 1] = set_place(finding, rules.name, item.line)
    end
    return list
  end

  local function probe_findings()
    local found = {}
    for _, problem in ipairs(probing and probing.problems() or {}) do
      local finding = finding_of(problem.what, rules.name)
      finding.key, finding.more = clean(problem.key), problem.more
      if not wrong_lines[finding.line] then found[#found + 1] = finding end
    end
    if surplus and not next(wrong_lines) then -- the text does not show it
      local finding = new_finding(surplus.word .. " is called with more arguments than it takes")
      finding.key = clean(surplus.entry.label)
      found[#found + 1] = set_place(finding, rules.name)
    end
    for _, growth in ipairs(grown and grown() or {}) do
      found[#found + 1] = set_place(new_finding(growth.what), rules.name, growth.line)
    end
    if #found > 0 or next(wrong_lines) then return found end
    local nothing, list = nothing_sent(), notes()
    if not nothing or nothing.level ~= "note" then return nothing and { nothing } or list end
    table.insert(list, 1, nothing)
    return list
  end

  --- The position of the first probe -> a batch of them; an empty one is the end.
  function report.objects(first)
    open_probes()
    return probing.batch(first)
  end

  --- The process was stopped at this position.
  function report.stopped(position, why)
    open_probes()
    probing.stopped(position, why)
  end

  --- A batch, the one of the setup or one of probes -> its text.
  function report.conclude(batch)
    if batch.queues then return show_queues(batch.queues, batch.login) .. show_arguments() .. show(text_findings()) end
    if probing then
      probing.note(batch)
      verdicts.note(batch.entries)
    end
    surplus = surplus or batch.surplus
    return ""
  end

  local function show_end()
    if settings.json then
      return json.encode { summary = {
        findings = counts.error + counts.warning, errors = counts.error, notes = counts.note, queues = queues,
        rules = clean(rules and rules.name),
        objects = rules and (objects and objects.count or 0), of = objects and objects.total,
      } } .. "\n"
    end
    if not rules then return "" end
    local count = objects and objects.count or 0
    return ("%s: %d objects%s decided, %s\n"):format(clean(rules.name), count,
      objects and objects.total > count and (" of %d"):format(objects.total) or "", summary_of(counts))
  end

  --- The last text, and the exit status.
  function report.finish()
    local rest = rules and show(probe_findings()) or show_arguments()
    return rest .. show_age() .. show_end(), (counts.error > 0 or settings.strict and counts.warning > 0) and 1 or 0
  end

  return report
end

return check
