--- Habits of other languages, seen where a script's tokens cannot go on: comments, braces, operators,
-- words. Loaded at the first token that cannot stand where it stands.
--
-- Each rule is given the tokens and the number of the one that cannot stand there, and returns
-- {line, what, fix}, or nil where it sees nothing.
local words = require "pigeon.rules.words"

local habits = {}

local NOTHING = { kind = "", line = 0, first = -1, last = -1 }

local function said(token, what, fix)
  return { line = token.line, what = what, fix = fix }
end

local function at_of(list, at)
  return list[at] or NOTHING
end

-- Whether nothing stands between the two tokens.
local function touch(one, other)
  return one.last + 1 == other.first
end

-- The number of the first token in the line of this one.
local function line_start(list, at)
  local line = at_of(list, at).line
  while list[at - 1] and list[at - 1].line == line do at = at - 1 end
  return at
end

-- The number of the innermost bracket that is open before this token, or nil.
local OPEN, CLOSED = { ["("] = true, ["{"] = true, ["["] = true }, { [")"] = true, ["}"] = true, ["]"] = true }
local function open_bracket(list, at)
  local depth = 0
  for i = at - 1, 1, -1 do
    if CLOSED[list[i].kind] then depth = depth + 1 end
    if OPEN[list[i].kind] then
      if depth == 0 then return i end
      depth = depth - 1
    end
  end
end

-- ------------------------------------------------------------------------ comments

-- # this, // this, /* this */
local function comment(list, at)
  for _, from in ipairs { at, line_start(list, at), line_start(list, at - 1) } do
    local token, following = at_of(list, from), at_of(list, from + 1)
    local is_first = line_start(list, from) == from
    if token.kind == "#" and from == at or token.kind == "//" and (is_first or from == at) then
      return said(token, ("`%s` does not begin a comment"):format(token.kind), "write --")
    elseif token.kind == "/" and following.kind == "*" and touch(token, following) then
      return said(token, "`/*` does not begin a comment", "write --[[ and, where it ends, ]]")
    end
  end
  for i = line_start(list, at - 1), at - 2 do -- local limit = 5 // the largest one
    if list[i].kind == "//" and list[i + 1].kind == "name" and list[i + 2].kind == "name" then
      return said(list[i], "`//` divides, and does not begin a comment", "write --")
    end
  end
end

-- ------------------------------------------------------------------------ braces

local WITHOUT = "remove the `{`, and write end for its `}`"
local BLOCKS = {
  ["if"] = "write if ... then ... end", ["elseif"] = "write elseif ... then, and end after the last one",
  ["else"] = WITHOUT, ["while"] = "write while ... do ... end", ["for"] = "write for ... do ... end",
  ["function"] = WITHOUT, ["then"] = WITHOUT, ["do"] = WITHOUT,
}
local ENDS_SEARCH = { ["="] = true, ["return"] = true, ["end"] = true, ["local"] = true }

-- The word whose block this `{` seems to begin, or nil.
local function word_of_brace(list, brace)
  local depth, i = 0, brace - 1
  while list[i] and list[i].line == list[brace].line do
    local kind = list[i].kind
    if CLOSED[kind] then depth = depth + 1 end
    if OPEN[kind] then depth = depth - 1 end
    if depth < 0 then return nil end
    if depth == 0 and BLOCKS[kind] and ((kind ~= "then" and kind ~= "do") or i == brace - 1) then return kind end
    if depth == 0 and (ENDS_SEARCH[kind] or kind == "then" or kind == "do") then return nil end
    i = i - 1
  end
end

