--- The PIGEON_METRICS setting: which kinds of metric lines are written.
local comma_list = require "pigeon.settings.comma_list"

local metric_kinds = {}

local function parse_entry(name)
  if name == "emf" or name == "monitoring" or name == "off" then return { name = name } end
  return nil, "is not emf, monitoring or off"
end

--- "emf,monitoring" -> {emf=true, monitoring=true}; nil and "" mean emf, and "off" none. Returns
-- nil and what is wrong, with the entry's position and the value.
function metric_kinds.parse(setting)
  if not setting or setting == "" then return { emf = true } end
  local entries, problem = comma_list.parse("PIGEON_METRICS", setting, "kind", parse_entry)
  if not entries then return nil, problem end
  local kinds = {}
  for position, entry in ipairs(entries) do
    if entry.name == "off" and #entries > 1 then
      return nil, ('PIGEON_METRICS: entry %d, "off", must be the only entry of %s'):format(
        position, comma_list.quote(setting))
    end
    kinds[entry.name] = true
  end
  kinds.off = nil
  return kinds
end

return metric_kinds
