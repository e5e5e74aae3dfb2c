--- Whether the simulation finds small wrong changes of host/: builds each, and runs up to 500 seeds.
--
--   make simulation-power               all of changes.lua; CHANGES="3 7": those numbers alone
--
-- A line for each: the seed that found it, "survives" with its reason, or "NOT FOUND". Status 1
-- when one of those without a reason was not found.
local changes = dofile("spec/simulation/power/changes.lua")

local FOLDER = "build/power"
local SEEDS = 500

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function run(command, ...)
  local line = command:format(...)
  return assert(os.execute(line), "failed: " .. line)
end

-- The file with the change in it. The text has to be there once.
local function changed(text, change)
  local first, last = text:find(change[3], 1, true)
  assert(first, change[1] .. ": the text is not in " .. change[2])
  assert(not text:find(change[3], last + 1, true), change[1] .. ": the text is twice in " .. change[2])
  return text:sub(1, first - 1) .. change[4] .. text:sub(last + 1)
end

-- The number of seeds it took and the words of what was wrong, or nil.
local function find(change)
  write(FOLDER .. "/changed.c", changed(read(change[2]), change))
  run("%s %s/changed.c -o %s/changed.o", os.getenv("COMPILE"), FOLDER, FOLDER)
  run("%s -o %s/simulation", os.getenv("LINK"):gsub("CHANGED", FOLDER .. "/changed.o"), FOLDER)
  local pipe = io.popen(("%s/simulation --seeds %d --stop-after 1"):format(FOLDER, SEEDS))
  local said = pipe:read("a")
  pipe:close()
  return said:match("# seed (%d+) ([^\n]*)")
end

local numbers = #arg > 0 and arg or {}
if #arg == 0 then
  for i = 1, #changes do numbers[i] = i end
end
run("mkdir -p %s", FOLDER)
local found, bad = 0, 0
for _, number in ipairs(numbers) do
  local change = assert(changes[tonumber(number)], "no such change: " .. number)
  local seed, words = find(change)
  if seed then
    found = found + 1
    print(("%2d found by seed %3s  %s: %s"):format(number, seed, change[1], words:sub(1, 100)))
  elseif change.survives then
    print(("%2d survives           %s: %s"):format(number, change[1], change.survives))
  else
    bad = bad + 1
    print(("%2d NOT FOUND          %s"):format(number, change[1]))
  end
  io.stdout:flush()
end
print(("%d of %d found, %d not found without a reason"):format(found, #numbers, bad))
os.exit(bad == 0)
