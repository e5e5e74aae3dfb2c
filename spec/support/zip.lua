--- What the specs of the zip share: the zip of a program, unpacked into an empty folder, and
-- its start with nothing but the variables that Lambda gives and PIGEON_*.
local system = require "spec.support.system"

local quote = system.quote
local zip = {}

--- Packages the program of a build folder with these rules (not as build/pigeon.zip, which may
-- wait to be deployed) and unpacks it. Returns the folder, for zip.remove().
function zip.unpack(build, rules)
  local folder = system.run("mktemp -d"):gsub("\n", "")
  system.run(("SOURCE_DATE_EPOCH=0 BUILD=%s bin/build/package %s %s.zip"):format(build, rules, folder))
  system.run(("unzip -q %s.zip -d %s"):format(folder, folder))
  return folder
end

--- How many bytes the zip of that folder has.
function zip.size(folder)
  return tonumber(system.run(("stat -c %%s %s.zip"):format(folder)))
end

function zip.remove(folder)
  os.execute(("rm -rf %s %s.zip"):format(quote(folder), quote(folder)))
end

--- Hands events to what was unpacked there, which starts somewhere else. `runs` are words
-- before the program, an emulator's.
function zip.invoke(folder, env, events, runs)
  env.LAMBDA_TASK_ROOT, env._HANDLER = folder, "rules.lua"
  local command = { "env", "-C", "/", "-u", "PATH", "-u", "HOME" }
  for _, word in ipairs(runs or {}) do command[#command + 1] = word end
  command[#command + 1] = folder .. "/bootstrap"
  return system.invoke({ env = env, command = command, events = events })
end

return zip
