--- Counts what became of a batch's objects and messages, alone and by queue, for the metrics.
--
-- Each name is a metric that AWS bills, so none comes from an event: the queues of PIGEON_QUEUE
-- have counters of their own, and all other destinations are "other".
local find = string.find

local counters = {}

local NONE = {}

local MOST_QUEUES = 32 -- with counters of their own: a directive takes 100 metrics, each queue has three
local LONGEST_NAME = 200 -- bytes of a queue's name

--- The names of the counters that do not depend on a queue, and the place of each in this list.
-- Counts are kept by place; those of queues come after these.
counters.names = {
  "Objects", "Accepted", "Deferred", "Ignored", "Junk", "Throttled", "Published",
  "Failed", "Unroutable", "Nacked", "Unknown", "RuleErrors", "BadRecords", "Undecided",
  "Reconnects", "ColdStarts",
}
counters.places = {}
for place, name in ipairs(counters.names) do counters.places[name] = place end

local AT = counters.places
local VERDICTS = { accept = AT.Accepted, defer = AT.Deferred, ignore = AT.Ignored }
local CAUSES = {
  returned = AT.Unroutable, nacked = AT.Nacked, unknown = AT.Unknown,
  rules = AT.RuleErrors, record = AT.BadRecords, time = AT.Undecided,
}

-- The names of all counters by their places, and the places of each queue's: {Published =
-- {queue's name = place}, ...}.
local function counters_of(queues)
  local names, place_of, places = { table.unpack(counters.names) }, {}, {}
  local function place(name) -- two queues' names may become the same
    if not place_of[name] then names[#names + 1], place_of[name] = name, #names + 1 end
    return place_of[name]
  end
  for _, counter in ipairs { "Published", "Failed", "Throttled" } do
    local other = place(counter .. ".other")
    local of_queue = setmetatable({}, { __index = function() return other end })
    for i = 1, math.min(#queues, MOST_QUEUES) do
      local queue = queues[i].name
      of_queue[queue] = place(counter .. "." .. queue:sub(1, LONGEST_NAME):gsub('[^!-~]', "_"):gsub('["\\]', "_"))
    end
    places[counter] = of_queue
  end
  return names, places
end

local function queue_of(destination)
  return destination.exchange == "" and destination.routing_key or ""
end

local function count(counts, place, by)
  counts[place] = counts[place] + (by or 1)
end

local function count_failures(counts, places, failures)
  for _, failure in ipairs(failures) do
    count(counts, AT.Failed)
    count(counts, CAUSES[failure.cause])
    if failure.destination then
      local queue = queue_of(failure.destination)
      count(counts, AT.Published, -1)
      count(counts, places.Published[queue], -1)
      count(counts, places.Failed[queue])
    end
  end
end

-- Every destination counts as published until a failure takes it back.
local function count_destinations(counts, places, destinations)
  counts[AT.Published] = counts[AT.Published] + #destinations
  for i = 1, #destinations do
    local place = places.Published[queue_of(destinations[i])]
    counts[place] = counts[place] + 1
  end
end

local function count_entry(counts, places, entry)
  local verdict = entry.verdict
  if verdict then
    local place = VERDICTS[verdict.kind]
    counts[place] = counts[place] + 1
    if verdict.kind == "ignore" and find(verdict.reason, "^junk") then count(counts, AT.Junk) end
    if verdict.destinations then count_destinations(counts, places, verdict.destinations) end
    local throttled = entry.throttled or NONE
    for i = 1, #throttled do
      count(counts, AT.Throttled)
      count(counts, places.Throttled[throttled[i]])
    end
  end
  if entry.failures then count_failures(counts, places, entry.failures) end
end

-- An event that cannot be read counts as one object that failed.
local function count_all(counts, places, batch, facts)
  local entries = batch.entries
  for place = 1, #counts do counts[place] = 0 end
  counts[AT.Objects] = #entries
  for i = 1, #entries do count_entry(counts, places, entries[i]) end
  if batch.problem then
    for _, name in ipairs { "Objects", "Failed", "BadRecords" } do count(counts, AT[name]) end
  end
  counts[AT.Reconnects], counts[AT.ColdStarts] = facts.reconnects, facts.cold and 1 or 0
end

--- A list of queues -> the names of all counters, and a function from a concluded batch and facts
-- {reconnects, cold} to the counts by place: always the same table.
function counters.open(queues)
  local names, places = counters_of(queues)
  local counts = {}
  for place = 1, #names do counts[place] = 0 end

  return names, function(batch, facts)
    count_all(counts, places, batch, facts)
    return counts
  end
end

return counters
