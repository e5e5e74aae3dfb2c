--- What a concluded batch leaves in the log: a line for each object.
-- Published is info, what the policy left out is debug, what a retry mends is a warning, and
-- what a person has to mend is an error.
local cjson = require "cjson"
local text = require "pigeon.text"

local telemetry = {}

local LONGEST = 1024 -- bytes of a key, a reason or a message that a line shows
local LONGEST_NAME = 300 -- of a key in front of the reason
local LEVELS = {
  record = "error", rules = "error", returned = "error",
  nacked = "warn", unknown = "warn", time = "warn",
}

local json = cjson.new()

local function clean(value)
  return value and text.clean(value, LONGEST)
end

local function line(level, message, fields)
  local encoded = next(fields) and json.encode(fields):gsub("\\/", "/") or nil
  return { level = level, message = clean(message), fields = encoded }
end

local function about(entry)
  local object, verdict = entry.object or {}, entry.verdict or {}
  return { key = clean(object.key), bucket = clean(object.bucket), crash_id = verdict.id }
end

local function failed_lines(entry, lines)
  for _, failure in ipairs(entry.failures) do
    local fields = about(entry)
    fields.cause, fields.destination = failure.cause, clean(failure.destination)
    fields.message_id = clean(entry.message)
    local name = failure.name and text.clean(failure.name, LONGEST_NAME) .. ": " or ""
    lines[#lines + 1] = line(LEVELS[failure.cause], "failed: " .. name .. failure.text, fields)
  end
end

local function done_line(entry)
  local verdict, fields = entry.verdict, about(entry)
  if verdict.kind ~= "accept" then
    fields.reason = clean(verdict.reason)
    local word = verdict.kind == "defer" and "deferred" or "ignored"
    return line("debug", ("%s: %s (%s)"):format(word, text.clean(entry.label, LONGEST_NAME), fields.reason), fields)
  end
  if #entry.destinations == 0 then
    return line("debug", "throttled: " .. verdict.id, fields)
  end
  fields.destinations = {}
  for i, name in ipairs(entry.destinations) do
    fields.destinations[i] = clean(name)
  end
  return line("info", ("published: %s to %s"):format(verdict.id, table.concat(fields.destinations, ", ")), fields)
end

--- A concluded batch -> a list of {level, message, fields}, fields being a JSON object as text or nil.
function telemetry.lines(batch)
  if batch.problem then return { line("error", "failed: " .. batch.problem, { cause = "record" }) } end
  local lines = {}
  for _, entry in ipairs(batch.entries) do
    if entry.failures then
      failed_lines(entry, lines)
    else
      lines[#lines + 1] = done_line(entry)
    end
  end
  return lines
end

return telemetry
