--- The PIGEON_ENV setting: the environment's name, for the rules and the metrics.
local text = require "pigeon.text"

local environment_name = {}

local CHARACTERS = { [" "] = "a space", ["\t"] = "a tab", ["\n"] = "a line break" }

--- "prod" -> "prod"; nil and "" -> nil. Returns nil and what is wrong, with the position and the value.
function environment_name.parse(setting)
  if not setting or setting == "" then return nil end
  local position = setting:find("[^A-Za-z0-9]")
  if not position then return setting end
  local bad = setting:sub(position, position)
  return nil, ('PIGEON_ENV: "%s" has %s at position %d; only letters and digits are allowed'):format(
    text.clean(setting, 100), CHARACTERS[bad] or '"' .. text.clean(bad, 1) .. '"', position)
end

return environment_name
