--- Which queues a rule sampled the accepted id for and then left out: their throttles did so.
-- `words` is what environment.globals() takes: {queues = list, sampled = table}.
local throttled = {}

--- Forgets the samples of the decision before.
function throttled.reset(words)
  local list, sampled = words.queues, words.sampled
  for i = 1, #list do
    sampled[list[i].name] = false
  end
end

local function is_named(queue, destinations)
  for i = 1, #destinations do
    local destination = destinations[i]
    if destination.routing_key == queue and destination.exchange == "" then return true end
  end
  return false
end

--- The verdict of an accepted object -> a list of these queues' names, or nil where there is none. A list of
-- one name is the same table each time: a new one is 2 % of deciding.
function throttled.of(words, verdict)
  local list, sampled, id, destinations = words.queues, words.sampled, verdict.id, verdict.destinations
  local first, names
  for i = 1, #list do
    local name = list[i].name
    if sampled[name] == id and not is_named(name, destinations) then
      if not first then
        first = name
      else
        names = names or { first }
        names[#names + 1] = name
      end
    end
  end
  if names or not first then return names end
  local alone = words.alone
  if not alone then
    alone = {}
    words.alone = alone
  end
  names = alone[first]
  if not names then
    names = { first }
    alone[first] = names
  end
  return names
end

return throttled
