--- Runs luacheck on a rules script, with the words of words.lua as its only globals.
local shell = require "pigeon.shell"
local words = require "pigeon.rules.words"

local luacheck = {}

-- The words of words.lua, as luacheck's command line takes them.
local function globals()
  local list = {}
  for _, word in ipairs(words) do list[#list + 1] = word end
  for library, part in pairs(words) do
    if type(library) == "string" then
      for _, field in ipairs(part.fields) do list[#list + 1] = library .. "." .. field end
    end
  end
  table.sort(list)
  return table.concat(list, " ")
end

-- E011 is a syntax error; W1.. are about globals, and the sandbox raises an error for such.
local function level_of(code)
  return (code:find("^E") or code:find("^W1")) and "error" or "warning"
end

--- A script's path -> its warnings, a list of {line, what, level}; or nil and why there are none.
function luacheck.run(path)
  local pipe = io.popen(("luacheck --no-config --no-color --formatter plain --codes --no-unused-args "
    .. "--no-max-line-length --std none --read-globals %s --filename rules - 2>/dev/null <%s")
    :format(globals(), shell.quote(path)))
  local warnings = {}
  for text in pipe:lines() do
    local line, code, what = text:match("^rules:(%d+):%d+: %((%w+)%) (.*)$")
    if line then warnings[#warnings + 1] = { line = line, what = what, level = level_of(code) } end
  end
  local _, _, status = pipe:close() -- 1 for warnings, 2 for errors; the shell's is 127 without luacheck
  if status == 127 then return nil, "luacheck is not installed (apt-get install lua-check)" end
  if status > 2 or status > 0 and #warnings == 0 then return nil, ("luacheck failed, with status %d"):format(status) end
  return warnings
end

return luacheck
