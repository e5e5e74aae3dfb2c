--- A C file's mutants: its text with one change each, a mistake that somebody could make.
--
-- It reads tokens, not C: comments, texts and directives are left alone, and what it cannot tell (whether
-- `*` is a product) too. A mutant that does not compile is for the caller to leave out.
local mutants = require "pigeon.source.mutants"

local c = {}

-- What each operator becomes.
local OPERATORS <const> = {
  ["=="] = { "!=" }, ["!="] = { "==" }, ["<"] = { "<=", ">=" }, ["<="] = { "<", ">" }, [">"] = { ">=", "<=" },
  [">="] = { ">", "<" }, ["&&"] = { "||" }, ["||"] = { "&&" }, ["+="] = { "-=" }, ["-="] = { "+=" },
  ["++"] = { "--" }, ["--"] = { "++" },
}
local BINARY <const> = { ["+"] = "-", ["-"] = "+" } -- where a value stands before it
local WORDS <const> = { ["true"] = "false", ["false"] = "true" }
-- The token after the first name of a statement that does something.
local DOES <const> = {
  ["("] = true, ["->"] = true, ["."] = true, ["["] = true, ["="] = true, ["+="] = true, ["-="] = true, ["++"] = true,
  ["--"] = true, ["|="] = true,
}
local JUMPS <const> = { ["break"] = true, ["continue"] = true, ["goto"] = true }
local KEYWORDS <const> = {
  ["if"] = true, ["while"] = true, ["for"] = true, ["switch"] = true, ["return"] = true, ["sizeof"] = true,
  ["case"] = true, ["do"] = true, ["else"] = true,
}
local SIGNS <const> = { 3, 2, 1 } -- the longest first
local LONG <const> = " <<= >>= ... -> == != <= >= && || += -= *= /= %= &= |= ^= ++ -- << >> "

-- Where what stands between tokens ends: spaces, a comment, or a directive with its continued lines; or nil.
local function skipped(text, at)
  local last = select(2, text:find("^%s+", at))
  if last then return last end
  if text:find("^/%*", at) then return select(2, text:find("*/", at + 2, true)) or #text end
  if text:find("^//", at) then return (text:find("\n", at, true) or #text + 1) - 1 end
  if text:find("^#", at) then
    repeat
      last = text:find("\n", (last or at) + 1, true) or #text + 1
    until text:sub(last - 1, last - 1) ~= "\\"
    return last - 1
  end
end

local function quoted_end(text, at)
  local quote, position = text:sub(at, at), at + 1
  while position <= #text and text:sub(position, position) ~= quote do
    position = position + (text:sub(position, position) == "\\" and 2 or 1)
  end
  return position
end

-- {kind = "name", "number", "text" or "sign", text, first, last}, ...
local function tokens_of(text)
  local list, at = {}, 1

  local function add(kind, last)
    list[#list + 1] = { kind = kind, text = text:sub(at, last), first = at, last = last }
    at = last + 1
  end

  local function add_sign()
    for _, length in ipairs(SIGNS) do
      local sign = text:sub(at, at + length - 1)
      if length == 1 or LONG:find(" " .. sign .. " ", 1, true) then return add("sign", at + length - 1) end
    end
  end

  while at <= #text do
    local last = skipped(text, at)
    if last then
      at = last + 1
    elseif text:find("^[%a_]", at) then
      add("name", select(2, text:find("^[%w_]+", at)))
    elseif text:find("^%d", at) then
      add("number", select(2, text:find("^[%w.]+", at)))
    elseif text:find("^[\"']", at) then
      add("text", quoted_end(text, at))
    else
      add_sign()
    end
  end
  return list
end

-- The number of the `)` that closes the `(` with this number.
local function closing(tokens, number)
  local depth = 0
  for i = number, #tokens do
    if tokens[i].text == "(" then depth = depth + 1 end
    if tokens[i].text == ")" then depth = depth - 1 end
    if depth == 0 then return i end
  end
end

-- The number of the `;` that ends the statement that starts here; nil where a block stands in it.
local function statement_end(tokens, number)
  for i = number, #tokens do
    if tokens[i].text == "{" then return nil end
    if tokens[i].text == ";" then return i end
  end
end

--- A file's bytes -> its mutants, as pigeon.source.mutants.of() has them.
function c.of(text)
  local tokens, list, depth = tokens_of(text), {}, 0

  local function add(first, last, replacement)
    local mutated = text:sub(1, first - 1) .. replacement .. text:sub(last + 1)
    list[#list + 1] = { first = first, order = #list, text = mutated, replaced = last, by = replacement }
  end

  local function add_sign(token, before)
    for _, operator in ipairs(OPERATORS[token.text] or {}) do add(token.first, token.last, operator) end
    local is_value = before and (before.kind == "number" or before.kind == "name" and not KEYWORDS[before.text]
      or before.text == ")" or before.text == "]")
    if BINARY[token.text] and is_value then add(token.first, token.last, BINARY[token.text]) end
    if token.text == "!" then add(token.first, token.last, "") end
  end

  local function add_statement(number, before)
    local token, after = tokens[number], tokens[number + 1] or {}
    if not (before and (before.text == ";" or before.text == "{" or before.text == "}")) then return end
    if not (JUMPS[token.text] or DOES[after.text] and not KEYWORDS[token.text]) then return end
    local last = statement_end(tokens, number)
    if last then add(token.first, tokens[last].last, ";") end
  end

  for number, token in ipairs(tokens) do
    local before, after = tokens[number - 1], tokens[number + 1] or {}
    if token.text == "{" then depth = depth + 1 end
    if token.text == "}" then depth = depth - 1 end
    if depth > 0 then
      if token.kind == "sign" then
        add_sign(token, before)
      elseif token.kind == "number" and math.tointeger(tonumber(token.text)) then
        add(token.first, token.last, tostring(tonumber(token.text) + 1))
      elseif WORDS[token.text] then
        add(token.first, token.last, WORDS[token.text])
      elseif (token.text == "if" or token.text == "while") and after.text == "(" then
        local last = closing(tokens, number + 1)
        if last then add(after.first, tokens[last].last, "(!" .. text:sub(after.first, tokens[last].last) .. ")") end
      end
      if token.kind == "name" then add_statement(number, before) end
    end
  end
  return mutants.shown(text, list)
end

return c
