--- `pigeon package`: another rules script into a zip for Lambda, without a compiler. The program comes
-- from an older zip, byte for byte; unzip and zip do the work, with the same words as
-- bin/build/package, so that the same script gives the same bytes.
local shell = require "pigeon.shell"
local text = require "pigeon.text"

local package = {}

package.usage = [[
Usage: pigeon package RULES [--from OLD.zip] -o NEW.zip [--shadow FILE]
                      [--queues LIST]
Makes a zip for Lambda with another rules script; nothing is compiled. The scripts
are checked first, by the program that goes into the zip: with an error there is
no zip. It needs the programs zip and unzip.
  RULES          the script that becomes rules.lua in the zip
  --from OLD.zip takes the program from there, and every other file that is not a
                 Lua script; not needed where this program lies in a folder that
                 such a zip was unpacked into, and has no files of yours
  -o NEW.zip     the zip to make; it must not exist yet
  --shadow FILE  a second script beside it, under its own name, for
                 PIGEON_SHADOW_RULES
  --queues LIST  the function's PIGEON_QUEUE, such as normal,15:submitter; else
                 the variable PIGEON_QUEUE, where it is set. The check is strict
                 then, and warnings are errors, too. Without either, no queue that
                 a script names is checked
The same program and scripts give the same bytes, those of `make package`.
]]

-- What each zip begins with, in this order.
local PROGRAM, RULES = "bootstrap", "rules.lua"
local PAPERS = { "LICENSES", "sbom.cdx.json" } -- what is in the program
local MACHINES = { [0x3E] = "x86_64", [0xB7] = "arm64" } -- e_machine of ELF

-- Expected failures are raised with these words alone, and caught once, so that what was begun is
-- removed in one place.
local function fail(message, ...)
  error({ problem = message:format(...) })
end

local LONGEST = 80 -- bytes of what another program prints
local SIGNALS = { [129] = true, [130] = true, [143] = true } -- of a program that SIGHUP, ^C or SIGTERM ended

-- shell.run(), where a signal is a failure: it was meant for this command (host/desk/desk.c).
local function call(command, ...)
  local said, status = shell.run(command, ...)
  if SIGNALS[status] then fail("stopped by a signal; made no zip") end
  return said, status
end

local function must(message, command, ...)
  local said, status = call(command, ...)
  if status ~= 0 then fail("%s: %s", message, said ~= "" and said or "status " .. status) end
  return said
end

local function is(test, path)
  return select(2, call("[ -" .. test .. " %s ]", path)) == 0
end

-- ------------------------------------------------------------------------ arguments

local NAMES = { ["--from"] = "from", ["-o"] = "to", ["--shadow"] = "shadow", ["--queues"] = "queues" }

-- The arguments -> {rules, from, to, shadow, queues}, or nil and what is wrong.
local function read_options(arguments)
  local options, i = {}, 1
  while arguments[i] do
    local name = NAMES[arguments[i]]
    if name then
      i = i + 1
      if not arguments[i] or arguments[i] == "" then return nil, arguments[i - 1] .. " has no value" end
      options[name] = arguments[i]
    elseif arguments[i]:find("^%-") then
      return nil, "unknown option: " .. arguments[i]
    elseif options.rules then
      return nil, "one script too many: " .. arguments[i]
    else
      options.rules = arguments[i]
    end
    i = i + 1
  end
  if not options.rules then return nil, "RULES is missing, the script" end
  if not options.to then return nil, "-o NEW.zip is missing" end
  return options
end

local function check_script(what, path)
  if is("d", path) then fail("%s is %s, a folder; name the script in it", what, path) end
  if not is("r", path) then
    fail("%s is %s; there is no such file that can be read. The one in a zip: unzip OLD.zip rules.lua", what, path)
  end
end

