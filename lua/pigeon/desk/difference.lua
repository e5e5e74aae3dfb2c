--- Whether two scripts differ over the objects that their constants tell apart, those of `pigeon diff`.
local constants = require "pigeon.source.constants"
local objects = require "pigeon.source.objects"
local sandbox = require "pigeon.rules.sandbox"
local shadow = require "pigeon.report.shadow"
local source = require "pigeon.source"
local verdict = require "pigeon.rules.verdict"

local difference = {}

local function decider(script, settings)
  local ok, decide = pcall(sandbox.open, script, settings, verdict.judge)
  return ok and decide or nil
end

-- Of what both decide: {object, from, to}, or nil.
local function first_difference(old, new, list)
  for number = 1, list.count do
    local object = list.at(number)
    local tally = shadow.tally {}
    local decided, problem = old(object)
    local other, other_problem = new(object)
    shadow.note(tally, { verdict = decided, problem = problem }, { verdict = other, problem = other_problem }, 1)
    local change = tally.changes[1]
    if change then
      local same_words = change.from == change.to
      return { object = object, from = change.from, to = change.to .. (same_words and ", with another id" or "") }
    end
  end
end

--- Two scripts {name, source}, and {queues, env} -> the first difference: {object, from, to, fields = the
-- set of fields that the scripts name}, each decision in one line, without an object where only one of
-- them loads; or nil.
function difference.between(old, new, settings)
  local decide, other = decider(old, settings), decider(new, settings)
  if not decide and not other then return nil end
  if not other then return { from = "loads", to = "does not load" } end
  if not decide then return { from = "does not load", to = "loads" } end
  local found = constants.of(source.parse(old.source, old.name), (source.parse(new.source, new.name)))
  local first = first_difference(decide, other, objects.of(found, settings.queues))
  if first then first.fields = found.fields end
  return first
end

return difference
