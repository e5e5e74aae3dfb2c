--- The PIGEON_QUEUE setting: which queues exist, and what share of the crash ids each gets.
local list = require "pigeon.settings.comma_list"

local queues = {}

-- A trimmed entry -> its queue, or nil and what is wrong with it.
local function parse_entry(entry)
  local share, name = entry:match("^([^:]*):(.*)$")
  if not share then share, name = "100", entry end
  share, name = list.trim(share), list.trim(name)
  if name == "" then return nil, "names no queue" end
  if share == "" then return nil, "has no throttle before its colon" end
  local throttle = share:find("^[0-9]+$") and math.tointeger(tonumber(share))
  if not throttle or throttle > 100 then
    return nil, ("has the throttle %s, which is not a whole number from 0 to 100"):format(list.quote(share))
  end
  if name:find(":", 1, true) then return nil, "has a second colon; a queue's name cannot have one here" end
  if #name > 255 then return nil, ("has a name of %d bytes, and 255 is the most"):format(#name) end
  if name:find("^amq%.") then return nil, "has a name that begins with amq., which is the broker's own" end
  return { name = name, throttle = throttle }
end

--- "normal,15:submitter" -> {{name="normal", throttle=100}, {name="submitter", throttle=15}}.
-- Returns nil and what is wrong, with the entry's position and the value.
function queues.parse(setting)
  return list.parse("PIGEON_QUEUE", setting, "queue", parse_entry)
end

return queues
