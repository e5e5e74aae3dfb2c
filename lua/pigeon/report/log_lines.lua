--- The log lines of a concluded batch: what became of each object, with the facts.
-- An accepted id is logged at info, a deferred or ignored object at debug, a failure that a retry
-- can fix as a warning, and a failure that a person has to fix as an error.
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"

local match, sub = string.match, string.sub

local log_lines = {}

local NONE = {}

local LONGEST = 2048 -- bytes of a message
local LONGEST_NAME = 300 -- of a key in front of the reason
local MOST_IN_ORDER = 100 -- lines, which fit whatever is in them
local MOST_BAD = 50 -- lines of records that cannot be read, among those that come first

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

-- An object and an id -> its key, and false; or, where the key ends in the id, false and what is before
-- it: each byte of a line is billed, and the line has the id already.
local function key_of(object, id)
  local key = object.key or false
  if not key or not id or sub(key, -#id) ~= id then return key, false end
  return false, sub(key, 1, -#id - 1)
end

-- The facts of an entry: with its queue or queues, and with its failure where the line is about one.
local function facts_of(entry, queue, failure)
  local object, decision = entry.object or NONE, entry.verdict or NONE
  local key, prefix = object.key or false, false
  if not failure then key, prefix = key_of(object, decision.id) end
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
    "prefix", prefix,
    "key", key,
    "sqs_message_id", failure and entry.message or false,
  }
end

local function level_of(failure)
  return failure.cause == "unknown" and failure.lasting and "error" or LEVELS[failure.cause]
end

local function failed_line(entry, failure)
  local name = failure.name and text.clean(failure.name, LONGEST_NAME) .. ": " or ""
  local queue = failure.destination and verdict.destination_name(failure.destination)
  local one = line(level_of(failure), "failed: " .. name .. failure.text, facts_of(entry, queue, failure))
  one.bad = failure.cause == "record"
  return one
end

local function accepted_line(entry)
  local queues = entry.destinations
  if #queues == 0 then return line("info", "throttled", facts_of(entry)) end
  return line("info", "published", facts_of(entry, queues))
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

-- An event has 1 MB of the log (host/base/log.h): the longer the list, the more counts what is first.
-- So failures come before what was published, that before what was left out, and many bad records are
-- last: where the answer is partial, only the log has why.
local function order(lines)
  if #lines <= MOST_IN_ORDER then return lines end
  local first, rest, bad = {}, {}, 0
  local others = { info = {}, debug = {} }
  for i = 1, #lines do
    local one = lines[i]
    if one.bad then bad = bad + 1 end
    local list = others[one.level] or one.bad and bad > MOST_BAD and rest or first
    list[#list + 1] = one
  end
  for _, list in ipairs { others.info, others.debug, rest } do
    table.move(list, 1, #list, #first + 1, first)
  end
  return first
end

-- One for all objects: nothing is lost by what the rules did, and each event would have it.
local function surplus_line(surplus)
  return line("warn", ("the rules called %s with more arguments than it takes, for %d object%s; the rest was dropped: "
    .. "bin/pigeon check names the line"):format(surplus.word, surplus.count, surplus.count == 1 and "" or "s"),
    { "reason", "surplus argument", "bucket", surplus.entry.object.bucket or false, "key",
      surplus.entry.object.key or false })
end

--- A concluded batch, and the lowest level that is logged -> a list of {level, message, facts}.
-- facts are names and values in turn; a value is a string, a number, a list of strings, or false
-- where there is none.
function log_lines.of(batch, level)
  if batch.problem then
    return { line("error", "failed: " .. batch.problem, { "reason", REASONS.record, "error", batch.problem }) }
  end
  local lines, rank = {}, RANKS[level]
  for i = 1, #batch.entries do
    add_lines(lines, batch.entries[i], rank)
  end
  lines = order(lines)
  if batch.surplus and rank <= RANKS.warn then table.insert(lines, 1, surplus_line(batch.surplus)) end
  return lines
end

return log_lines
