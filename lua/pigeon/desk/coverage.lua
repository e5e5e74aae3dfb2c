--- `pigeon test --coverage`: which decisions of the scripts no spec reaches.
--
-- Each script is loaded twice: as it is, which decides, and with a call at each decision, which counts
-- and whose verdicts are thrown away. So specs see the same lines, errors and budgets as without.
local decisions = require "pigeon.source.decisions"
local sandbox = require "pigeon.rules.sandbox"
local verdict = require "pigeon.rules.verdict"

local coverage = {}

local INSTRUCTIONS <const> = 20000000 -- what counts has more of them

-- Counts an item, and passes the value on.
local function counter(items)
  return function(number, value)
    local item = items[number]
    if item.kind == "condition" then
      if value then item.yes = item.yes + 1 else item.no = item.no + 1 end
    elseif item.kind ~= "destination" or value ~= nil then
      item.count = item.count + 1
    end
    return value
  end
end

-- The script with its items, or with the problem why they cannot be counted.
local function read(script)
  local made, problem = decisions.of(script.source, script.name)
  local read_script = { path = script.path, items = {} }
  if not made then
    read_script.problem = ("line %d: %s"):format(problem.line, problem.what)
    return read_script
  end
  read_script.items, read_script.name, read_script.text = made.items, made.name, made.text
  for _, item in ipairs(made.items) do item.count, item.yes, item.no = 0, 0, 0 end
  return read_script
end

--- A new count: {open, for script_loader; scripts, a list in the order in which they were loaded}.
function coverage.new()
  local self = { scripts = {} }
  local by_text = {}

  local function read_once(script)
    local id = script.path .. "\0" .. script.source
    if not by_text[id] then
      by_text[id] = read(script)
      table.insert(self.scripts, by_text[id])
    end
    return by_text[id]
  end

  local function open_counting(script, settings)
    local counted = read_once(script)
    if not counted.text then return nil end
    local ok, decide = pcall(sandbox.open, { name = script.name, source = counted.text }, {
      queues = settings.queues, env = settings.env, instructions = INSTRUCTIONS,
      words = { [counted.name] = counter(counted.items) },
    }, verdict.judge)
    if ok then return decide end
    counted.problem = decide
  end

  function self.open(script, settings)
    local decide = sandbox.open(script, settings, verdict.judge)
    local count = open_counting(script, settings)
    if not count then return decide end
    return function(object, closely)
      count(object)
      return decide(object, closely)
    end
  end

  return self
end

-- ------------------------------------------------------------------------ the report

-- An item -> its decisions: {{times, text}, ...}; a condition has two, a statement none.
local function decisions_of(item)
  if item.kind == "statement" then return {} end
  if item.kind == "condition" then
    return { { item.yes, item.text .. " is true" }, { item.no, item.text .. " is false" } }
  end
  return { { item.count, (item.kind == "destination" and "destination " or "") .. item.text } }
end

-- Rounded down, so that 100 is all of them.
local function percent(reached, all)
  return all == 0 and 100 or reached * 1000 // all / 10
end

local function show(reached, all)
  return ("%d of %d decisions (%g %%)"):format(reached, all, percent(reached, all))
end

-- A script -> how many decisions are reached, how many there are, and lines with the others.
local function missed_in(script)
  local reached, all, missed = 0, 0, {}
  for number, item in ipairs(script.items) do
    for way, decision in ipairs(decisions_of(item)) do
      all = all + 1
      if decision[1] > 0 then
        reached = reached + 1
      else
        missed[#missed + 1] = { line = item.line, first = item.first, order = number * 2 + way, text = decision[2] }
      end
    end
  end
  table.sort(missed, function(a, b)
    if a.first ~= b.first then return a.first < b.first end
    return a.order < b.order
  end)
  return reached, all, missed
end

--- The scripts that were counted -> the report's lines, the share of decisions that specs reach in
-- percent, and whether all scripts could be counted.
function coverage.report(scripts)
  local lines, total_reached, total, complete = {}, 0, 0, true
  for _, script in ipairs(scripts) do
    local reached, all, missed = missed_in(script)
    total_reached, total = total_reached + reached, total + all
    if script.problem then
      complete = false
      lines[#lines + 1] = ("%s: its decisions cannot be counted: %s"):format(script.path, script.problem)
    else
      lines[#lines + 1] = ("%s: %s%s"):format(script.path, show(reached, all),
        missed[1] and "; no spec reaches:" or "")
      for _, miss in ipairs(missed) do
        lines[#lines + 1] = ("  %s:%d: %s"):format(script.path, miss.line, miss.text)
      end
    end
  end
  if #scripts > 1 then lines[#lines + 1] = "all scripts: " .. show(total_reached, total) end
  return lines, percent(total_reached, total), complete
end

-- ------------------------------------------------------------------------ lcov

-- One script: how often each line ran, and how often each decision was taken, as lcov's BRDA.
local function record_of(script)
  local hits, order, branches, branches_hit = {}, {}, {}, 0
  for block, item in ipairs(script.items) do
    local times = math.max(item.count, item.yes + item.no)
    if not hits[item.line] then order[#order + 1] = item.line end
    hits[item.line] = math.max(hits[item.line] or 0, times)
    for way, decision in ipairs(decisions_of(item)) do
      local taken = times == 0 and "-" or tostring(decision[1])
      branches[#branches + 1] = ("BRDA:%d,%d,%d,%s"):format(item.line, block, way - 1, taken)
      if decision[1] > 0 then branches_hit = branches_hit + 1 end
    end
  end
  table.sort(order)
  local lines, lines_hit = { "TN:", "SF:" .. script.path }, 0
  table.move(branches, 1, #branches, #lines + 1, lines)
  lines[#lines + 1] = "BRF:" .. #branches
  lines[#lines + 1] = "BRH:" .. branches_hit
  for _, line in ipairs(order) do
    lines[#lines + 1] = ("DA:%d,%d"):format(line, hits[line])
    if hits[line] > 0 then lines_hit = lines_hit + 1 end
  end
  lines[#lines + 1] = "LF:" .. #order
  lines[#lines + 1] = "LH:" .. lines_hit
  lines[#lines + 1] = "end_of_record\n"
  return table.concat(lines, "\n")
end

--- The scripts that were counted -> the text of an lcov file: its branches are the decisions.
function coverage.lcov(scripts)
  local records = {}
  for _, script in ipairs(scripts) do
    if not script.problem then records[#records + 1] = record_of(script) end
  end
  return table.concat(records)
end

return coverage