local function braces(list, at)
  local token, before = list[at], at_of(list, at - 1)
  local brace = token.kind == "{" and at or before.kind == "}" and open_bracket(list, at - 1) or open_bracket(list, at)
  if brace and list[brace].kind == "{" then
    if at_of(list, brace - 1).kind == "name" and list[brace - 1].value == "try" then
      return said(list[brace], "Lua has no `try`", "a rule cannot catch an error: check before, with if")
    end
    local word = word_of_brace(list, brace)
    if word then return said(list[brace], ("the `{` after `%s` does not begin a block"):format(word), BLOCKS[word]) end
  end
  local opening = list[line_start(list, at)].kind
  if token.kind == ":" and BLOCKS[opening] then -- if x == 1:
    return said(token, "`:` does not begin a block", opening == "else" and "remove it" or BLOCKS[opening])
  end
  if token.kind == "}" and not open_bracket(list, at) then
    return said(token, "`}` does not end a block", "write end")
  end
end

-- ------------------------------------------------------------------------ words

local END, ELSEIF, LOCAL = "write end", "write elseif", "write local"
local FOREIGN = {
  elif = ELSEIF, elsif = ELSEIF, elseIf = ELSEIF, ElseIf = ELSEIF, elsf = ELSEIF,
  fi = END, done = END, esac = END, endif = END, endfor = END, endwhile = END, End = END,
  switch = "write if ... elseif ... end", case = "write elseif ... then", unless = "write if not (...) then",
  var = LOCAL, let = LOCAL, const = LOCAL, def = "write local function", func = "write local function",
  fn = "write local function", foreach = "write for _, x in ipairs(list) do", import = "a rules script is one file",
  throw = "write error(\"why\")", raise = "write error(\"why\")",
  try = "a rule cannot catch an error: check before, with if",
  continue = "turn the condition round: if ... then ... end around the rest of the loop", pass = "remove it",
  AND = "write and", And = "write and", OR = "write or", Or = "write or", NOT = "write not", Not = "write not",
  Then = "write then", THEN = "write then", than = "write then", Else = "write else",
  ELSE = "write else", IF = "write if",
  If = "write if", Return = "write return", Local = LOCAL,
}
-- A name of the script itself is followed by one of these.
local OWN = { ["="] = true, ["."] = true, [":"] = true, [","] = true, ["["] = true }

local function foreign_word(list, at)
  for _, from in ipairs { at, at - 1, line_start(list, at), line_start(list, at - 1) } do
    local token, following = at_of(list, from), at_of(list, from + 1)
    local fix = token.kind == "name" and FOREIGN[token.value]
    local is_called = following.kind == "(" and fix and fix ~= ELSEIF and not fix:find("^write if")
    if fix and not OWN[following.kind] and not is_called and not OWN[at_of(list, from - 1).kind] then
      return said(token, ("Lua has no `%s`"):format(token.value), fix)
    end
  end
end

-- Between two values: x is y, x in { "a", "b" }
local function word_between(list, at)
  local token, following = list[at], at_of(list, at + 1)
  if token.kind == "name" and token.value == "is" then
    return said(token, "Lua has no `is`", following.kind == "not" and '"is not" is written ~='
      or '"is" is written ==')
  elseif token.kind == "name" and token.value == "contains" then
    return said(token, "Lua has no `contains`", "write x:find(\"text\", 1, true)")
  elseif token.kind == "not" and following.kind == "in" then
    return said(token, "Lua has no `not in`", 'write x ~= "a" and x ~= "b"')
  elseif token.kind == "in" then
    local before = at_of(list, at - 1)
    return said(token, "`in` is for loops only", before.kind == "string"
      and ('write x:find("%s", 1, true)'):format(before.value) or 'write x == "a" or x == "b"')
  end
end

-- ------------------------------------------------------------------------ operators

local EQUALS = { [">"] = { "=>", '"at least" is written >=' }, ["<"] = { "=<", '"at most" is written <=' },
  ["~"] = { "=~", '"is not" is written ~=; for a pattern write x:find("pattern")' } }

local OPENS = { ["if"] = true, ["for"] = true, ["while"] = true, ["function"] = true }

