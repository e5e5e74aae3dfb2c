--- A script's text to Lua's tokens. Raises {line, what, fix} for what is not a token.
--
-- A token is {kind, first, last, line}: kind is "name", "string", "number" or "<eof>", and for each
-- keyword and symbol the word itself ("then", "~="). A name, a string and a number have their value;
-- has_comment: a comment follows without a space.
-- Lua itself reads the value of a string or a number, so nothing here knows an escape.
local script_text = require "pigeon.rules.script_text"

local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub

local tokens = {}

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return
  then true until while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end

-- Longest first.
local SYMBOLS = { { "...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", ".." }, {} }
for symbol in ("+-*/%^#&~|<>=(){}[];:,."):gmatch(".") do
  SYMBOLS[2][symbol] = true
end

-- What people write who know another language, or paste from a page that is not plain text: a Lua
-- pattern of it, what it is, and what to write.
local FOREIGN = {
  { "^\u{201C}", "a curly quote", 'write "' }, { "^\u{201D}", "a curly quote", 'write "' },
  { "^\u{201E}", "a curly quote", 'write "' }, { "^\u{AB}", "a quotation mark that Lua does not know", 'write "' },
  { "^\u{BB}", "a quotation mark that Lua does not know", 'write "' },
  { "^\u{2018}", "a curly quote", "write '" }, { "^\u{2019}", "a curly quote", "write '" },
  { "^\u{2013}", "a long dash", "write - (or -- for a comment)" },
  { "^\u{2014}", "a long dash", "write - (or -- for a comment)" },
  { "^\u{A0}", "a space that does not break (U+00A0)", "write an ordinary space" },
  { "^\27", "compiled Lua, not a script", "give the file that it was made from" },
  { "^!==", "Lua has no `!==`", '"is not" is written ~=' },
  { "^!=", "Lua has no `!=`", '"is not" is written ~=' },
  { "^!", "Lua has no `!`", '"not" is the word: not x; "is not" is written ~=' },
  { "^%?", "Lua has no `?`", "write if ... then ... else ... end, or: condition and a or b" },
  { "^`", "Lua has no backtick outside of a string", 'write " around a string' },
  { "^%$", "Lua has no `$`", "write the name without it" },
  { "^[@\\]", nil, "is it left from something else? remove it" },
}

local function fail(line, what, fix)
  error({ line = line, what = what, fix = fix }, 0)
end

-- How many lines end in text[first..last]: CR, LF and either pair of both end one, as Lua counts.
local function line_ends(text, first, last)
  local count = 0
  local at = find(text, "[\r\n]", first)
  while at and at <= last do
    count = count + 1
    local pair = sub(text, at, at + 1)
    at = find(text, "[\r\n]", (pair == "\r\n" or pair == "\n\r") and at + 2 or at + 1)
  end
  return count
end

-- The last byte of the long string or comment whose brackets begin at `from`; nil: none begins there,
-- false: it has no end.
local function long_end(text, from)
  local _, open, level = find(text, "^%[(=*)%[", from)
  if not open then return nil end
  local _, last = find(text, "]" .. level .. "]", open + 1, true)
  return last or false
end

-- The last byte of the string that begins at `from`, or nil where the line or the text ends before it.
local function string_end(text, from)
  local quote = sub(text, from, from)
  local at = from + 1
  while true do
    at = find(text, "[\\\r\n" .. quote .. "]", at)
    if not at then return nil end
    local char = sub(text, at, at)
    if char == quote then return at end
    if char ~= "\\" then return nil end
    local escaped = sub(text, at + 1, at + 2)
    if find(escaped, "^z") then
      at = find(text, "%S", at + 2) or #text + 1
    elseif escaped == "\r\n" or escaped == "\n\r" then
      at = at + 3
    else
      at = at + 2
    end
  end
end

-- The last byte of a number, read as greedily as Lua does it: 3x is one bad number.
local function number_end(text, from)
  local exponent = find(text, "^0[xX]", from) and "[pP]" or "[eE]"
  local at = from
  while true do
    if find(text, "^" .. exponent .. "[+-]", at) then at = at + 2
    elseif find(text, "^[%w_.]", at) then at = at + 1
    else return at - 1 end
  end
end

-- Lua's message for a string without its chunk and line: invalid escape sequence '\q'
local function why(problem)
  return (gsub(gsub(problem, "^[^:]*:%d+: ", ""), " near .*", ""))
end

