--- An example: the queues, the exchange and its routing key depend on the bucket and the size.

-- Where the crashes of each bucket go. Objects of other buckets are ignored.
local BUCKETS = {
  ["crashes"] = { queues = true },
  ["crashes-stage"] = { queues = true, exchange = "stage" },
  ["crashes-partner"] = { exchange = "partners" },
}

local PREFIX = "v2/raw_crash/"
-- The 7th-to-last character of the key: what the collector decided. Anything else is junk.
local ANNOTATION = { ["0"] = "defer", ["1"] = "accept" }
local LARGE = 20 * 1024 * 1024 -- bytes; larger ones have a routing key of their own

return function(object)
  if object.event_name ~= "ObjectCreated:Put" then return ignore("not a put") end

  local bucket = BUCKETS[object.bucket]
  if not bucket then return ignore("not one of our buckets") end
  if object.key:sub(1, #PREFIX) ~= PREFIX then return ignore("not a raw crash") end
  local id = crash_id(object.key)
  if not id then return ignore("not a crash id") end

  local annotation = ANNOTATION[id:sub(-7, -7)]
  if annotation == "defer" then return defer("deferred by the collector") end
  if annotation ~= "accept" then return ignore("junk annotation") end

  local destinations = {}
  if bucket.queues then
    for _, queue in ipairs(queues) do
      if sample(id, queue.name) < queue.throttle then
        destinations[#destinations + 1] = queue.name
      end
    end
  end
  if bucket.exchange then
    -- The consumers bind their queues by these keys: crash.normal, crash.large.
    local size = (object.size or 0) > LARGE and "large" or "normal"
    destinations[#destinations + 1] = exchange(bucket.exchange, "crash." .. size)
  end
  return accept(id, destinations)
end
