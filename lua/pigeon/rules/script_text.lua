--- Where the Lua begins in the bytes of a script file: after a byte order mark, and after a first line
-- that begins with `#`, as the program lua5.4 has it. Lua's own load() takes neither.
local byte, find, gmatch, gsub, sub = string.byte, string.find, string.gmatch, string.gsub, string.sub

local script_text = {}

local MARK = "\xEF\xBB\xBF"

--- A file's bytes -> the position where the Lua begins. The end of a `#` line is left in, so that
-- lines keep their numbers.
function script_text.start(bytes)
  local start = sub(bytes, 1, 3) == MARK and 4 or 1
  if byte(bytes, start) ~= 35 then return start end
  return find(bytes, "[\r\n]", start) or #bytes + 1
end

--- A file's bytes -> an iterator over its lines without their ends, which may be those of any system; the
-- last one may be empty.
function script_text.lines(bytes)
  return gmatch(gsub(gsub(bytes, "\r\n", "\n"), "\r", "\n"), "([^\n]*)\n?")
end

return script_text
