--- What the parser stands on while it reads: the token in hand, the scopes of names, the depth; and
-- words for what stands in a place where it cannot stand. open() makes one for each script.
local reader = {}
reader.__index = reader

local DEEPEST = 200 -- as Lua has it

-- Operators that other languages put before = : x += 1
local BEFORE_EQUALS = {
  ["+"] = true, ["-"] = true, ["*"] = true, ["/"] = true, ["%"] = true, ["^"] = true, [".."] = true, ["|"] = true,
  ["&"] = true,
}

-- What ends a block. Before another token, a block has ended with its return.
local CLOSES = { ["else"] = true, ["elseif"] = true, ["end"] = true, ["until"] = true, ["<eof>"] = true }

--- tokens.read()'s list -> {token = the one in hand, list, at = its number, inside = the Function node
-- that is read or nil, else_ifs = the lines that have `else if`}, with the functions below.
function reader.open(list)
  return setmetatable({ list = list, at = 1, token = list[1], depth = 0, else_ifs = {} }, reader)
end

-- ------------------------------------------------------------------------ mistakes

--- Raises it.
function reader.fail(_, line, what, fix)
  error({ line = line, what = what, fix = fix }, 0)
end

--- A token as messages show it.
function reader.show(token)
  if token.kind == "<eof>" then return "the end of the file" end
  if token.kind == "string" then return "a string" end
  return ("`%s`"):format(token.value or token.kind)
end

--- Raises the habit of another language that the token in hand shows, if it shows one.
function reader:fail_habit()
  local found = require("pigeon.source.habits").of(self.list, self.at)
  if found then self:fail(found.line, found.what, found.fix) end
end

local ENDINGS = { "end", "else", "elseif" }

--- Raises that the `end` of {kind, line} is missing; an `else if` before it is the usual reason.
function reader:fail_end(opened)
  self:fail_habit()
  local what = ("`end` is missing for the `%s` of line %d"):format(opened.kind, opened.line)
  for _, line in ipairs(self.else_ifs) do
    if line >= opened.line then
      self:fail(line, "`else if` begins an `if` of its own, so " .. what, "write elseif, in one word")
    end
  end
  local last = self.list[self.at - 1]
  if self.token.kind == "if" and last.line == self.token.line then
    self:fail(last.line, "an `if` behind what it is about", "the condition comes first: write if ... then ... end")
  end
  local near = self.token.kind == "name" and require("pigeon.source.spelling").near(self.token.value, ENDINGS)
  if near then self:fail(self.token.line, what, ("did you mean %s, for %s?"):format(near, self.token.value)) end
  self:fail(self.token.line, ("%s, before %s"):format(what, reader.show(self.token)), CLOSES[self.token.kind]
    and "write end where it ends" or "write end where it ends; nothing may follow return in its block")
end

-- `=` where it cannot stand.
local function fail_equals(self, before, context)
  local line = self.token.line
  if context == "condition" then
    self:fail(line, "`=` in a condition; it sets a value", '"is" is written ==')
  elseif context == "arguments" then
    self:fail(line, "`=` between ( and ): arguments have no names, only an order", '"is" is written =='
      .. "; else remove the name and its =")
  elseif before and before.kind == "=" then
    self:fail(line, "`= =`", '"is" is written ==, without a space')
  elseif context == "statement" then
    self:fail(line, "`=` sets a value, and only a name or a field can have one", '"is" is written ==')
  end
end

local CONNECTS = { ["and"] = true, ["or"] = true, ["not"] = true }
local VALUES = { name = true, number = true, string = true }

-- What may be meant where `wanted` is missing between two tokens.
local function hint(wanted, token, before)
  if before and before.kind == "string" and VALUES[token.kind] then return "does a text here lack a quote?" end
  if before and before.kind == "number" and token.kind == "name" then return "a number has no unit: remove it" end
  if wanted == "`then`" and token.kind == "," then return "between two conditions write and" end
  if before and CONNECTS[before.kind] and token.kind == "if" then return "one `if` is enough: remove this one" end
  if before and before.kind == "name" and token.kind == "name" then return "text needs quotes around it" end
  local word = wanted:match("^`([%a)]+)`$")
  return word and ("write %s there"):format(word) or "look at this line and the one above"
end

