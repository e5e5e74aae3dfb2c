--- Makes bytes from outside part of a page of HTML: the only place where that is done.
local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub

local html = {}

local ENTITIES <const> = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local SHORT <const> = { ["\t"] = "\\t", ["\n"] = "\\n", ["\r"] = "\\r" }

-- Characters that nobody sees, or that change the order in which others are shown: from, to.
local HIDDEN <const> = {
  { 0x80, 0x9F }, { 0xAD, 0xAD }, { 0x34F, 0x34F }, { 0x61C, 0x61C }, { 0x115F, 0x1160 }, { 0x17B4, 0x17B5 },
  { 0x180B, 0x180F }, { 0x200B, 0x200F }, { 0x2028, 0x202E }, { 0x2060, 0x206F }, { 0x3164, 0x3164 },
  { 0xFE00, 0xFE0F }, { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFFB }, { 0xE0000, 0xE0FFF },
}

-- Letters of scripts that are written from right to left, and their marks.
local RIGHT_TO_LEFT <const> = {
  { 0x590, 0x8FF }, { 0xFB1D, 0xFDFF }, { 0xFE70, 0xFEFE }, { 0x10800, 0x10FFF }, { 0x1E800, 0x1EFFF },
}
local BEGIN <const>, END <const> = '<bdi dir="rtl">', "</bdi>"

local function is_in(ranges, code)
  for _, range in ipairs(ranges) do
    if code >= range[1] and code <= range[2] then return true end
  end
  return false
end

local ESCAPE <const>, ESCAPED <const> = '<span class="escape">', "</span>"

local function escape(text)
  return ESCAPE .. text .. ESCAPED
end

local function shown_control(character)
  return escape(SHORT[character] or format("\\x%02X", byte(character)))
end

local function shown_character(character)
  local code = utf8.codepoint(character)
  if is_in(HIDDEN, code) then return escape(format("\\u{%X}", code)) end
  return is_in(RIGHT_TO_LEFT, code) and BEGIN .. character .. END or character
end

-- Valid UTF-8 -> HTML.
local function shown(text)
  text = gsub(text, "[&<>\"']", ENTITIES)
  if not find(text, "[^\x20-\x7E]") then return text end
  text = gsub(gsub(text, "[\xC2-\xF4][\x80-\xBF]+", shown_character), END .. BEGIN, "")
  return (gsub(text, "[\0-\x1F\x7F]", shown_control))
end

--- Bytes -> HTML for the content of an element, never for an attribute. What is not a visible character is
-- shown as an escape, such as \x07, \xFF or \u{202E}. Letters from right to left do not take the digits, slashes
-- and words after them along.
function html.text(bytes)
  local pieces, start = {}, 1
  while true do
    local length, bad = utf8.len(bytes, start)
    if length then break end
    pieces[#pieces + 1] = shown(sub(bytes, start, bad - 1))
    pieces[#pieces + 1] = escape(format("\\x%02X", byte(bytes, bad)))
    start = bad + 1
  end
  pieces[#pieces + 1] = shown(sub(bytes, start))
  return (gsub(table.concat(pieces), ESCAPED .. ESCAPE, ""))
end

--- The same as an element of its own, which has no effect on the order of the text around it: for keys, names,
-- reasons and lines of scripts.
function html.quote(bytes)
  return '<bdi dir="ltr">' .. html.text(bytes) .. "</bdi>"
end

--- 1234567 -> "1,234,567".
function html.number(value)
  local digits = gsub(gsub(("%d"):format(value):reverse(), "%d%d%d", "%0,"):reverse(), "^,", "")
  return digits
end

--- 1 -> "1 line", 2 -> "2 lines".
function html.count(value, noun)
  return ("%s %s%s"):format(html.number(value), noun, value == 1 and "" or "s")
end

return html
