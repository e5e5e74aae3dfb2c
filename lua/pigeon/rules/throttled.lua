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

--- The verdict of an accepted object -> a list of these queues' names, or nil where there is none.
function throttled.of(words, verdict)
  local list, sampled, names = words.queues, words.sampled, nil
  for i = 1, #list do
    local name = list[i].name
    if sampled[name] == verdict.id and not is_named(name, verdict.destinations) then
      names = names or {}
      names[#names + 1] = name
    end
  end
  return names
end

return throttled
