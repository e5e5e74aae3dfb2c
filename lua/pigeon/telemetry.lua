--- What a concluded batch leaves in the log: what became of each object, with the facts.
-- An accepted id is info, what the policy left out is debug, what a retry mends is a warning,
-- and what a person has to mend is an error.
local text = require "pigeon.text"
local verdict = require "pigeon.verdict"

local concat, match = table.concat, string.match

local telemetry = {}

local NONE = {}

local LONGEST = 1024 -- bytes of a key, a reason or a message that a line shows
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

-- Most are short enough; false where there are none. What is in them C makes fit for a line.
local function cut(bytes, limit)
  if bytes and #bytes > limit then bytes = text.clean(bytes, limit) end
  return bytes or false
end

local function line(level, message, facts)
  return { level = level, message = cut(message, 2 * LONGEST), facts = facts }
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
    "error", failure and cut(failure.text, LONGEST) or false,
    "rule", failure and rule_of(failure) or false,
    "source", cut(object.source or entry.source, LONGEST),
    "bucket", cut(object.bucket, LONGEST),
    "key", cut(object.key, LONGEST),
    "sqs_message_id", failure and cut(entry.message, LONGEST) or false,
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
  return line("debug", ("%s: %s (%s)"):format(word, cut(entry.label, LONGEST_NAME), says.reason), facts_of(entry))
end

-- An accepted entry has the destinations that confirmed; one whose messages all failed, none.
local function add_lines(lines, entry, rank)
  for _, failure in ipairs(entry.failures or NONE) do
    if RANKS[level_of(failure)] >= rank then lines[#lines + 1] = failed_line(entry, failure) end
  end
  if entry.destinations and (#entry.destinations > 0 or not entry.failures) then
    if rank <= RANKS.info then lines[#lines + 1] = accepted_line(entry) end
  elseif not entry.failures and rank == RANKS.debug then
    lines[#lines + 1] = left_out_line(entry)
  end
end

--- A concluded batch, and the lowest level that is asked for -> a list of {level, message, facts},
-- facts being names and values by turns; a value is a string, a list of them, or false: none.
function telemetry.lines(batch, level)
  if batch.problem then
    local facts = { "reason", REASONS.record, "error", cut(batch.problem, LONGEST) }
    return { line("error", "failed: " .. batch.problem, facts) }
  end
  local lines, rank = {}, RANKS[level]
  for i = 1, #batch.entries do
    add_lines(lines, batch.entries[i], rank)
  end
  return lines
end

return telemetry
