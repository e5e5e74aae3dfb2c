-- Which small changes of a file no spec sees. make mutants runs it:
--
--   make mutants FILE=host/amqp/confirms.c [SAMPLE=60] [SEED=1]
--
-- The file is changed in a copy of this folder, build/mutants/tree, at SAMPLE places that SEED chooses, one
-- at a time (c.lua; for Lua the mutants of `pigeon test --mutate`). Each change is tried by the specs of the
-- file (those of C also with sanitizers, which see a leak), then by 200 seeds of the simulation, then by the
-- whole suites lua and host, until one fails. A change that does not compile is none. One whose step takes 20
-- times as long as without a change, and a minute, is counted apart: it may hang for ever, or the machine was
-- busy. Status 1 where one was seen by nothing, or took too long.
package.path = "lua/?.lua;lua/?/init.lua;./?.lua;" .. package.path
local step = require "spec.mutants.step"

local TREE <const> = "build/mutants/tree"
local LOG <const> = "build/mutants/log"
local SEEDS <const> = 200 -- of the simulation
local PATIENCE <const> = 900 -- seconds for a step without a change

local file, sample, seed = arg[1] or "", math.tointeger(tonumber(arg[2])), math.tointeger(tonumber(arg[3]))
if not (file:find "^host/.*%.c$" or file:find "^lua/.*%.lua$") or not io.open(file) or not sample or sample < 1
  or not seed then
  io.stderr:write(("mutants: FILE=%s SAMPLE=%s SEED=%s; FILE is a .c file of host/ or a .lua file of lua/, SAMPLE a " ..
    "number from 1, SEED a number\n"):format(file, arg[2], arg[3]))
  os.exit(2)
end

local function read(path)
  local input <close> = assert(io.open(path, "rb"))
  return input:read "a"
end

local function write(path, text)
  local output <close> = assert(io.open(path, "wb"))
  output:write(text)
end

-- How a command of the shell ends in the copy. What it says is in the log.
local function run(command, patience)
  local ended = step.run(command, TREE, "../log", patience or PATIENCE)
  if ended == "interrupted" then os.exit(130) end
  return ended
end

local function lines_of(command)
  local pipe <close> = io.popen(command)
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines
end

-- spec/host/amqp/confirms*_spec.c of host/amqp/confirms.c
local function own_specs()
  local stem = file:gsub("%.%w+$", ""):gsub("^lua/pigeon/", "lua/"):gsub("/init$", "")
  return lines_of(("ls spec/%s_spec.* spec/%s_*_spec.* 2>/dev/null"):format(stem, stem))
end

-- What tries a change, the quickest first: {name, command}.
local function steps()
  local list, sanitized = {}, {}
  local is_c = file:find "%.c$"
  for _, spec in ipairs(own_specs()) do
    local program = "build/" .. spec:gsub("%.c$", "")
    list[#list + 1] = is_c and { spec, ("make %s && %s"):format(program, program) } or { spec, "busted " .. spec }
    sanitized[#sanitized + 1] = program:gsub("^build/", "build/asan/")
  end
  if not is_c then
    list[#list + 1] = { "bin/test lua", "bin/test lua rules" }
  elseif sanitized[1] then
    list[#list + 1] = { "them with sanitizers", ("make %s %s && export %s && %s"):format(
      "BUILD=build/asan SANITIZE=address,undefined", table.concat(sanitized, " "),
      "ASAN_OPTIONS=allocator_may_return_null=1 LSAN_OPTIONS=suppressions=$PWD/spec/support/leaks.txt",
      table.concat(sanitized, " && ")) }
  end
  list[#list + 1] = { SEEDS .. " seeds of the simulation",
    ("make build/simulation && build/simulation --seeds %d --stop-after 1"):format(SEEDS) }
  list[#list + 1] = { "bin/test host", "make specs && bin/test host" }
  return list
end

-- Whether all steps end well without a change. Each gets its patience for those with one.
local function try_unchanged(steps_of_it)
  for _, each in ipairs(steps_of_it) do
    local began = os.time()
    if run(each[2]) ~= "well" then return false end
    each.patience = 60 + 20 * (os.time() - began)
  end
  return true
end

local function compiles()
  return run(file:find "%.c$" and ("make build/%s"):format(file:gsub("%.c$", ".o")) or "luac5.4 -p " .. file) == "well"
end

local function mutants_of(text)
  if file:find "%.c$" then return require("spec.mutants.c").of(text) end
  return assert(require("pigeon.source.mutants").of(text, file))
end

-- A copy of what is here, with what is built. What is there of an earlier run is brought up to date.
local function copy()
  assert(os.execute("mkdir -p " .. TREE))
  assert(os.execute(([[tar -cf - --exclude=./.git --exclude=./build/mutants --exclude=./build/asan \
    --exclude=./build/coverage --exclude=./build/brokers --exclude=./build/arm64 --exclude=./build/test \
    --exclude=./build/rabbitmq --exclude=./build/fuzz --exclude=./build/debian13 . | tar -C %s -xf -]]):format(TREE)))
end

local text = read(file)
local mutants = mutants_of(text)
math.randomseed(seed)
for i = #mutants, 2, -1 do
  local other = math.random(i)
  mutants[i], mutants[other] = mutants[other], mutants[i]
end

copy()
write(LOG, "")
local all_steps = steps()
assert(run "make build specs build/simulation" == "well" and try_unchanged(all_steps),
  "the specs fail without a change; what they said is in " .. LOG)

local tried, lived, hung = 0, 0, 0
for _, mutant in ipairs(mutants) do
  if tried == sample then break end
  write(TREE .. "/" .. file, mutant.text)
  if compiles() then
    tried = tried + 1
    local verdict = step.verdict(all_steps, run)
    print(("%3d  %s:%d  %s"):format(tried, file, mutant.line, verdict))
    if not verdict:find "^seen" then
      print(("     - %s\n     + %s"):format(mutant.before:gsub("^%s+", ""), (mutant.after:gsub("^%s+", ""))))
    end
    lived = lived + (verdict == "NOT SEEN" and 1 or 0)
    hung = hung + (verdict:find "^TOO LONG" and 1 or 0)
    io.stdout:flush()
  end
end
write(TREE .. "/" .. file, text)
print(("%s: of %d changes %d seen, %d not seen, %d took too long; there are %d")
  :format(file, tried, tried - lived - hung, lived, hung, #mutants))
os.exit(lived + hung == 0 and tried > 0)
