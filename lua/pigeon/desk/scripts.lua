--- How a report names the scripts that it is about.
local text = require "pigeon.text"

local scripts = {}

local LONGEST = 1024

--- Two scripts -> what to call each of them: the name, or the path where both have one name.
function scripts.names(old, new)
  local member = old.name == new.name and "path" or "name"
  return text.clean(old[member] or old.name, LONGEST), text.clean(new[member] or new.name, LONGEST)
end

--- Two scripts -> {"old: rules.lua (0123456789ab)", "new: new.lua (0123456789ab)"}, for people. Where both
-- are one, byte for byte, the second line says so: perhaps a change was not saved.
function scripts.lines(old, new)
  local old_name, new_name = scripts.names(old, new)
  return {
    ("old: %s (%s)"):format(old_name, old.hash),
    ("new: %s (%s)%s"):format(new_name, new.hash, old.source == new.source and ": the same script as old" or ""),
  }
end

--- The same for a program.
function scripts.plain(name, script)
  return { name = name, hash = script.hash }
end

--- The same for a page, with its text.
function scripts.page(name, script)
  return { name = name, hash = script.hash, source = script.source }
end

return scripts
