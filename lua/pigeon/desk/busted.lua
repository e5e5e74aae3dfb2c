--- `pigeon test` runs this file in Lua 5.4 (host/desk/busted.c), with the file of the embedded modules
-- and then the user's arguments. It starts busted, where require() finds these modules, and looks
-- that tests ran and that their output was written; then come coverage and mutants, where they are asked
-- for. `make test-rules` runs it too, with "" for the file: the modules are then on LUA_PATH. Not a module.

-- "NAME LENGTH\n" and the bytes, for each module.
local function preload(path)
  if path == "" then return end
  local file <close> = assert(io.open(path, "rb"))
  for header in file:lines() do
    local name, length = header:match("^(%S+) (%d+)$")
    local bytes = file:read(tonumber(length))
    package.preload[name] = function(...) return assert(load(bytes, name, "b"))(...) end
  end
end

local function say(message, ...)
  io.stderr:write("pigeon test: ", message:format(...), "\n")
end

local function misuse(message, ...)
  say(message, ...)
  io.stderr:write("\n", require("pigeon.desk.test").usage)
  os.exit(2)
end

local function require_busted()
  local found, run = pcall(require, "busted.runner")
  if found then return run end
  say("busted for Lua 5.4 is missing: apt-get install lua-busted lua-cjson")
  os.exit(1)
end

-- ------------------------------------------------------------------------ arguments

-- True, or false and why not.
local function exists(path)
  local file <close>, problem = io.open(path)
  return file ~= nil, problem
end

local function is_folder(path)
  local file <close> = io.open(path)
  return file and select(3, file:read(1)) == 21 -- EISDIR
end

-- Busted's own reading of its arguments and of .busted.
local function parse()
  local options, problem = require("busted.modules.cli")({ standalone = false }):parse(arg)
  if options then return options end
  misuse("%s", problem:gsub("^: error: ", ""):gsub("; re%-run with %-%-help for usage%.$", ""))
end

-- A path as busted finds it, which may change its folder first.
local function place_of(path, options)
  if path:sub(1, 1) == "/" or options.directory == "./" then return path end
  return (options.directory:gsub("/$", "") .. "/" .. path)
end

local function names_spec()
  for _, word in ipairs(arg) do
    if word == "spec" then return true end
  end
  return false
end

-- Where neither the arguments nor .busted name a spec, and spec/, which busted takes then, is not
-- there, it is this folder.
local function read_options()
  table.insert(arg, 1, "--ignore-lua") -- a .busted may name another Lua
  local options = parse()
  if exists(place_of("spec", options)) or exists(place_of(".busted", options)) or options.f or names_spec() then
    return options
  end
  if #options.ROOT == 1 and options.ROOT[1] == "spec" then table.insert(arg, ".") end
  return parse()
end

local function check_specs(options)
  for _, word in ipairs(options.ROOT) do
    local path = place_of(word, options)
    local there, problem = exists(path)
    if not there then misuse("%s", problem) end
    if not path:find("%.lua$") and not is_folder(path) then
      misuse("%s is not a spec; name a file that ends in .lua, or a folder", path)
    end
  end
end

-- ------------------------------------------------------------------------ what became of it

local unwritten -- why not all of the output was written

-- busted does not look whether its output arrives.
-- luacheck: globals io print os
local function watch_output()
  local methods = getmetatable(io.stdout).__index
  local function watched(method)
    return function(file, ...)
      local result, problem, code = method(file, ...)
      if not result and file == io.stdout then unwritten = unwritten or problem:gsub("^.*: ", "") end
      return result, problem, code
    end
  end
  methods.write, methods.flush = watched(methods.write), watched(methods.flush)
  function io.write(...) return io.output():write(...) end
  function io.flush() return io.output():flush() end
  function print(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    io.stdout:write(table.concat(words, "\t"), "\n")
  end
end

-- A spec that ends the process with success would leave out all tests after it, and their failures: until busted
-- is done that raises, at the spec's line.
local function watch_exit(counted)
  local exit = os.exit
  function os.exit(code, ...)
    if counted.done or math.type(code) == "integer" and code & 255 ~= 0 or code == false then exit(code, ...) end
    error("a spec called os.exit, which would end the run before all tests are done", 2)
  end
end

-- Counts the tests of the run that follows, and calls on_file(name) and on_exit(failed). Returns a table
-- with `ran`, `files` = how many began, `empty`, the files without a test, and `done` = all have ended. Where none
-- began, busted ends the process itself.
local function count_tests(on_file, on_exit)
  local core = require "busted.core"
  local counted, in_file, failed = { ran = 0, files = 0, empty = {} }, 0, false
  package.loaded["busted.core"] = function(...)
    local busted = core(...)
    package.loaded["busted.core"] = core -- the runs for mutants are not counted
    local function subscribe(channel, call)
      busted.subscribe(channel, function(...)
        call(...)
        return nil, true -- so that busted's own subscribers come after it
      end)
    end
    subscribe({ "file", "start" }, function(file)
      in_file, counted.files = 0, counted.files + 1
      on_file(file.name)
    end)
    subscribe({ "test", "end" }, function(_, _, status)
      in_file = in_file + 1
      if status ~= "pending" then counted.ran = counted.ran + 1 end
    end)
    subscribe({ "file", "end" }, function(file)
      if in_file == 0 then table.insert(counted.empty, file.name) end
    end)
    for _, channel in ipairs { "failure", "error" } do
      subscribe({ channel }, function() failed = true end)
    end
    subscribe({ "exit" }, function()
      counted.done = true
      if failed and counted.files == 0 then
        say("no spec was read; pigeon test --init . writes the first one of ./rules.lua")
      end
      on_exit(failed)
    end)
    return busted
  end
  return counted
end

-- Options that leave out tests on purpose.
local function filters(options)
  return #options.filter + #options["filter-out"] + #options.tags + #options["exclude-tags"] > 0
end

local function check_tests(counted, options)
  if counted.ran == 0 then
    say(filters(options) and "no test ran; busted's filters (--filter, --tags and the like) leave out each of them"
      or "no test ran; a spec has it(\"...\", function() ... end), and its file ends in _spec.lua")
    os.exit(1)
  end
  if #counted.empty == 0 or filters(options) then return end
  for _, name in ipairs(counted.empty) do say("%s has no test", name) end
  os.exit(1)
end

-- `--init DIR` runs no spec: it makes the first one.
local function make_first_spec()
  if #arg ~= 2 then misuse("--init takes one folder") end
  local said, problem = require("pigeon.desk.first").write(arg[2], os.getenv("PIGEON_QUEUE") or "normal")
  if not said then
    say("%s", problem)
    os.exit(1)
  end
  io.stdout:write(said)
  os.exit(0, true)
end

preload(table.remove(arg, 1))
local own, own_problem = require("pigeon.desk.test_options").take(arg)
if not own then misuse("%s", own_problem) end
local run = require_busted()
if arg[1] == "--init" then make_first_spec() end
local options = read_options()
if not options.version then check_specs(options) end
if options.version or options.list then own = {} end -- no test runs
local proofs = require("pigeon.desk.proofs").open(own, options, say, misuse)
local counted = count_tests(proofs.on_file, proofs.on_exit)
watch_output()
if not options.version then watch_exit(counted) end
run({ standalone = false }) -- ends the process where a test failed
io.stdout:flush()
if not options.list then check_tests(counted, options) end
local proved = proofs.finish()
io.stdout:flush()
if unwritten then
  say("the output could not be written completely: %s", unwritten)
  os.exit(1)
end
if not proved then os.exit(1) end
