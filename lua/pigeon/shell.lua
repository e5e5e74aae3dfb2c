--- Runs programs through the shell, for the commands of the desk.
local shell = {}

--- A text -> the same as one word of the shell.
function shell.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- A command, with %s for each of the words, which are quoted -> what it wrote to stdout and stderr, without
-- the last line break, and its exit status (the shell's own is 127 where there is no such program).
function shell.run(command, ...)
  local words = { ... }
  for i, word in ipairs(words) do words[i] = shell.quote(word) end
  local pipe = io.popen("{ " .. command:format(table.unpack(words)) .. "\n} 2>&1 </dev/null")
  local said = pipe:read("a")
  local _, how, status = pipe:close()
  return (said:gsub("\n$", "")), how == "signal" and 128 + status or status
end

return shell
