--- For the simulation: as rules/rules.lua, and a quarter of the crashes goes to an exchange as well.
return function(object)
  local id = crash_id(object.key)
  if not id then return ignore("not a crash id") end
  if id:sub(-7, -7) ~= "1" then return defer("deferred by the collector") end

  local destinations = {}
  for i, queue in ipairs(queues) do destinations[i] = queue.name end
  if id:find("^.......[048c]") then destinations[#destinations + 1] = exchange("events", "crash") end
  return accept(id, destinations)
end
