--- The log lines of a concluded batch: what became of each object, with the facts.
-- An accepted id is logged at info, a deferred or ignored object at debug, a failure that a retry
-- can fix as a warning, and a failure that a person has to fix as an error.
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"

local concat, match = table.concat, string.match

local log_lines = {}

local NONE = {}

local LONGEST = 2048 -- bytes of a message
local LONGEST_NAME = 300 -- of a key in front of the reason

-- A failure's cause -> the reason in the log's facts, and the level.
local REASONS = {
  record = "bad record", rules = "rule error", returned = "unroutable",
  nacked = "nacked", unknown = "unknown", time = "out of time",
}
local LEVELS = {
  record = "error", rules = "error", returned = "error",
  nacked = "warn", unknown = "warn", time = "warn",
}
local RANKS = { debug = 1, info = 2, warn = 3, error = 4 }

-- C (host/lua/log_lines.c) makes texts fit for a line, and shows at most 1 KiB of a fact.
local function line(level, message, facts)
  if #message > LONGEST then message = text.clean(message, LONGEST) end
  return { level = level, message = message, facts = facts }
end

local function rule_of(failure)
  return failure.cause == "rules" and match(failure.text, "^([^:]+:%d+): ")
end

-- The facts of an entry: with its queue or queues, and with its failure where the line is about one.
local function facts_of(entry, queue, failure)
  local object, decision = entry.object or NONE, entry.verdict or NONE
  return {
    "crash_id", decision.id or false,
    "verdict", decision.kind or false,
    "queue", queue or false,
    "throttled", not failure and entry.throttled or false,
    "reason", failure and REASONS[failure.cause] or decision.reason or false,
    "error", failure and failure.text or false,
    "rule", failure and rule_of(failure) or false,
    "source", object.source or entry.source or false,
    "bucket", object.bucket or false,
    "key", object.key or false,
    "sqs_message_id", failure and entry.message or false,
  }
end

local function level_of(failure)
  return failure.cause == "unknown" and failure.lasting and "error" or LEVELS[failure.cause]
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
  local decision = entry.verdict
  local word = decision.kind == "defer" and "deferred" or "ignored"
  local name = text.clean(entry.label, LONGEST_NAME)
  return line("debug", ("%s: %s (%s)"):format(word, name, decision.reason), facts_of(entry))
end

-- An accepted entry has the destinations that confirmed: none, where all its messages failed.
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

--- A concluded batch, and the lowest level that is logged -> a list of {level, message, facts}. What
-- became of objects is first: an event may have far more lines of what is wrong with it than the
-- log takes (host/base/log.h).
-- facts are names and values in turn; a value is a string, a number, a list of strings, or false
-- where there is none.
function log_lines.of(batch, level)
  if batch.problem then
    return { line("error", "failed: " .. batch.problem, { "reason", REASONS.record, "error", batch.problem }) }
  end
  local lines, rank = {}, RANKS[level]
  local entries = batch.entries
  for i = 1, #entries do
    if not entries[i].problem then add_lines(lines, entries[i], rank) end
  end
  for i = 1, #entries do
    if entries[i].problem then add_lines(lines, entries[i], rank) end
  end
  return lines
end

return log_lines
