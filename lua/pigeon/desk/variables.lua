--- Finds misspelt variables: what begins with PIGEON_ and is none that Pigeon reads.
local spelling = require "pigeon.source.spelling"

local variables = {}

local PREFIX = "^PIGEON_"

-- The known name that has the other's last part in it, or the reverse: PIGEON_USERNAME, PIGEON_PASS.
local function with_part(name, known)
  local part, best = (name:gsub(PREFIX, "")), nil
  for _, candidate in ipairs(known) do
    local other = (candidate:gsub(PREFIX, ""))
    local shorter, longer = part, other
    if #shorter > #longer then shorter, longer = longer, shorter end
    if #shorter >= 3 and longer:find(shorter, 1, true) and (not best or #candidate > #best) then best = candidate end
  end
  return best
end

--- The names of Pigeon's variables, and of those that are set, each followed by a space -> a list of
-- {what, fix, level}.
function variables.misspelt(known_text, set_text)
  local known, is_known, short, list = {}, {}, {}, {}
  for name in known_text:gmatch("%S+") do
    known[#known + 1], is_known[name] = name, true
    short[#short + 1] = (name:gsub(PREFIX, ""))
  end
  for name in set_text:gmatch("%S+") do
    if not is_known[name] then
      local near = spelling.near((name:gsub(PREFIX, "")), short)
      near = near and "PIGEON_" .. near or with_part(name, known)
      list[#list + 1] = {
        what = name .. " is set, but Pigeon has no such variable", level = near and "error" or "warning",
        fix = near and ("did you mean %s?"):format(near) or "unset it; deploy/CONFIGURATION.md has the variables",
      }
    end
  end
  return list
end

return variables
