--- A step of `make mutants`: a command of the shell that tries a change.

local step = {}

local TIMED_OUT <const> = { [124] = true, [137] = true } -- timeout(1): by TERM, by KILL
local INTERRUPTED <const> = 130

-- timeout(1) is in a process group of its own, so that it ends all that the command started. A signal of the
-- terminal does not come there, and Lua ignores ^C while it waits: the shell between them hands it on.
local COMMAND <const> = [[cd %s || exit 1
env --default-signal=INT,QUIT timeout -k 10 %d sh -c %s >>%s 2>&1 </dev/null &
trap 'kill $!; wait 2>/dev/null; exit %d' HUP INT TERM
wait $!]]

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- Runs a command in a folder, for some seconds at most; what it says is appended to the file `log` (seen from
--- there). How it ended: "well", "badly", "too long", or "interrupted".
function step.run(command, folder, log, seconds)
  local well, how, status = os.execute(COMMAND:format(folder, seconds, quoted(command), log, INTERRUPTED))
  if well then return "well" end
  if how == "signal" or status == INTERRUPTED then return "interrupted" end
  return TIMED_OUT[status] and "too long" or "badly"
end

--- Takes a list of steps, {name, command, patience = seconds}, and a function that runs a command so long. The
--- words for the change:
--- "seen by NAME", "TOO LONG: NAME" (which proves nothing), "NOT SEEN", or "interrupted".
function step.verdict(steps, run)
  for _, each in ipairs(steps) do
    local ended = run(each[2], each.patience)
    if ended == "interrupted" then return ended end
    if ended == "too long" then return "TOO LONG: " .. each[1] end
    if ended == "badly" then return "seen by " .. each[1] end
  end
  return "NOT SEEN"
end

return step
