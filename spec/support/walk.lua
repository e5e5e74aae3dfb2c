--- An event's walk through the verbs of lua/pigeon/init.lua, for the specs of its parts.
local cjson = require "cjson"
local pigeon = require "pigeon"

local walk = {}

--- A file's text.
function walk.read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local RULES = walk.read("spec/fixtures/right/rules.lua")

--- The settings of pigeon.open() in Lambda: the queues, a rules script (default: a right one), and
-- PIGEON_ENV.
function walk.settings(queue, source, env)
  return {
    command = "lambda", PIGEON_QUEUE = queue, PIGEON_ENV = env, PIGEON_METRICS = "off",
    rules = { source = source or RULES, name = "rules.lua", path = "rules/rules.lua", hash = "0123456789ab" },
  }
end

--- S3's event for objects that were put, by their keys.
function walk.event(...)
  local records = {}
  for i, key in ipairs { ... } do
    records[i] = { eventSource = "aws:s3", eventName = "ObjectCreated:Put",
      s3 = { bucket = { name = "crashes" }, object = { key = key } } }
  end
  return cjson.encode { Records = records }
end

--- What receive() returns for an event.
function walk.receive(input)
  return pigeon.receive(input, { kind = "event" })
end

--- The i-th id, and its key: the default rules accept it.
function walk.id_of(i)
  return ("%08x-2d1c-4865-af09-80bc01180313"):format(i)
end

function walk.key_of(i)
  return "v2/raw_crash/000/20180313/" .. walk.id_of(i)
end

--- What conclude() returns, and then tell().
function walk.conclude(fates, facts)
  local body, error_type = pigeon.conclude(fates, facts)
  return body, error_type, pigeon.tell()
end

--- The message of an answer that is an error.
function walk.error_of(body)
  return cjson.decode(body).errorMessage
end

return walk
