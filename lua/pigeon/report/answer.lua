--- The answer to Lambda: null when every object is done; the messages of an SQS batch that failed,
-- where its trigger understands that; the results of S3 Batch Operations' tasks; otherwise an error with
-- what failed, why, and what to do.
local json = require "pigeon.json"
local text = require "pigeon.text"

local answer = {}

local MOST_NAMED = 20

-- Why an object can fail: the error's type for AWS, and the operator's next step where the
-- failure's own text (host/base/err.h) does not have it.
local CAUSES = {
  record = { type = "Function.EventInvalid",
    step = "check what invokes this function: it expects S3 notifications" },
  rules = { type = "Function.RulesFailed", step = "fix the rules script and deploy it" },
  returned = { type = "Function.MessageUnroutable" },
  nacked = { type = "Function.MessageRefused" },
  unknown = { type = "Function.BrokerUnavailable" },
  time = { type = "Function.OutOfTime", step = "raise the function's timeout or its memory" },
}

-- Which cause gives the error its type where two are equally frequent: first those that no retry fixes.
local ORDER = { "record", "rules", "returned", "nacked", "unknown", "time" }

-- The failures of the entries -> how many each cause has, and the texts: equal ones once, with the
-- names of all that they hit.
local function gather(entries)
  local counts, groups, group_of = {}, {}, {}
  local failed, named, more = 0, 0, 0
  for _, entry in ipairs(entries) do
    if entry.failures then failed = failed + 1 end
    for _, failure in ipairs(entry.failures or {}) do
      counts[failure.cause] = (counts[failure.cause] or 0) + 1
      if named == MOST_NAMED then
        more = more + 1
      else
        named = named + 1
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

local function text_of(group)
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
  return json.encode { errorMessage = message, errorType = type, stackTrace = json.list {} }, type
end

local function failure_of(entries, broker_wide)
  local found = gather(entries)
  local parts = {}
  for i, group in ipairs(found.groups) do
    parts[i] = text_of(group)
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

-- Exactly the messages in which something failed, each once.
local function partial_answer(entries)
  local items, listed = json.list {}, {}
  for _, entry in ipairs(entries) do
    if entry.failures and not listed[entry.message] then
      listed[entry.message] = true
      items[#items + 1] = { itemIdentifier = entry.message }
    end
  end
  return json.encode { batchItemFailures = items }
end

--- A concluded batch, and facts {broker_wide, confirmed} about all of it -> the JSON text, and nil
-- or the type of the error for the header.
-- batch.problem is what is wrong with the event as a whole; an entry that failed has failures
-- (fates.lua). With batch.partial the answer lists the messages that failed, but not where nothing
-- at all could be published: after an error Lambda backs off, and its Errors metric shows it. With
-- batch.job it is never an error: S3 takes a result for each task.
-- Of a batch.whole, in which nothing failed, no entry is looked at.
function answer.make(batch, facts)
  if batch.problem then return make_error(text.clean(batch.problem, 1000), "record") end
  if batch.job then return require("pigeon.report.task_results").make(batch), nil end
  local nothing_went = facts.broker_wide and facts.confirmed == 0
  local entries = batch.whole and {} or batch.entries
  if batch.partial and not nothing_went then return partial_answer(entries), nil end
  for i = 1, #entries do
    if entries[i].failures then return failure_of(entries, facts.broker_wide) end
  end
  return "null", nil
end

return answer
