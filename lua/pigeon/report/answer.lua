--- What Lambda is told: null when every object is done, which messages of an SQS batch failed
-- where that is understood, or else an error that says what failed, why, and what to do.
local cjson = require "cjson"
local text = require "pigeon.text"

local answer = {}

local MOST_NAMED = 20
local json = cjson.new()

-- Why an object can fail: the error's type for AWS, and the operator's next step where the
-- broker's part (host/amqp/failure.c) has not said it.
local CAUSES = {
  record = { type = "Function.EventInvalid",
    step = "look at what invokes this function: it expects S3 notifications" },
  rules = { type = "Function.RulesFailed", step = "mend the rules script and deploy it" },
  returned = { type = "Function.MessageUnroutable" },
  nacked = { type = "Function.MessageRefused" },
  unknown = { type = "Function.BrokerUnavailable" },
  time = { type = "Function.OutOfTime", step = "raise the function's timeout or its memory" },
}

-- Which cause names the error where two hit equally often: first what no retry mends.
local ORDER = { "record", "rules", "returned", "nacked", "unknown", "time" }

-- A JSON string. cjson writes "/" as "\/".
local function quote(value)
  return (json.encode(value):gsub("\\/", "/"))
end

-- {}, as stackTrace, would be an object in cjson's hands.
local function error_json(message, type)
  return ('{"errorMessage":%s,"errorType":%s,"stackTrace":[]}'):format(quote(message), quote(type))
end

-- The failures of the entries -> how many each cause has, and what is said of them: equal
-- reasons once, with the names of those that they hit.
local function gather(entries)
  local counts, groups, group_of = {}, {}, {}
  local failed, told, more = 0, 0, 0
  for _, entry in ipairs(entries) do
    if entry.failures then failed = failed + 1 end
    for _, failure in ipairs(entry.failures or {}) do
      counts[failure.cause] = (counts[failure.cause] or 0) + 1
      if told == MOST_NAMED then
        more = more + 1
      else
        told = told + 1
        local group = group_of[failure.text]
        if not group then
          group = { why = failure.text }
          group_of[failure.text], groups[#groups + 1] = group, group
        end
        group[#group + 1] = failure.name
      end
    end
  end
  return { counts = counts, groups = groups, failed = failed, more = more }
end

local function say_group(group)
  local names = {}
  for i, name in ipairs(group) do
    names[i] = text.clean(name, 300)
  end
  local why = text.clean(group.why, 400)
  return #names == 0 and why or ("%s: %s"):format(table.concat(names, ", "), why)
end

local function main_cause(counts)
  local main = ORDER[1]
  for _, name in ipairs(ORDER) do
    if (counts[name] or 0) > (counts[main] or 0) then main = name end
  end
  return main
end

local function make_error(message, cause)
  local type, step = CAUSES[cause].type, CAUSES[cause].step
  if step then message = ("%s; next: %s"):format(message, step) end
  return error_json(message, type), type
end

local function failure_of(entries, broker_wide)
  local found = gather(entries)
  local parts = {}
  for i, group in ipairs(found.groups) do
    parts[i] = say_group(group)
  end
  if found.more > 0 then parts[#parts + 1] = ("and %d more"):format(found.more) end
  local what = table.concat(parts, " | ")
  if broker_wide then
    broker_wide = text.clean(broker_wide, 400)
    if not what:find(broker_wide, 1, true) then what = broker_wide .. ": " .. what end
  end
  return make_error(("%d of %d objects failed: %s"):format(found.failed, #entries, what),
    broker_wide and "unknown" or main_cause(found.counts))
end

-- Exactly the messages of which something failed, each once. An empty table would be {} in
-- cjson's hands, and that is another answer.
local function partial_answer(entries)
  local items, told = {}, {}
  for _, entry in ipairs(entries) do
    if entry.failures and not told[entry.message] then
      told[entry.message] = true
      items[#items + 1] = ('{"itemIdentifier":%s}'):format(quote(entry.message))
    end
  end
  return ('{"batchItemFailures":[%s]}'):format(table.concat(items, ","))
end

--- A concluded batch, and what happened to it as a whole: {broker_wide, confirmed} -> the JSON
-- text, and nil or the type of the error for the header.
-- batch.problem says what is wrong with the event as a whole; an entry that failed has
-- failures, each {cause, text, name}, name being whom it hit, or nil where the text says it.
-- batch.partial: Lambda may be told which messages failed. Not where the broker took nothing at
-- all: after an error Lambda backs off, and its Errors metric shows it.
function answer.make(batch, facts)
  if batch.problem then return make_error(text.clean(batch.problem, 1000), "record") end
  local nothing_went = facts.broker_wide and facts.confirmed == 0
  if batch.partial and not nothing_went then return partial_answer(batch.entries), nil end
  local entries = batch.entries
  for i = 1, #entries do
    if entries[i].failures then return failure_of(entries, facts.broker_wide) end
  end
  return "null", nil
end

return answer
