--- The PIGEON_QUEUE setting: which queues exist, and what share of the crash ids each gets.
local text = require "pigeon.text"

local queues = {}

local function quote(value)
  return '"' .. text.clean(value, 300) .. '"'
end

local function trim(value)
  return (value:gsub("^%s+", ""):gsub("^(.-)%s+$", "%1"))
end

-- A trimmed entry -> its queue, or nil and what is wrong with it.
local function parse_entry(entry)
  local share, name = entry:match("^([^:]*):(.*)$")
  if not share then share, name = "100", entry end
  share, name = trim(share), trim(name)
  if name == "" then return nil, "names no queue" end
  if share == "" then return nil, "has no throttle before its colon" end
  local throttle = share:find("^[0-9]+$") and math.tointeger(tonumber(share))
  if not throttle or throttle > 100 then
    return nil, ("has the throttle %s, which is not a whole number from 0 to 100"):format(quote(share))
  end
  if name:find(":", 1, true) then return nil, "has a second colon; a queue's name cannot have one here" end
  if #name > 255 then return nil, ("has a name of %d bytes, and 255 is the most"):format(#name) end
  if name:find("^amq%.") then return nil, "has a name that begins with amq., which is the broker's own" end
  return { name = name, throttle = throttle }
end

--- "normal,15:submitter" -> {{name="normal", throttle=100}, {name="submitter", throttle=15}}.
-- Returns nil and what is wrong, with the entry's position and the value.
function queues.parse(setting)
  local list, position_of = {}, {}
  for entry in (setting .. ","):gmatch("([^,]*),") do
    local position = #list + 1
    local at = ("PIGEON_QUEUE: entry %d"):format(position)
    entry = trim(entry)
    if entry == "" then return nil, ("%s of %s is empty"):format(at, quote(setting)) end
    local queue, problem = parse_entry(entry)
    if not queue then return nil, ("%s, %s, %s"):format(at, quote(entry), problem) end
    if position_of[queue.name] then
      return nil, ("%s, %s, names the queue of entry %d again"):format(at, quote(entry), position_of[queue.name])
    end
    position_of[queue.name] = position
    list[position] = queue
  end
  return list
end

return queues