local function check_files(options)
  check_script("RULES", options.rules)
  if options.shadow then
    check_script("--shadow", options.shadow)
    local name = options.shadow:match("[^/]*$")
    if name == RULES or name == PROGRAM or name == PAPERS[1] or name == PAPERS[2] then
      fail("--shadow is %s; in the zip it needs another name than %s", options.shadow, name)
    end
    options.shadow_name = name
  end
  if is("e", options.to) then fail("%s exists; remove it, or name another zip", options.to) end
  if options.from and not is("f", options.from) then
    fail("--from is %s; there is no such file: it is the zip that was deployed, from AWS or the last make package",
      options.from)
  end
  for _, name in ipairs { "zip", "unzip" } do
    if select(2, shell.run("command -v " .. name)) ~= 0 then
      fail("the program %s is not installed; apt-get install %s (Amazon Linux: dnf install %s)", name, name, name)
    end
  end
end

-- ------------------------------------------------------------------------ the program

-- The zip's files into the folder -> the names of those that stay beside the scripts, and of the scripts
-- that do not.
local function unpack(zip, folder)
  local names, status = call("unzip -Z1 %s", zip)
  if status ~= 0 then fail("%s is not a zip, or it is damaged; take the zip that was deployed", zip) end
  if not ("\n" .. names .. "\n"):find("\n" .. PROGRAM .. "\n", 1, true) then
    fail("%s has no file %s: it is not a zip that make package or pigeon package made", zip, PROGRAM)
  end
  must(zip, "unzip -q %s -d %s", zip, folder)
  local others, former = {}, {}
  for name in names:gmatch("[^\n]+") do
    if name:find("^[^/]+%.lua$") then
      if name ~= RULES then former[#former + 1] = name end
    elseif name ~= PROGRAM and not name:find("/$") then
      others[#others + 1] = name
    end
  end
  return others, former
end

-- The program that runs, where it lies beside a rules script and the papers, into the folder, with these ->
-- their names.
local function take_own_program(folder)
  local own = must("this program's path", "readlink /proc/$PPID/exe")
  local beside = own:match("^(.*/)")
  for _, name in ipairs { RULES, table.unpack(PAPERS) } do
    if not is("f", beside .. name) then
      fail("--from OLD.zip is missing, and there is no %s beside %s, as in a folder that a zip was unpacked into", name,
        own)
    end
  end
  must(own, "cp %s %s", own, folder .. "/" .. PROGRAM)
  for _, name in ipairs(PAPERS) do must(name, "cp %s %s", beside .. name, folder .. "/" .. name) end
  return table.move(PAPERS, 1, #PAPERS, 1, {})
end

-- What the program is for, from its header.
local function machine_of(path)
  local file <close> = assert(io.open(path, "rb"))
  local header = file:read(20) or ""
  if header:sub(1, 4) ~= "\127ELF" or #header < 20 then return "something that is not Linux" end
  return MACHINES[string.unpack("<I2", header, 19)] or "another processor"
end

-- The program has to be Pigeon and to run here, since it is the one that checks the scripts -> its name and version.
local function try(program, source)
  local said, status = call("%s --version", program)
  if status == 0 then
    local version = said:match("^pigeon %d[^\n]*")
    if version then return version end
    fail('the program of %s is not Pigeon, so it cannot check the rules: its --version is "%s"; take the zip that was '
      .. "deployed", source, text.clean(said:match("^[^\n]*"), LONGEST))
  end
  fail("the program of %s is for %s and does not run on this machine (%s), so it cannot check the rules; "
    .. "make the zip on a machine that runs it: %s", source, machine_of(program), (shell.run("uname -m")),
    said:match("[^\n]*$"))
end

local CLEAN = 'env -i PATH="$PATH" ${SOURCE_DATE_EPOCH:+SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH"} '

-- Checks a script without the variables of this machine: only the queues are the function's. Returns these
-- warnings and notes, and behind them those that are new.
local function check(program, path, queues, warnings)
  local said, status
  if queues then
    said, status = call(CLEAN .. 'PIGEON_QUEUE=%s %s check --strict --rules %s', queues, program, path)
  else
    said, status = call(CLEAN .. '%s check --rules %s', program, path)
  end
  if status ~= 0 then
    local known = queues and (" (the queues are %s)"):format(queues) or ""
    fail("made no zip; fix %s first%s\n    %s", path, known, (said:gsub("\n", "\n    ")))
  end
  for line in said:gmatch("[^\n]+") do
    local is_one = line:find(": warning: ", 1, true) or line:find(": note: ", 1, true)
    if is_one and not warnings:find(line, 1, true) then
      warnings = warnings .. "    " .. line .. "\n"
    end
  end
  return warnings
end

-- ------------------------------------------------------------------------ the zip

local function make(options, folder)
  local inside = folder .. "/new"
  must("mkdir", "mkdir %s", inside)
  local others, former
  if options.from then others, former = unpack(options.from, inside) else others = take_own_program(inside) end
  must("chmod", "chmod 755 %s", inside .. "/" .. PROGRAM)
  local source = options.from or "this folder"
  local version = try(inside .. "/" .. PROGRAM, source)
  local warnings = check(inside .. "/" .. PROGRAM, options.rules, options.queues, "")
  if options.shadow then warnings = check(inside .. "/" .. PROGRAM, options.shadow, options.queues, warnings) end
  for _, name in ipairs(former or {}) do must("rm", "rm -f %s", inside .. "/" .. name) end

  local names = { PROGRAM, RULES, options.shadow_name }
  must("cp", "cp %s %s", options.rules, inside .. "/" .. RULES)
  if options.shadow then must("cp", "cp %s %s", options.shadow, inside .. "/" .. options.shadow_name) end
  for i = 2, #names do must("chmod", "chmod 644 %s", inside .. "/" .. names[i]) end
  table.move(others, 1, #others, #names + 1, names)
  local words = {}
  for i, name in ipairs(names) do words[i] = shell.quote("./" .. name) end
  local list = table.concat(words, " "):gsub("%%", "%%%%")
  must("zip", 'cd %s && export TZ=UTC && touch -d "1980-01-01 00:00" ' .. list
    .. " && env -u ZIP -u ZIPOPT zip -q -X ../made.zip " .. list, inside)
  must("the new zip", "unzip -tqq %s", folder .. "/made.zip")
  if is("e", options.to) then fail("%s exists meanwhile", options.to) end
  must(options.to, "mv %s %s", folder .. "/made.zip", options.to)
  return { version = version, warnings = warnings, former = former or {} }
end

local UNKNOWN_QUEUES = "    queues that the script names were not checked: PIGEON_QUEUE is not set; "
  .. "--queues normal,15:submitter (QUEUES=) names the function's\n"

local function summary(options, made)
  local lines = { options.queues and "" or UNKNOWN_QUEUES, made.warnings }
  lines[#lines + 1] = ("%s: %s bytes, the program of %s (%s), rules.lua is %s%s\n"):format(options.to,
    (shell.run("stat -c %%s %s", options.to)), options.from or "this folder", made.version, options.rules,
    options.shadow and ", in shadow " .. options.shadow_name or "")
  for _, name in ipairs(made.former) do
    if name ~= options.shadow_name then
      lines[#lines + 1] = ("without %s, which was in %s\n"):format(name, options.from)
    end
  end
  return table.concat(lines)
end

-- Everything is made in a folder beside the new zip, and removed with it.
local function run(options)
  check_files(options)
  local folder = must(options.to, 'mktemp -d "$(dirname %s)/.pigeon-package.XXXXXX"', options.to)
  local ok, result = pcall(make, options, folder)
  shell.run("rm -rf %s", folder)
  if not ok then error(result, 0) end
  return summary(options, result)
end

-- ------------------------------------------------------------------------ public

--- {arguments, PIGEON_QUEUE, assumed_queue = it is not set} -> the report: finish() does it all. Returns the text,
-- the exit status, and what is wrong.
function package.open(settings)
  return {
    finish = function()
      local options, misuse = read_options(settings.arguments)
      if not options then return "pigeon package: " .. misuse .. "\n\n" .. package.usage, 2 end
      options.queues = options.queues or not settings.assumed_queue and settings.PIGEON_QUEUE or nil
      local ok, result = pcall(run, options)
      if ok then return result, 0 end
      if type(result) ~= "table" then error(result, 0) end
      return "", 1, result.problem
    end,
  }
end

return package
