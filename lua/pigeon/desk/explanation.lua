--- How one object was decided, for people to read: the verdict, why and where, each queue with
-- its sample against its throttle, and the messages.
local sample = require "pigeon.rules.sample"
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"

local explanation = {}

local LONGEST = 1024 -- bytes of a key or a reason that are shown

local function clean(value)
  return value and text.clean(value, LONGEST)
end

-- "rules.lua:7: boom" -> "boom", "rules.lua:7". Without a line: all of it, nil.
local function split(problem, script)
  local line, rest = problem:match("^:(%d+): (.*)$", #script + 1)
  if not line or problem:sub(1, #script) ~= script then return problem, nil end
  return rest, script .. ":" .. line
end

-- What the rules could have picked by, for the id that they accepted.
local function queues_of(id, says, queues)
  local chosen, list = {}, {}
  for _, destination in ipairs(says.destinations) do
    if destination.exchange == "" then chosen[destination.routing_key] = true end
  end
  for i, queue in ipairs(queues) do
    list[i] = {
      name = queue.name, throttle = queue.throttle,
      sample = sample.of(id, queue.name), chosen = chosen[queue.name] or false,
    }
  end
  return list
end

local function messages_of(says)
  local list = {}
  for i, destination in ipairs(says.destinations) do
    list[i] = {
      to = verdict.destination_name(destination),
      exchange = destination.exchange, routing_key = destination.routing_key,
      message_id = says.id, body = says.id, content_type = "text/plain", delivery_mode = 2,
      app_id = "pigeon", mandatory = true,
    }
  end
  return list
end

--- {label, object, verdict, trace, or else problem or failures}, the script's name, the queues ->
-- {key, bucket, verdict = one word, reason, where, id, queues, messages}.
function explanation.of(entry, script, queues)
  local says, object = entry.verdict, entry.object or {}
  local told = { key = clean(entry.label), bucket = clean(object.bucket), event_name = clean(object.event_name) }
  if not says then
    told.verdict = "fail"
    local reason, where = split(entry.problem or entry.failures[1].text, script)
    told.reason, told.where = clean(reason), where
    return told
  end
  told.verdict, told.reason = says.kind, clean(says.reason)
  if entry.trace and entry.trace.line then told.where = ("%s:%d"):format(script, entry.trace.line) end
  if says.kind == "accept" then
    told.id, told.queues, told.messages = says.id, queues_of(says.id, says, queues), messages_of(says)
  end
  return told
end

local function say_queue(queue, width)
  return ("  %-" .. width .. "s  sample %8.4f %s throttle %d: %s"):format(
    clean(queue.name), queue.sample, queue.sample < queue.throttle and "<" or ">=", queue.throttle,
    queue.chosen and "sent" or queue.sample < queue.throttle and "not sent, by the rules" or "not sent")
end

-- What differs between the messages of an object, then what does not.
local function say_messages(said, messages)
  if #messages == 0 then
    said[#said + 1] = "  no message: no destination was given"
    return
  end
  for _, message in ipairs(messages) do
    said[#said + 1] = ('  message to %s: exchange "%s", routing key "%s"'):format(
      clean(message.to), clean(message.exchange), clean(message.routing_key))
  end
  said[#said + 1] = "  each with message_id and body " .. messages[1].message_id .. ","
  said[#said + 1] = "    content_type text/plain, app_id pigeon, timestamp, persistent, mandatory"
end

--- The same as lines of text.
function explanation.lines(told)
  local word = told.verdict .. (told.id and " " .. told.id or "")
  if told.reason then word = ("%s: %s"):format(word, told.reason) end
  local said = { told.key, ("  %s%s"):format(word, told.where and "  (" .. told.where .. ")" or "") }
  local width = 1
  for _, queue in ipairs(told.queues or {}) do
    width = math.max(width, math.min(#queue.name, 40))
  end
  for _, queue in ipairs(told.queues or {}) do
    said[#said + 1] = say_queue(queue, width)
  end
  if told.messages then say_messages(said, told.messages) end
  return said
end

--- A script's source with a mark before each line that ran, and "?" where none is known.
function explanation.script(source, trace)
  local said, number = {}, 0
  if not trace then return { "  (too long a run to note its lines)" } end
  for line in source:gsub("\n$", ""):gmatch("([^\n]*)\n?") do
    number = number + 1
    local mark = number == trace.line and ">>" or trace.lines[number] and " >" or "  "
    said[number] = ("  %s %3d  %s"):format(mark, number, text.clean(line, LONGEST))
  end
  if said[number]:match("^ +%d+  $") then said[number] = nil end -- the match after the last line
  return said
end

return explanation
