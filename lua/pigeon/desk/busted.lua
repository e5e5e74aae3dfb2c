--- `pigeon test` runs this file in Lua 5.4 (host/desk/busted.c), with the file of the embedded modules
-- and then SPEC... as arguments. It starts busted, where require() finds these modules. Not a module.

-- "NAME LENGTH\n" and the bytes, for each module.
local function preload(path)
  local file <close> = assert(io.open(path, "rb"))
  for header in file:lines() do
    local name, length = header:match("^(%S+) (%d+)$")
    local bytes = file:read(tonumber(length))
    package.preload[name] = function(...) return assert(load(bytes, name, "b"))(...) end
  end
end

-- True, or false and why not.
local function exists(path)
  local file <close>, problem = io.open(path)
  return file ~= nil, problem
end

local function check_specs()
  for _, path in ipairs(arg) do
    local there, problem = exists(path)
    if not there then
      io.stderr:write("pigeon test: ", problem, "\n\n", require("pigeon.desk.test").usage)
      os.exit(2)
    end
  end
end

preload(table.remove(arg, 1))
check_specs()
-- busted reads .busted and spec by itself; without both, it gets this folder
if #arg == 0 and not exists(".busted") and not exists("spec") then table.insert(arg, 1, ".") end
table.insert(arg, 1, "--ignore-lua") -- a .busted may name another Lua
local found, run = pcall(require, "busted.runner")
if not found then
  io.stderr:write("pigeon test: busted for Lua 5.4 is missing: apt-get install lua-busted lua-cjson\n")
  os.exit(1)
end
run({ standalone = false })
