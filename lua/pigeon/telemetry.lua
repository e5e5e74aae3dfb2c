--- What a concluded batch leaves in the log: what became of each object, with the facts.
-- An accepted id is info, what the policy left out is debug, what a retry mends is a warning,
-- and what a person has to mend is an error.
local text = require "pigeon.text"
local verdict = require "pigeon.verdict"

local telemetry = {}

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

local FACTS = {
  "crash_id", "verdict", "queue", "throttled", "reason", "error", "rule", "source", "bucket", "key",
  "sqs_message_id",
}
local PREFIXES = {}
for i, name in ipairs(FACTS) do
  PREFIXES[i] = ',"' .. name .. '":'
end

local function json_list(values)
  local shown = {}
  for i, value in ipairs(values) do
    shown[i] = text.json(value, LONGEST)
  end
  return "[" .. table.concat(shown, ",") .. "]"
end

-- There is always a fact. A published id costs this, so it takes care not to make many strings.
local function line(level, message, facts)
  local members, count = {}, 0
  for i = 1, #FACTS do
    local value = facts[FACTS[i]]
    if value then
      members[count + 1] = PREFIXES[i]
      members[count + 2] = type(value) == "table" and json_list(value) or text.json(value, LONGEST)
      count = count + 2
    end
  end
  members[1] = "{" .. members[1]:sub(2) -- without its comma
  members[count + 1] = "}"
  return { level = level, message = text.clean(message, 2 * LONGEST), fields = table.concat(members) }
end

local function facts_of(entry)
  local object, says = entry.object or {}, entry.verdict or {}
  return {
    crash_id = says.id, verdict = says.kind, reason = says.reason, source = object.source or entry.source,
    bucket = object.bucket, key = object.key,
  }
end

local function level_of(failure)
  if failure.cause == "unknown" and LASTING[failure.code] and not failure.text:find("limit", 1, true) then
    return "error"
  end
  return LEVELS[failure.cause]
end

local function failed_line(entry, failure)
  local facts = facts_of(entry)
  facts.reason, facts.error = REASONS[failure.cause], failure.text
  facts.queue = failure.destination and verdict.destination_name(failure.destination)
  facts.rule = failure.cause == "rules" and failure.text:match("^([^:]+:%d+): ") or nil
  facts.sqs_message_id = entry.message
  local name = failure.name and text.clean(failure.name, LONGEST_NAME) .. ": " or ""
  return line(level_of(failure), "failed: " .. name .. failure.text, facts)
end

local function accepted_line(entry)
  local facts, id = facts_of(entry), entry.verdict.id
  facts.throttled = entry.throttled
  if #entry.destinations == 0 then return line("info", "throttled: " .. id, facts) end
  facts.queue = entry.destinations
  return line("info", ("published: %s to %s"):format(id, table.concat(facts.queue, ", ")), facts)
end

local function left_out_line(entry)
  local says = entry.verdict
  local word = says.kind == "defer" and "deferred" or "ignored"
  return line("debug", ("%s: %s (%s)"):format(word, text.clean(entry.label, LONGEST_NAME), says.reason),
    facts_of(entry))
end

-- An accepted entry has the destinations that confirmed; one whose messages all failed, none.
local function add_lines(lines, entry, rank)
  for _, failure in ipairs(entry.failures or {}) do
    if RANKS[level_of(failure)] >= rank then lines[#lines + 1] = failed_line(entry, failure) end
  end
  if entry.destinations and (#entry.destinations > 0 or not entry.failures) then
    if rank <= RANKS.info then lines[#lines + 1] = accepted_line(entry) end
  elseif not entry.failures and rank == RANKS.debug then
    lines[#lines + 1] = left_out_line(entry)
  end
end

--- A concluded batch, and the lowest level that is asked for -> a list of {level, message, fields},
-- fields being a JSON object as text.
function telemetry.lines(batch, level)
  if batch.problem then
    return { line("error", "failed: " .. batch.problem, { reason = REASONS.record, error = batch.problem }) }
  end
  local lines = {}
  for _, entry in ipairs(batch.entries) do
    add_lines(lines, entry, RANKS[level])
  end
  return lines
end

return telemetry
