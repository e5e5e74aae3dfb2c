--- A walk through the objects that a report makes itself (table, diff, check), as host/desk/walk.c does it,
-- but in this process.
local pigeon = require "pigeon"

local made = {}

local MOST = 100

--- A script's text, and its name where it is not rules.lua -> what the host gives to Lua for it.
function made.script(source, name)
  name = name or "rules.lua"
  return { name = name, path = "rules/" .. name, source = source, hash = "0123456789ab" }
end

--- Walks. `stops`, where it is given, has the numbers at which the process is to have been stopped, each
-- {why, by the other script}: they are told first, as after a fork. Returns how many objects were decided.
function made.walk(stops, both)
  for number, stop in pairs(stops or {}) do
    pigeon.receive(stop[1], { kind = stop[2] and "shadow_stopped" or "stopped", line = number })
    pigeon.conclude({}, { confirmed = 0 })
  end
  local first, count = 1, 0
  repeat
    local messages = 0
    first = first + count
    count = #pigeon.receive("", { kind = "objects", line = first, most = MOST })
    for i = 1, count do messages = messages + #(pigeon.decide(i) or {}) end
    if both then
      for i = 1, count do pigeon.decide(i, true) end
      pigeon.rest_shadow()
    end
    assert(pigeon.conclude({}, { confirmed = messages }) == "")
  until count == 0
  return first - 1
end

--- Calls work(...) with a clock of CPU time that has gone on by `seconds` whenever it is read -> what it returns.
function made.with_clock(seconds, work, ...)
  local clock, now = os.clock, 0
  rawset(os, "clock", function()
    now = now + seconds
    return now
  end)
  local results = table.pack(pcall(work, ...))
  rawset(os, "clock", clock)
  assert(results[1], results[2])
  return table.unpack(results, 2, results.n)
end

--- A command, its settings and the script, the other script where there is one -> what it prints, the status.
function made.run(command, settings, script, other, stops)
  local all = { command = command, PIGEON_QUEUE = "normal,15:submitter", width = 80, rules = made.script(script) }
  for name, value in pairs(settings) do all[name] = value end
  assert(pigeon.open(all))
  if other then pigeon.open_shadow(made.script(other, "new.lua")) end
  made.walk(stops, other ~= nil)
  return pigeon.finish()
end

return made
