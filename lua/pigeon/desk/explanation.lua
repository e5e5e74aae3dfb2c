--- Explains how one object was decided: the verdict, why and where, each queue with its sample
-- against its throttle, and the messages.
local json = require "pigeon.json"
local sample = require "pigeon.rules.sample"
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"

local explanation = {}

local LONGEST = 1024 -- bytes of a key or a reason that are shown

local function clean(value)
  return value and text.clean(value, LONGEST)
end

-- "rules.lua:7: boom" -> "boom", "rules.lua:7". Without a line: the whole text, nil.
local function split(problem, script)
  local line, rest = problem:match("^:(%d+): (.*)$", #script + 1)
  if not line or problem:sub(1, #script) ~= script then return problem, nil end
  return rest, script .. ":" .. line
end

-- Each queue, its sample for the accepted id, and whether the rules chose it.
local function queues_of(id, decision, queues)
  local chosen, list = {}, json.list {}
  for _, destination in ipairs(decision.destinations) do
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

local function messages_of(decision)
  local list = json.list {}
  for i, destination in ipairs(decision.destinations) do
    list[i] = {
      to = verdict.destination_name(destination),
      exchange = destination.exchange, routing_key = destination.routing_key,
      message_id = decision.id, body = decision.id, content_type = "text/plain", delivery_mode = 2,
      app_id = "pigeon", mandatory = true,
    }
  end
  return list
end

--- A decided entry, the script's name, the queues -> {key, bucket, event_name, verdict = one word,
-- reason, where, id, queues, messages}.
function explanation.of(entry, script, queues)
  local decision, object = entry.verdict, entry.object or {}
  local explained = { key = clean(entry.label), bucket = clean(object.bucket), event_name = clean(object.event_name) }
  if not decision then
    explained.verdict = "fail"
    local reason, where = split(entry.problem or entry.failures[1].text, script)
    explained.reason, explained.where = clean(reason), where
    return explained
  end
  explained.verdict, explained.reason = decision.kind, clean(decision.reason)
  if entry.trace and entry.trace.line then explained.where = ("%s:%d"):format(script, entry.trace.line) end
  if decision.kind == "accept" then
    explained.id, explained.messages = decision.id, messages_of(decision)
    explained.queues = queues_of(decision.id, decision, queues)
  end
  return explained
end

local function queue_line(queue, width)
  return ("  %-" .. width .. "s  sample %8.4f %s throttle %d: %s"):format(
    clean(queue.name), queue.sample, queue.sample < queue.throttle and "<" or ">=", queue.throttle,
    queue.chosen and "sent" or queue.sample < queue.throttle and "not sent, by the rules" or "not sent")
end

-- What differs between the messages of an object, then what they have in common.
local function add_messages(lines, messages)
  if #messages == 0 then
    lines[#lines + 1] = "  no message: no destination was given"
    return
  end
  for _, message in ipairs(messages) do
    lines[#lines + 1] = ('  message to %s: exchange "%s", routing key "%s"'):format(
      clean(message.to), clean(message.exchange), clean(message.routing_key))
  end
  lines[#lines + 1] = "  each with message_id and body " .. messages[1].message_id .. ","
  lines[#lines + 1] = "    content_type text/plain, app_id pigeon, timestamp, persistent, mandatory"
end

--- What of() returned -> the same as lines of text.
function explanation.lines(explained)
  local word = explained.verdict .. (explained.id and " " .. explained.id or "")
  if explained.reason then word = ("%s: %s"):format(word, explained.reason) end
  local lines = { explained.key, ("  %s%s"):format(word, explained.where and "  (" .. explained.where .. ")" or "") }
  if explained.hint then lines[#lines + 1] = "  hint: " .. explained.hint end
  local width = 1
  for _, queue in ipairs(explained.queues or {}) do
    width = math.max(width, math.min(#queue.name, 40))
  end
  for _, queue in ipairs(explained.queues or {}) do
    lines[#lines + 1] = queue_line(queue, width)
  end
  if explained.messages then add_messages(lines, explained.messages) end
  return lines
end

--- A script's source, and the trace of a decision or nil -> the script's lines, with a mark before
-- each line that ran.
function explanation.script(source, trace)
  local lines, number = {}, 0
  if not trace then return { "  (the run was too long to note its lines)" } end
  for line in source:gsub("\n$", ""):gmatch("([^\n]*)\n?") do
    number = number + 1
    local mark = number == trace.line and ">>" or trace.lines[number] and " >" or "  "
    lines[number] = ("  %s %3d  %s"):format(mark, number, text.clean(line, LONGEST))
  end
  if lines[number]:match("^ +%d+  $") then lines[number] = nil end -- the match after the last line
  return lines
end

return explanation
