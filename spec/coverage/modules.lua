-- Counts what the specs reach in lua/pigeon. bin/coverage has every Lua of the specs run this file first
-- (LUA_INIT_5_4): a module is then loaded with a call at each of its decisions (source/decisions.lua). When
-- the process ends the counts are written to a file in the folder COVERAGE, as gcovr reads them: a
-- statement is a line, and the two ways of a condition are its branches. Run with files as arguments it
-- writes them with nothing reached. A program that a spec runs in another folder is not counted.
local FOLDER <const> = os.getenv "COVERAGE"
if not FOLDER or not package.searchpath("pigeon.source.decisions", "lua/?.lua") then return end

package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
local decisions = require "pigeon.source.decisions"
-- The specs load these modules again, to be counted.
for name in pairs(package.loaded) do
  if name:find "^pigeon" then package.loaded[name] = nil end
end

local counted = {} -- {path, items}

local function counter(items)
  return function(number, value)
    local item = items[number]
    if item.kind == "condition" and not value then item.no = item.no + 1 else item.yes = item.yes + 1 end
    return value
  end
end

-- A file -> its text with the calls, and their environment; nil where it does not parse.
local function count(path)
  local file <close> = assert(io.open(path, "rb"))
  local made = decisions.of(file:read "a", path)
  if not made then return nil end
  for _, item in ipairs(made.items) do item.yes, item.no = 0, 0 end
  counted[#counted + 1] = { path = path:gsub("^%./", ""), items = made.items }
  return made.text, setmetatable({ [made.name] = counter(made.items) }, { __index = _G, __newindex = _G })
end

-- Before Lua's own, which loads what cannot be counted.
table.insert(package.searchers, 2, function(name)
  local path = name:find "^pigeon" and package.searchpath(name, package.path)
  if not path then return nil end
  local text, environment = count(path)
  return text and assert(load(text, "@" .. path, "t", environment)), path
end)

-- {"line_number":1,"count":2,"branches":[{"count":1},...]}, for each line.
local function lines_of(items)
  local lines = {}
  for _, item in ipairs(items) do
    local line = lines[item.line] or { count = 0, branches = {} }
    lines[item.line] = line
    line.count = math.max(line.count, item.yes + item.no)
    if item.kind == "condition" then
      for _, times in ipairs { item.yes, item.no } do
        table.insert(line.branches, ('{"count":%d,"fallthrough":false,"throw":false}'):format(times))
      end
    end
  end
  local texts = {}
  for number, line in pairs(lines) do
    texts[#texts + 1] = ('{"line_number":%d,"count":%d,"gcovr/noncode":false,"gcovr/excluded":false,"branches":[%s]}')
      :format(number, line.count, table.concat(line.branches, ","))
  end
  return table.concat(texts, ",\n")
end

local function write()
  local files = {}
  for _, module in ipairs(counted) do
    files[#files + 1] = ('{"file":"%s","functions":[],"lines":[%s]}'):format(module.path, lines_of(module.items))
  end
  counted = {}
  if #files == 0 then return end
  local stat <close> = assert(io.open "/proc/self/stat")
  local file <close> = assert(io.open(("%s/%d-%d.json"):format(FOLDER, stat:read "n", os.time()), "w"))
  file:write('{"gcovr/format_version":"0.3","files":[', table.concat(files, ",\n"), "]}\n")
end

if arg and arg[0] and arg[0]:find "coverage/modules%.lua$" then
  for _, path in ipairs(arg) do count(path) end
  return write()
end

local exit = os.exit
function os.exit(...) -- luacheck: ignore 122
  write()
  exit(...)
end
setmetatable(package.searchers, { __gc = write }) -- where Lua ends by itself
