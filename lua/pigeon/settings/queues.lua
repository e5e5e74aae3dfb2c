--- The PIGEON_QUEUE setting: the queues, and the share of the crash ids that each gets.
local comma_list = require "pigeon.settings.comma_list"
local text = require "pigeon.text"

local queues = {}

-- A trimmed entry -> its queue, or nil and what is wrong with it.
local function parse_entry(entry)
  local share, name = entry:match("^([^:]*):(.*)$")
  if not share then share, name = "100", entry end
  share, name = text.trim(share), text.trim(name)
  if name == "" then return nil, "has no queue name after its colon" end
  if share == "" then return nil, "has no throttle before its colon" end
  local throttle = share:find("^[0-9]+$") and math.tointeger(tonumber(share))
  if not throttle or throttle > 100 then
    return nil, ("has the throttle %s, which is not a whole number from 0 to 100"):format(comma_list.quote(share))
  end
  if name:find(":", 1, true) then return nil, "has a second colon; a queue name cannot contain one here" end
  if #name > 255 then return nil, ("has a name of %d bytes; at most 255 are allowed"):format(#name) end
  if name:find("^amq%.") then return nil, "has a name that begins with amq., which the broker reserves" end
  return { name = name, throttle = throttle }
end

--- "normal,15:submitter" -> {{name="normal", throttle=100}, {name="submitter", throttle=15}}.
-- Returns nil and what is wrong, with the entry's position and the value.
function queues.parse(setting)
  return comma_list.parse("PIGEON_QUEUE", setting, "queue", parse_entry)
end

return queues
