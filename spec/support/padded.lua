--- Events that are as long as AWS lets them be: a message of SQS, and an asynchronous event, has 1 MiB at most.
local cjson = require "cjson"

local padded = {}

local MEMBER = "padding" -- which no event of AWS has

-- Gives the innermost record of S3 or event of EventBridge below value one more member -> the
-- value with it, or nil. A string of JSON is looked into.
local function pad(value, filling)
  if type(value) == "string" and value:find("^%s*{") then
    local inner = pad(cjson.decode(value), filling)
    return inner and cjson.encode(inner)
  end
  if type(value) ~= "table" then return nil end
  for name, inner in pairs(value) do
    local replaced = pad(inner, filling)
    if replaced then
      value[name] = replaced
      return value
    end
  end
  if not value.s3 and not value.detail then return nil end
  value[MEMBER] = filling
  return value
end

-- What is limited: the body of a message, or all of an event.
local function body_of(event)
  local first = (event.Records or event)[1]
  return first and (first.body or first.Sns and first.Sns.Message) or cjson.encode(event)
end

--- An event with one object, and `size` -> the event with a body of exactly so many bytes. Changes it.
function padded.to(event, size)
  local short = #body_of(assert(pad(event, "")))
  pad(event, ("x"):rep(size - short))
  assert(#body_of(event) == size)
  return event
end

return padded
