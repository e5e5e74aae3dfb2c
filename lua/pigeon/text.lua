--- Makes bytes from outside fit for a log line or an answer.
local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub

local text = {}

--- Bytes -> valid UTF-8, with U+FFFD for each byte that is not part of it.
function text.valid(bytes)
  local pieces, start = {}, 1
  while true do
    local length, bad = utf8.len(bytes, start)
    if length then break end
    pieces[#pieces + 1] = sub(bytes, start, bad - 1)
    pieces[#pieces + 1] = "\u{FFFD}"
    start = bad + 1
  end
  pieces[#pieces + 1] = sub(bytes, start)
  return table.concat(pieces)
end

--- Bytes, and how many of them to keep -> valid UTF-8, with spaces for control characters, and "..."
-- at the end where something was cut.
function text.clean(bytes, limit)
  local tail = ""
  if #bytes > limit then
    -- a character that was cut in two is dropped
    bytes, tail = gsub(sub(bytes, 1, limit), "[\xC2-\xF4][\x80-\xBF]*$", ""), "..."
  end
  if find(bytes, "[^\x20-\x7E]") then
    bytes = gsub(text.valid(bytes), "[\0-\x1F\x7F]", " ")
    bytes = gsub(bytes, "\xC2[\x80-\x9F]", " ") -- C1: \xC2 is never a later byte of a character
  end
  return bytes .. tail
end

--- Bytes -> the same without white space around them, in linear time.
function text.trim(bytes)
  local first = find(bytes, "%S")
  return first and match(bytes, "^.*%S", first) or ""
end

return text
