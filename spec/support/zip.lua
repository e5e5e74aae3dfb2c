--- What the specs of the zip share: the zip of a program, unpacked into an empty folder, and
-- its start with nothing but the variables that Lambda gives and PIGEON_*.
local system = require "spec.support.system"

local quote = system.quote
local zip = {}

--- Whether this system makes zips for Lambda: Debian 12 has to, Debian 13 must not.
zip.here = system.run('. /etc/os-release && echo "$ID $VERSION_ID"') == "debian 12\n"

--- describe or it -> the same where zips are made, else a function that does nothing.
function zip.only(declare)
  return zip.here and declare or function() end
end

--- Packages the program of a build folder with these rules (not as build/pigeon.zip, which may
-- wait to be deployed) and unpacks it. Returns the folder, for zip.remove().
function zip.unpack(build, rules)
  local folder = system.run("mktemp -d"):gsub("\n", "")
  system.run(("SOURCE_DATE_EPOCH=0 BUILD=%s bin/build/package %s %s.zip"):format(build, rules, folder))
  system.run(("unzip -q %s.zip -d %s"):format(folder, folder))
  return folder
end

--- Where none are made: a case that the program of a build folder gets into none, and stays; with
-- more commands that fail, and words that each of them prints.
function zip.refused(it, assert, build, commands)
  if zip.here then return end
  it("no zip is made on this system, and the program is kept", function()
    local made, said = os.tmpname(), os.tmpname()
    local words = { [("BUILD=%s bin/build/package rules/rules.lua %s"):format(build, made)] =
      "made no zip; the zip for Lambda is built on Debian 12" }
    for command, text in pairs(commands or {}) do words[command] = text end
    for command, text in pairs(words) do
      os.remove(made)
      assert.is_nil(os.execute(("env -u MAKEFLAGS -u MAKELEVEL %s >%s 2>&1"):format(command, said)))
      assert.matches(text, system.read(said), 1, true)
    end
    assert.is_nil(io.open(made))
    assert.is_true(os.execute(("test -x %s/bootstrap"):format(build)))
    os.remove(said)
  end)
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