-- 20,000,000
local function commas(list, at)
  local first, i = at_of(list, at - 1), at
  local digits = first.kind == "number" and ("%d"):format(math.tointeger(first.value) or 0) or ""
  if not digits:find("^%d%d?%d?$") then return nil end
  while at_of(list, i).kind == "," do
    local group = at_of(list, i + 1)
    if group.kind ~= "number" or not touch(list[i], group) or group.last - group.first ~= 2 then break end
    digits, i = digits .. ("%03d"):format(math.tointeger(group.value) or 0), i + 2
  end
  if i > at then return said(first, "a number has no commas", "write " .. digits) end
end

-- { "0" = "defer" }, { "0": "defer" }, { ["0"] = "defer" ["1"] = "accept" }
local function key_of_table(list, at)
  local token, before = list[at], at_of(list, at - 1)
  local open = open_bracket(list, at)
  if not open or list[open].kind ~= "{" then return nil end
  if token.kind == "=" and at_of(list, at + 1).kind == ">" then return nil end -- operator() knows =>
  if (token.kind == "=" or token.kind == ":") and (before.kind == "string" or before.kind == "number") then
    local shown = before.kind == "string" and ('"%s"'):format(before.value) or before.value
    return said(before, ("`%s` after a key of a table"):format(token.kind), ("write [%s] = value"):format(shown))
  end
  local name = before.kind == ":" and at_of(list, at - 2) or NOTHING
  local outside = at_of(list, at - 3).kind
  if name.kind == "name" and (outside == "{" or outside == "," or outside == ";") then
    return said(name, "`:` after a key of a table", ("write %s = value"):format(name.value))
  end
end

-- end if
local function end_if(list, at)
  local opened, before = at_of(list, at - 1), at_of(list, at - 2)
  if before.kind == "end" and OPENS[opened.kind] and before.line == opened.line then
    return said(before, ("Lua has no `end %s`"):format(opened.kind), END)
  end
end

-- n--
local function decrement(list, at)
  local token = at_of(list, at - 1)
  if token.kind ~= "name" or not token.has_comment then return nil end
  return said(token, ("`--` after `%s` begins a comment"):format(token.value),
    ("write %s = %s - 1"):format(token.value, token.value))
end

-- n++, ++n
local function increment(list, at)
  local first = list[at].kind == "+" and at_of(list, at - 1).kind == "+" and at - 1 or at
  local plus, before, after = list[first], at_of(list, first - 1), at_of(list, first + 2)
  if plus.kind ~= "+" or at_of(list, first + 1).kind ~= "+" or not touch(plus, list[first + 1]) then return nil end
  local name = before.kind == "name" and touch(before, plus) and before.value
    or after.kind == "name" and after.value or "n"
  return said(plus, "Lua has no `++`", ("write %s = %s + 1"):format(name, name))
end

local function operator(list, at)
  local token, before, following = list[at], at_of(list, at - 1), at_of(list, at + 1)
  local equals = token.kind == "=" and touch(token, following) and EQUALS[following.kind]
  if token.kind == "=" and before.kind == "==" and touch(before, token) then
    return said(token, "Lua has no `===`", '"is" is written ==')
  elseif equals then
    local open = open_bracket(list, at)
    if equals[1] == "=>" and open and list[open].kind == "{" then
      return said(token, "Lua has no `=>`", 'in a table write ["key"] = value')
    end
    return said(token, ("Lua has no `%s`"):format(equals[1]), equals[2])
  elseif token.kind == ">" and before.kind == "<" and touch(before, token) then
    return said(token, "Lua has no `<>`", '"is not" is written ~=')
  elseif token.kind == "==" then
    return said(token, "`==` compares", "a value is set with =")
  elseif before.kind == "%" and at_of(list, at - 2).kind == "number" then
    local number = list[at - 2].value
    return said(before, ("%s%% is not a number"):format(number),
      ("write %s: sample() and throttles are percent already"):format(number))
  end
