--- What a concluded batch leaves in the log: what became of each object, with the facts.
-- An accepted id is info, what the policy left out is debug, what a retry mends is a warning,
-- and what a person has to mend is an error.
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"

local concat, match = table.concat, string.match

local telemetry = {}

local NONE = {}

local LONGEST = 2048 -- bytes of a message
local LONGEST_NAME = 300 -- of a key in front of the reason

-- A failure's cause -> the word that failures are counted by, and the level.
local REASONS = {
  record = "bad record", rules = "rule error", returned = "unroutable",
  nacked = "nacked", unknown = "unknown", time = "out of time",
}
local LEVELS = {
  record = "error", rules = "error", returned = "error",
  nacked = "warn", unknown = "warn", time = "warn",
}
local RANKS = { debug = 1, info = 2, warn = 3, error = 4 }

-- AMQP's codes that no retry mends: access refused, a precondition failed, not allowed. The last
-- one is also said of a limit, which is.
local LASTING = { [403] = true, [406] = true, [530] = true }

-- C makes fit for a line what is in a text, and shows no more than 1 KiB of a fact.
local function line(level, message, facts)
  if #message > LONGEST then message = text.clean(message, LONGEST) end
  return { level = level, message = message, facts = facts }
end

local function rule_of(failure)
  return failure.cause == "rules" and match(failure.text, "^([^:]+:%d+): ")
end

-- What is told of an entry, with the queue or queues, and with a failure where it is about one.
local function facts_of(entry, queue, failure)
  local object, says = entry.object or NONE, entry.verdict or NONE
  return {
    "crash_id", says.id or false,
    "verdict", says.kind or false,
    "queue", queue or false,
    "throttled", not failure and entry.throttled or false,
    "reason", failure and REASONS[failure.cause] or says.reason or false,
    "error", failure and failure.text or false,
    "rule", failure and rule_of(failure) or false,
    "source", object.source or entry.source or false,
    "bucket", object.bucket or false,
    "key", object.key or false,
    "sqs_message_id", failure and entry.message or false,
  }
end

local function level_of(failure)
  if failure.cause == "unknown" and LASTING[failure.code] and not failure.text:find("limit", 1, true) then
    return "error"
  end
  return LEVELS[failure.cause]
end

local function failed_line(entry, failure)
  local name = failure.name and text.clean(failure.name, LONGEST_NAME) .. ": " or ""
  local queue = failure.destination and verdict.destination_name(failure.destination)
  return line(level_of(failure), "failed: " .. name .. failure.text, facts_of(entry, queue, failure))
end

local function accepted_line(entry)
  local id, queues = entry.verdict.id, entry.destinations
  if #queues == 0 then return line("info", "throttled: " .. id, facts_of(entry)) end
  return line("info", "published: " .. id .. " to " .. concat(queues, ", "), facts_of(entry, queues))
end

local function left_out_line(entry)
  local says = entry.verdict
  local word = says.kind == "defer" and "deferred" or "ignored"
  local name = text.clean(entry.label, LONGEST_NAME)
  return line("debug", ("%s: %s (%s)"):format(word, name, says.reason), facts_of(entry))
end

-- An accepted entry has the destinations that confirmed; one whose messages all failed, none.
local function add_lines(lines, entry, rank)
  local failures = entry.failures or NONE
  for i = 1, #failures do
    if RANKS[level_of(failures[i])] >= rank then lines[#lines + 1] = failed_line(entry, failures[i]) end
  end
  if entry.destinations and (#entry.destinations > 0 or not entry.failures) then
    if rank <= RANKS.info then lines[#lines + 1] = accepted_line(entry) end
  elseif not entry.failures and rank == RANKS.debug then
    lines[#lines + 1] = left_out_line(entry)
  end
end

--- A concluded batch, and the lowest level that is asked for -> a list of {level, message, facts},
-- facts being names and values by turns; a value is a string, a number, a list of strings, or false
-- where there is none.
function telemetry.lines(batch, level)
  if batch.problem then
    return { line("error", "failed: " .. batch.problem, { "reason", REASONS.record, "error", batch.problem }) }
  end
  local lines, rank = {}, RANKS[level]
  for i = 1, #batch.entries do
    add_lines(lines, batch.entries[i], rank)
  end
  return lines
end

return telemetry
