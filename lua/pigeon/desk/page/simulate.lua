--- The page of `pigeon simulate`.
local counts = require "pigeon.desk.counts"
local html = require "pigeon.desk.page.html"
local page = require "pigeon.desk.page"
local scripts = require "pigeon.desk.scripts"

local simulate = {}

local function kinds_of(counted)
  local kinds = {}
  for i, row in ipairs(counts.rows(counted.changes, counts.counter())) do
    local sides = counted.sides[row.name] or { others = true }
    kinds[i] = { from = sides.from, to = sides.to, other_id = sides.other_id, others = sides.others, count = row.old,
      examples = counted.examples[row.name] or {} }
  end
  return kinds
end

local function title_of(counted, against)
  local total = html.count(counted.totals.objects, "object")
  return against and ("%s of %s would change"):format(html.number(counted.changed), total)
    or "What the rules decide for " .. total
end

--- The command's settings, what was counted, the second script or nil, notes, and what is wrong or nil -> the page.
function simulate.of(settings, counted, against, notes, problem)
  local rules = settings.rules
  local old, new = rules.name, nil
  if against then old, new = scripts.names(rules, against) end
  return page.of {
    command = "simulate", queues = settings.PIGEON_QUEUE, assumed = settings.assumed_queue,
    title = title_of(counted, against), total = counted.totals.objects,
    counted = "The objects of a list. An object can go to several queues.",
    old = scripts.page(old, rules), new = against and scripts.page(new, against), problems = { problem }, notes = notes,
    sections = counts.sections(counted.totals, counted.new), kinds = kinds_of(counted),
    footer = "This is a simulation: nothing was published.",
  }
end

return simulate
