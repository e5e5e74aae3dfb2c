--- The answer to S3 Batch Operations: one result for each task, which its report keeps. A task that
-- failed where a retry can succeed is a TemporaryFailure, which S3 tries again; one that a person has
-- to fix first is a PermanentFailure.
-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
local json = require "pigeon.json"
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"

local concat = table.concat

local task_results = {}

-- Bytes of a resultString. AWS documents no limit; this is a line that a spreadsheet shows.
local LONGEST = 1024

-- Bytes of the answer, where Lambda takes 6 MB, and of a result without its string and id. What is
-- left of them is shared by the strings. In JSON a byte may be two.
local MOST_BYTES = 5 << 20
local RESULT_BYTES = 72

-- Failures of which a retry only repeats the cause (report/answer.lua lists the causes).
local PERMANENT = { record = true, rules = true, returned = true }

-- What counts where two tasks have one id: S3 has to try both again.
local RANKS = { Succeeded = 1, PermanentFailure = 2, TemporaryFailure = 3 }

local function failure_words(entry)
  local words = {}
  for i, failure in ipairs(entry.failures) do
    local destination = failure.destination
    words[i] = (destination and verdict.destination_name(destination) .. ": " or "") .. failure.text
  end
  return concat(words, " | ")
end

local function success_words(entry)
  local decision = entry.verdict
  if decision.kind ~= "accept" then return decision.kind .. ": " .. decision.reason end
  if entry.destinations[1] then return "accept: " .. concat(entry.destinations, ", ") end
  if not entry.throttled then return "accept: no queue" end
  return "accept: no queue (throttled: " .. concat(entry.throttled, ", ") .. ")"
end

local function code_of(entry)
  if not entry.failures then return "Succeeded" end
  for _, failure in ipairs(entry.failures) do
    if not PERMANENT[failure.cause] then return "TemporaryFailure" end
  end
  return "PermanentFailure"
end

-- A result for each task, in the order of their coming, with the entry that is the reason.
local function gather(entries)
  local results, result_of, bytes = json.list {}, {}, 0
  for i = 1, #entries do
    local entry = entries[i]
    local id = entry.task
    if id then
      local result, code = result_of[id], code_of(entry)
      if not result then
        result = { taskId = id, entry = entry, resultCode = code }
        result_of[id], results[#results + 1] = result, result
        bytes = bytes + RESULT_BYTES + 2 * #id
      elseif RANKS[code] > RANKS[result.resultCode] then
        result.resultCode, result.entry = code, entry
      end
    end
  end
  return results, bytes
end

--- A concluded batch, whose entries have `task`, the id of their task, and which has job = {version,
-- invocation} -> the JSON text. A task without an id has no result: S3 takes it for a failure.
function task_results.make(batch)
  local results, bytes = gather(batch.entries)
  local room = (MOST_BYTES - bytes) // 2 // math.max(#results, 1)
  local limit = math.max(0, math.min(LONGEST, room) - 3) -- text.clean() may add "..."
  for _, result in ipairs(results) do
    local entry = result.entry
    local words = entry.failures and failure_words(entry) or success_words(entry)
    result.resultString = text.clean(text.clean(words, limit), limit) -- it has become longer where it was not UTF-8
    result.entry = nil
  end
  return json.encode {
    invocationSchemaVersion = batch.job.version, invocationId = batch.job.invocation,
    treatMissingKeysAs = "PermanentFailure", results = results,
  }
end

return task_results
