--- What became of each object of a batch: its failures, and the destinations that confirmed.
-- An entry that failed has `failures`, a list of {cause, text, name = whom it hit, or nil where the
-- text names it}, with {destination, code, lasting} too where it is about one message. report/answer.lua
-- lists the causes.
local verdict = require "pigeon.rules.verdict"

local fates = {}

local NOT_FOUND = 404 -- AMQP: no such exchange

--- Adds a failure to an entry.
function fates.fail(entry, failure)
  entry.failures = entry.failures or {}
  table.insert(entry.failures, failure)
end

-- "returned at publish: 312 NO_ROUTE". The code is added unless the text has it as a whole word:
-- 530 may also be a part of a port.
local function text_of(fate)
  local parts = {}
  local code = math.tointeger(fate.code or 0)
  if code ~= 0 and not (fate.text or ""):find("%f[%w]" .. code .. "%f[%W]") then parts[1] = tostring(code) end
  parts[#parts + 1] = fate.text
  local where = fate.stage and fate.fate .. " at " .. fate.stage or fate.fate
  return #parts == 0 and where or where .. ": " .. table.concat(parts, " ")
end

--- Gives an entry its failures and the names of the `destinations` that confirmed. fate_of has
-- the {fate, stage, code, text, lasting} of each message that was not confirmed, by its number.
function fates.settle(entry, fate_of)
  if entry.failures or entry.skipped then return end
  if not entry.verdict then
    return fates.fail(entry, { cause = "time", text = "not decided: out of time", name = entry.label })
  end
  local destinations, confirmed = entry.verdict.destinations, {}
  if not destinations then return end
  for j = 1, #destinations do
    local destination, fate = destinations[j], fate_of[entry.first + j - 1]
    local name = verdict.destination_name(destination)
    if not fate then
      confirmed[#confirmed + 1] = name
    else
      -- a missing exchange proves nothing about the message, but no retry would succeed either
      local cause = fate.code == NOT_FOUND and "returned" or fate.fate
      fates.fail(entry, {
        cause = cause, text = text_of(fate), name = entry.verdict.id .. " to " .. name,
        destination = destination, code = fate.code,
        lasting = fate.lasting,
      })
    end
  end
  entry.destinations = confirmed
end

--- Raises when the fates are not those of a batch of so many messages, `confirmed` of which were
-- confirmed.
function fates.check(fate_of, confirmed, messages)
  local others = 0
  for number in pairs(fate_of) do
    others = others + 1
    if number < 1 or number > messages then
      error(("conclude: a fate for message %d of %d"):format(number, messages), 0)
    end
  end
  if confirmed + others ~= messages then
    error(("conclude: %d confirmed and %d other fates, but %d messages"):format(confirmed, others, messages), 0)
  end
end

return fates