end

-- if [ .. ]; then
local CONDITIONS = { ["if"] = true, ["elseif"] = true, ["while"] = true, ["and"] = true, ["or"] = true, ["not"] = true }
local NO_TEST, TEST = "Lua has no `[ ]` around a condition", 'write if a == "b" then'

local function test_in_brackets(list, at)
  local token, before, following = list[at], at_of(list, at - 1), at_of(list, at + 1)
  if token.kind == "[" and CONDITIONS[before.kind] then return said(token, NO_TEST, TEST) end
  if token.kind ~= ";" or following.kind ~= "then" and following.kind ~= "do" then return nil end
  local is_long = before.kind == "string" and before.last - before.first + 1 == #before.value + 4
  if is_long and CONDITIONS[at_of(list, at - 2).kind] then return said(token, NO_TEST, TEST) end
  return said(token, ("`;` before `%s`"):format(following.kind), "remove the `;`")
end

-- ------------------------------------------------------------------------ lists and fields

local function list_in_brackets(list, at)
  local token, before = list[at], at_of(list, at - 1)
  local open = token.kind == "[" and at
  if (token.kind == "," or token.kind == "}") and before.kind == "]" then open = open_bracket(list, at - 1) end
  if not open then return nil end
  local inner = at_of(list, open + 1)
  if inner.kind == "string" and at_of(list, open + 2).kind == "]" and at_of(list, open + 3).kind == "=" then
    return said(list[open], ('a comma is missing before ["%s"]'):format(inner.value), "write one")
  end
  local outside = at_of(list, open - 1).kind
  if list[open].kind ~= "[" or open ~= at and not OPEN[outside] and outside ~= "," then return nil end
  return said(list[open], "a list is written with { }, without [ ]", inner.kind == "string"
    and ('write { "%s" }'):format(inner.value) or 'write { "a", "b" }')
end

-- object:key
local function field_with_colon(list, at)
  local colon, name, owner = at_of(list, at - 2), at_of(list, at - 1), at_of(list, at - 3)
  if colon.kind ~= ":" or name.kind ~= "name" then return nil end
  local shown = owner.kind == "name" and owner.value or "x"
  for _, field in ipairs(words.string.fields) do
    if field == name.value then
      return said(name, ("`:%s` needs its arguments"):format(field), ("write %s:%s(...)"):format(shown, field))
    end
  end
  return said(name, ("`:%s` calls a function"):format(name.value), ("write %s.%s"):format(shown, name.value))
end

local RULES = { comment, foreign_word, key_of_table, braces, word_between, commas, end_if, decrement, field_with_colon,
  increment, operator, test_in_brackets, list_in_brackets }

--- Tokens, and the number of the one that cannot stand there -> {line, what, fix}, or nil.
function habits.of(list, at)
  for _, rule in ipairs(RULES) do
    local found = rule(list, at)
    if found then return found end
  end
end

-- ------------------------------------------------------------------------ lines that are not tokens

local LINES = {
  { "^<<<<<<<", "a mark of a merge conflict", "keep one of the two texts, and remove the lines of <, = and >" },
  { "^=======", "a mark of a merge conflict", "keep one of the two texts, and remove the lines of <, = and >" },
  { "^>>>>>>>", "a mark of a merge conflict", "keep one of the two texts, and remove the lines of <, = and >" },
  { "^%s*//", "`//` does not begin a comment", "write --" },
  { "^[^\"']*%s#%s", "`#` does not begin a comment", "write --" },
  { "^#", "`#` does not begin a comment", "write --" },
  { "^%s*/%*", "`/*` does not begin a comment", "write --[[ and, where it ends, ]]" },
}

--- The text of a line that has something other than tokens -> what, fix; or nil.
function habits.of_line(text)
  for _, row in ipairs(LINES) do
    if text:find(row[1]) then return row[2], row[3] end
  end
end

return habits