local function read_string(text, first, line)
  local last = long_end(text, first)
  if last == nil then last = string_end(text, first) end
  if not last then
    local quote = sub(text, first, first)
    if quote == "[" then fail(line, "a long string has no end", "write ]] where it ends") end
    fail(line, "a string has no end on its line", "put a quote where it ends")
  end
  local raw = sub(text, first, last)
  local chunk, problem = load("return " .. raw, "=string", "t")
  if not chunk then
    local class = match(why(problem), "^invalid escape sequence") and match(problem, "\\([dwsDWS.(%[*+?^$-])")
    fail(line, "the string " .. sub(raw, 1, 60) .. ": " .. why(problem),
      class and ("in a pattern write %%%s; for a backslash \\\\"):format(class) or "write \\\\ for a backslash")
  end
  return { kind = "string", first = first, last = last, line = line, value = chunk() }
end

local BYTES = { K = "1024", M = "1024 * 1024", G = "1024 * 1024 * 1024" }

-- 20MB, 20_000_000
local function number_fix(raw)
  local digits, unit = match(raw:upper(), "^(%d+)([KMG])I?B?$")
  if digits then return ("write %s * %s"):format(digits, BYTES[unit]) end
  if find(raw, "^%d[%d_]*$") then return "write " .. gsub(raw, "_", "") end
  return "a name cannot begin with a digit; text needs quotes"
end

local function read_number(text, first, line)
  local last = number_end(text, first)
  local raw = sub(text, first, last)
  local value = tonumber(raw)
  if not value then
    fail(line, sub(raw, 1, 60) .. " is not a number", number_fix(raw))
  end
  return { kind = "number", first = first, last = last, line = line, value = value }
end

-- <<<<<<< HEAD, at the start of a line
local CONFLICTS = { ["<"] = "^<<<<<<<", ["="] = "^=======", [">"] = "^>>>>>>>" }

local function read_symbol(text, first, line)
  local conflict = CONFLICTS[sub(text, first, first)]
  if conflict and find(text, conflict, first) then fail(line, "a mark of a merge conflict") end
  for _, symbol in ipairs(SYMBOLS[1]) do
    if sub(text, first, first + #symbol - 1) == symbol then
      return { kind = symbol, first = first, last = first + #symbol - 1, line = line }
    end
  end
  local char = sub(text, first, first)
  if SYMBOLS[2][char] then return { kind = char, first = first, last = first, line = line } end
  for _, row in ipairs(FOREIGN) do
    if find(text, row[1], first) then fail(line, row[2] or "Lua has no `" .. char .. "`", row[3]) end
  end
  local _, last = find(text, "^[\xC2-\xF4][\x80-\xBF]*", first)
  if last then
    fail(line, ('"%s" outside of a string'):format(sub(text, first, last)),
      "put text in quotes; names have only a-z, 0-9, _")
  end
  fail(line, ("the byte 0x%02X outside of a string"):format(text:byte(first)), "remove it")
end

-- The next byte that is neither space nor comment, and the line there.
local function skip(text, at, line)
  while true do
    local start = at
    at = find(text, "[^ \t\r\n\v\f]", at) or #text + 1
    if at > start then line = line + line_ends(text, start, at - 1) end
    if sub(text, at, at + 1) ~= "--" then return at, line end
    local last = long_end(text, at + 2)
    if last == false then fail(line, "a long comment has no end", "write ]] where it ends") end
    if last then
      line = line + line_ends(text, at, last)
      at = last + 1
    else
      at = find(text, "[\r\n]", at) or #text + 1
    end
  end
end

local function read(text)
  local list, at, line = {}, script_text.start(text), 1
  while true do
    local first
    first, line = skip(text, at, line)
    local token
    if first > #text then
      list[#list + 1] = { kind = "<eof>", first = first, last = first - 1, line = line }
      return list
    end
    local _, last = find(text, "^[%a_][%w_]*", first)
    if last then
      local word = sub(text, first, last)
      token = KEYWORDS[word] and { kind = word } or { kind = "name", value = word }
      token.first, token.last, token.line = first, last, line
    elseif find(text, "^%.?%d", first) then
      token = read_number(text, first, line)
    elseif find(text, "^[\"']", first) or find(text, "^%[=*%[", first) then
      token = read_string(text, first, line)
    else
      token = read_symbol(text, first, line)
    end
    list[#list + 1] = token
    line = line + (token.kind == "string" and line_ends(text, first, token.last) or 0)
    at = token.last + 1
    token.has_comment = sub(text, at, at + 1) == "--" -- n--
  end
end

local function line_of(text, number)
  local at = 0
  for line in script_text.lines(text) do
    at = at + 1
    if at == number then return line end
  end
  return ""
end

--- A file's bytes -> a list of tokens; the last is "<eof>".
function tokens.read(text)
  local ok, result = pcall(read, text)
  if ok then return result end
  if type(result) == "table" then
    local what, fix = require("pigeon.source.habits").of_line(line_of(text, result.line))
    if what then fail(result.line, what, fix) end
  end
  error(result, 0)
end

return tokens
