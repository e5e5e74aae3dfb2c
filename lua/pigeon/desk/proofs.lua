--- `pigeon test --coverage` and `--mutate` around one run of busted: before, while and after it.
local coverage = require "pigeon.desk.coverage"
local mutation = require "pigeon.desk.mutation"
local script_loader = require "pigeon.desk.script_loader"
local specs = require "pigeon.desk.specs"

local proofs = {}

local function by_path(a, b)
  return a.path < b.path
end

-- Where busted writes for a program, its stdout stays its own.
local function stream(options)
  return (options.output or ""):find("Terminal$") and io.stdout or io.stderr
end

local function shows_progress()
  local found, term = pcall(require, "term")
  return found and term.isatty(io.stderr)
end

local function no_script(say, option)
  say("%s: no spec loaded a script; a spec has testing.load(\"rules.lua\")", option)
  return false
end

local function enough(say, option, share, least, what)
  if not least or share >= least then return true end
  say("%s=%s: %s %% %s", option, ("%g"):format(least), ("%g"):format(share), what)
  return false
end

--- The own options, busted's, and functions that write a message and that end the process for misuse ->
-- {on_file, on_exit, to be called in busted's run; finish, after a run that passed}.
function proofs.open(own, options, say, misuse)
  local out = stream(options)
  local load_script = script_loader.open
  local counted = own.coverage and coverage.new()
  local recorder = own.mutate and mutation.recorder(counted and counted.open or load_script)
  local lcov, problem
  if own.lcov then
    lcov, problem = io.open(own.lcov, "w")
    if not lcov then misuse("--lcov: %s", problem) end
  end
  script_loader.open = recorder and recorder.open or counted and counted.open or load_script

  local self, share, complete = {}, nil, true

  function self.on_file(name)
    if recorder then recorder.begin_file(name) end
  end

  local function show(lines)
    if lines[1] then out:write("\n", table.concat(lines, "\n"), "\n") end
    out:flush()
  end

  -- Also after a run that failed.
  function self.on_exit(failed)
    if recorder and failed then say("--mutate: not tried, because tests fail") end
    if not counted then return end
    local lines
    table.sort(counted.scripts, by_path)
    lines, share, complete = coverage.report(counted.scripts)
    show(lines)
    if not lcov then return end
    local written, why = lcov:write(coverage.lcov(counted.scripts))
    local closed, why_not_closed = lcov:close()
    if not written or not closed then problem = why or why_not_closed end
  end

  local function covered()
    if not counted then return true end
    if not counted.scripts[1] then return no_script(say, "--coverage") end
    if problem then
      say("--lcov: %s: %s", own.lcov, problem)
      return false
    end
    return enough(say, "--coverage", share, own.coverage_least, "of the decisions are reached") and complete
  end

  local function progress_of(script)
    if not shows_progress() then return function() end end
    return function(number, count)
      io.stderr:write(("\r%s: mutant %d of %d\27[K"):format(script.path, number, count))
    end
  end

  local function set_open(open)
    script_loader.open = open
  end

  local function failure(files)
    return specs.failure(options, files)
  end

  local function mutated()
    if not recorder then return true end
    if not recorder.scripts[1] then return no_script(say, "--mutate") end
    local results = {}
    table.sort(recorder.scripts, by_path)
    for i, script in ipairs(recorder.scripts) do
      local ok, result = pcall(mutation.try, script, set_open, failure, progress_of(script))
      if shows_progress() then io.stderr:write("\r\27[K") end
      if not ok then
        say("--mutate: %s", result)
        return false
      end
      results[i] = result
    end
    local lines, killed = mutation.report(results)
    show(lines)
    return enough(say, "--mutate", killed, own.mutate_least, "of the mutants are killed")
  end

  --- Tries the mutants. Returns whether all is as it was asked for.
  function self.finish()
    local is_covered = covered()
    return mutated() and is_covered
  end

  return self
end

return proofs
