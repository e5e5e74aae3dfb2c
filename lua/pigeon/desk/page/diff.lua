--- The page of `pigeon diff`.
local counts = require "pigeon.desk.counts"
local html = require "pigeon.desk.page.html"
local outcomes = require "pigeon.desk.outcomes"
local page = require "pigeon.desk.page"
local scripts = require "pigeon.desk.scripts"

local diff = {}

local function kinds_of(counted, base)
  local kinds = {}
  for i, kind in ipairs(counted.kinds) do
    kinds[i] = { from = outcomes.line(kind.old), to = outcomes.line(kind.new), other_id = kind.other_id,
      others = kind.others, count = kind.count, fields = outcomes.fields(kind.example, base) }
  end
  return kinds
end

local function title_of(counted, list)
  local total = html.count(list.count, "object")
  if #counted.kinds == 0 then return "No difference in " .. total end
  return ("%s of %s change, in %s"):format(html.number(counted.differences), total,
    html.count(#counted.kinds, "kind"))
end

--- The command's settings, what was counted, the enumeration, the new script, and notes -> the page.
function diff.of(settings, counted, list, new, notes)
  local old = settings.rules
  local old_name, new_name = scripts.names(old, new)
  local left_out = outcomes.left_out(list)
  table.move(left_out, 1, #left_out, #notes + 1, notes)
  return page.of {
    command = "diff", queues = settings.PIGEON_QUEUE, assumed = settings.assumed_queue,
    title = title_of(counted, list), total = list.count,
    counted = "The objects are made from the constants of both scripts: they show what can change, not how often.",
    old = scripts.page(old_name, old), new = scripts.page(new_name, new), problems = {}, notes = notes,
    sections = counts.sections(counted.totals, counted.new), kinds = kinds_of(counted, list.base),
    footer = outcomes.ENUMERATES,
  }
end

return diff