--- Raises what stands in place of `wanted`, in words for the mistakes that have a name. The context is
-- "condition", "statement" or nil.
function reader:fail_expected(wanted, context)
  self:fail_habit()
  local token, before, following = self.token, self.list[self.at - 1], self.list[self.at + 1]
  local kind = token.kind
  if kind == "=" then fail_equals(self, before, context) end
  if (kind == "&" or kind == "|") and before and before.kind == kind then
    self:fail(token.line, ("Lua has no `%s%s`"):format(kind, kind), kind == "&" and "write and" or "write or")
  end
  if BEFORE_EQUALS[kind] and following and following.kind == "=" and following.first == token.last + 1 then
    self:fail(token.line, ("Lua has no `%s=`"):format(kind), ("write x = x %s ..."):format(kind))
  end
  self:fail(token.line, ("%s is missing before %s"):format(wanted, reader.show(token)), hint(wanted, token, before))
end

-- What a statement may begin with.
local FIRST_WORDS = { "local", "return", "function", "if", "for", "while", "repeat", "else", "elseif", "end", "goto" }

--- Raises that a value other than a call cannot be a statement: its first token, its node, and whether an
-- operator follows.
function reader:fail_statement(first, value, has_operator)
  self:fail_habit()
  local token, following = self.token, self.list[self.at + 1]
  if token.kind == "name" and value.kind == "Name" then
    self:fail(first.line, ("`%s %s` is not Lua"):format(value.name, token.value),
      require("pigeon.source.spelling").did_you_mean(value.name, FIRST_WORDS)
      or "write = to set a value, ( to call a function")
  end
  local sets = following and following.kind == "=" and following.first == token.last + 1 -- x += 1
  if has_operator and not sets then
    self:fail(first.line, ("a line that begins with a value and `%s` does nothing with it"):format(token.kind),
      "write return, or local x =, before it")
  end
  local last = reader.show(self.list[self.at - 1]):gsub("`", "")
  self:fail_expected(("`=`, or `(` for a call, after `%s`"):format(last), "value")
end

-- ------------------------------------------------------------------------ tokens

--- Takes the token in hand, whatever it is, and returns it.
function reader:advance()
  local taken = self.token
  self.at = self.at + 1
  self.token = self.list[self.at]
  return taken
end

--- Takes it where it is of this kind -> the token, or false.
function reader:take(kind)
  return self.token.kind == kind and self:advance()
end

--- Takes it; raises where it is of another kind.
function reader:expect(kind, context)
  if self.token.kind ~= kind then self:fail_expected(("`%s`"):format(kind), context) end
  return self:advance()
end

--- The same for the `end` of {kind, line}.
function reader:expect_end(opened)
  if self.token.kind ~= "end" then self:fail_end(opened) end
  return self:advance()
end

--- The same for a name, which is called `what` in the message.
function reader:expect_name(what)
  if self.token.kind ~= "name" then self:fail_expected(what) end
  return self:advance()
end

--- Makes a node of these fields, from `first`, a token or a node, to the last token that was taken.
function reader:node(kind, first, fields)
  fields.kind, fields.first, fields.line = kind, first.first, first.line
  fields.last = self.list[self.at - 1].last
  return fields
end

--- Counts a level of nesting; leave() ends it.
function reader:enter()
  self.depth = self.depth + 1
  if self.depth > DEEPEST then
    self:fail(self.token.line, ("nested more than %d deep (each `..` counts)"):format(DEEPEST),
      "split it into several lines")
  end
end

function reader:leave()
  self.depth = self.depth - 1
end

-- ------------------------------------------------------------------------ names

function reader:open_scope()
  self.scope = { names = {}, outer = self.scope }
end

function reader:close_scope()
  self.scope = self.scope.outer
end

-- The declaration that a name has here, or nil.
local function find(self, name)
  local scope = self.scope
  while scope and not scope.names[name] do scope = scope.outer end
  return scope and scope.names[name]
end

--- A name's token -> its node, which is not resolved.
function reader:name(token)
  return { kind = "Name", name = token.value, first = token.first, last = token.last, line = token.line,
    inside = self.inside }
end

--- Makes a Name a declaration ("local", "parameter" ...); it hides those before it from here on.
function reader:declare(name, what)
  name.declares, name.uses, name.hides = what, {}, find(self, name.name)
  self.scope.names[name.name] = name
  return name
end

--- A name's token -> its node, with its declaration, or without one for a global.
function reader:resolve(token)
  local use = self:name(token)
  use.declaration = find(self, use.name)
  if use.declaration then use.declaration.uses[#use.declaration.uses + 1] = use end
  return use
end

return reader
