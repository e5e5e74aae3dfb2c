--- The objects that scripts may tell apart (pigeon.source.objects), for a walk: table, diff and check.
--
-- The walk runs in a process of its own (host/desk/apart.c says why). Where that process was stopped
-- at an object, the walk begins again in another one, which knows of it: the object is then one that
-- fails.
local constants = require "pigeon.source.constants"
local objects = require "pigeon.source.objects"
local source = require "pigeon.source"

local enumeration = {}

local MOST_STOPS = 8 -- each takes a second
local MOST_SECONDS = 10 -- of CPU, for all objects once
local FEWEST_SECONDS, SLOW = 1, 0.02 -- fewer where an object takes so many: each is a finding already

local function tree_of(script)
  local tree, problem = source.parse(script.source, script.name)
  if tree then return tree end
  error(("%s:%d: %s"):format(problem.file, problem.line, problem.what), 0)
end

-- "rules.lua:4\nkept the processor for 1 s: ...\n", from the watchdog, or why the process ended alone.
local function problem_of(text, script)
  local place, why = text:match("^([^\n]*)\n([^\n]*)\n$")
  if not place then place, why = script.name, text end
  return ("%s: %s"):format(place:gsub("^the shadow script ", ""), why)
end

--- Scripts {name, source}, one or two, and the queues -> the enumeration {count = how many objects there
-- are to decide, total = how many could be, thinned = whether that is more, base = the plainest of them,
-- late = how many seconds were too many, or nil, and the functions below}.
function enumeration.open(scripts, queues)
  local trees = {}
  for i, script in ipairs(scripts) do trees[i] = tree_of(script) end
  local list = objects.of(constants.of(table.unpack(trees)), queues)
  local self = { count = list.count, total = list.total, thinned = list.thinned, base = list.base }
  local stopped, stops = {}, 0 -- by number: {problem, other_problem}; and how often
  local started = 0 -- os.clock()

  --- An object's number -> its entry.
  function self.entry(number)
    local object, stop = list.at(number), stopped[number] or {}
    return { number = number, label = object.key, object = object,
      problem = stop.problem, other_problem = stop.other_problem }
  end

  --- Notes that the process ended while this object was decided, by the rules or by the other script.
  function self.stopped(number, text, by_other)
    local stop = stopped[number] or {}
    stopped[number] = stop
    stop[by_other and "other_problem" or "problem"] = problem_of(text, scripts[by_other and 2 or 1])
    stops = stops + 1
    if stops >= MOST_STOPS then self.count = math.min(self.count, number) end
  end

  --- At the begin of each batch: whether it is the first of the walk, and how many objects are decided. What
  -- cannot be decided in time is left out.
  function self.watch_time(begins, decided)
    if begins then
      started = os.clock()
      return
    end
    local seconds = os.clock() - started
    local too_long = seconds > MOST_SECONDS or seconds > FEWEST_SECONDS and seconds > decided * SLOW
    if too_long and decided < self.count then self.count, self.late = decided, math.ceil(seconds) end
  end

  --- Why objects were left out that should have been decided, or nil.
  function self.missing()
    if self.count == list.count then return nil end
    local why = self.late and ("they took %d s of CPU"):format(self.late)
      or ("the script was stopped %d times"):format(stops)
    return ("only %d of %d objects were decided: %s"):format(self.count, list.count, why)
  end

  return self
end

--- A command's settings and its report, which gets what the walk of it needs: objects() and stopped().
-- The report may have `against`, the second script. Returns a function to the enumeration, which is
-- made at its first use.
function enumeration.attach(settings, report)
  local made

  local function get()
    made = made or enumeration.open({ settings.rules, report.against }, settings.queues)
    return made
  end

  --- The number of the first object, and how many -> a batch of the objects from there on; an empty one is
  -- the end.
  function report.objects(first, most)
    local batch, list = { entries = {} }, get()
    list.watch_time(first == 1, first - 1)
    for number = first, math.min(first + most - 1, list.count) do
      batch.entries[#batch.entries + 1] = list.entry(number)
    end
    return batch
  end

  function report.stopped(number, text, by_other)
    get().stopped(number, text, by_other)
  end

  return get
end

return enumeration
