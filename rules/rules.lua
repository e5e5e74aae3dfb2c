--- What Pigeon does with each object that S3 reports as written: the whole policy.

local PREFIX = "v2/raw_crash/"

-- The 7th-to-last character of the key: what the collector decided. Anything else is junk.
local ANNOTATION = { ["0"] = "defer", ["1"] = "accept" }

return function(object)
  if object.event_name ~= "ObjectCreated:Put" then return ignore("not a put") end

  -- dump_names, dumps and whatever else is in the bucket
  if object.key:sub(1, #PREFIX) ~= PREFIX then return ignore("not a raw crash") end
  local id = crash_id(object.key)
  if not id then return ignore("not a crash id") end

  local annotation = ANNOTATION[id:sub(-7, -7)]
  if annotation == "defer" then return defer("deferred by the collector") end
  if annotation ~= "accept" then return ignore("junk annotation") end

  -- A throttle of 15 picks 15 % of the ids, and a retry picks the same ones.
  local destinations = {}
  for _, queue in ipairs(queues) do
    if sample(id, queue.name) < queue.throttle then
      destinations[#destinations + 1] = queue.name
    end
  end
  return accept(id, destinations)
end
