--- The PIGEON_BATCH_FAILURES setting: the SQS queues whose trigger understands a partial answer
-- (ReportBatchItemFailures). Any other trigger would take it for a success and delete the messages
-- that failed, so only batches of these queues get one.
local comma_list = require "pigeon.settings.comma_list"

local batch_failures = {}

local LONGEST = 80 -- SQS's own limit

local function parse_entry(name)
  if #name > LONGEST then return nil, ("has %d bytes; at most %d are allowed"):format(#name, LONGEST) end
  if name:gsub("%.fifo$", ""):find("[^A-Za-z0-9_-]") then
    return nil, "is not the name of an SQS queue, which is the last part of its ARN: letters, digits, - and _"
  end
  return { name = name }
end

--- "crashes,more" -> {crashes=true, more=true}; nil and "" -> {}. Returns nil and what is wrong,
-- with the entry's position and the value. FIFO queues are left out: their batch fails as a
-- whole, so that its order is kept.
function batch_failures.parse(setting)
  if not setting or setting == "" then return {} end
  local entries, problem = comma_list.parse("PIGEON_BATCH_FAILURES", setting, "queue", parse_entry)
  if not entries then return nil, problem end
  local partial = {}
  for _, entry in ipairs(entries) do
    if not entry.name:find("%.fifo$") then partial[entry.name] = true end
  end
  return partial
end

return batch_failures
