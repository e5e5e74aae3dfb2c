--- Lua 5.4's grammar: a list of tokens to the tree that init.lua describes. Raises {line, what, fix}.
--
-- Each name is resolved while it is read. What needs more than the grammar (goto, a <const> that is set)
-- is left to Lua's own compiler. `r` is a reader.
local reader = require "pigeon.source.reader"

local parser = {}

-- Left and right priority, from Lua's own parser; a right one that is lower binds to the right.
local BINARY = {
  ["or"] = { 1, 1 }, ["and"] = { 2, 2 },
  ["<"] = { 3, 3 }, [">"] = { 3, 3 }, ["<="] = { 3, 3 }, [">="] = { 3, 3 }, ["~="] = { 3, 3 }, ["=="] = { 3, 3 },
  ["|"] = { 4, 4 }, ["~"] = { 5, 5 }, ["&"] = { 6, 6 }, ["<<"] = { 7, 7 }, [">>"] = { 7, 7 },
  [".."] = { 9, 8 }, ["+"] = { 10, 10 }, ["-"] = { 10, 10 },
  ["*"] = { 11, 11 }, ["/"] = { 11, 11 }, ["//"] = { 11, 11 }, ["%"] = { 11, 11 }, ["^"] = { 14, 13 },
}
local UNARY = { ["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true }
local UNARY_PRIORITY = 12

local BLOCK_ENDS = { ["else"] = true, ["elseif"] = true, ["end"] = true, ["until"] = true, ["<eof>"] = true }
local SIMPLE = { ["nil"] = "Nil", ["true"] = "True", ["false"] = "False", ["..."] = "Vararg",
  ["string"] = "String", ["number"] = "Number" }

local expression, block -- set below

local function expressions(r, context)
  local values = { expression(r, context) }
  while r:take(",") do values[#values + 1] = expression(r, context) end
  return values
end

-- ------------------------------------------------------------------- expressions

local function string_node(taken, bare)
  return { kind = "String", value = taken.value, bare = bare or nil, first = taken.first, last = taken.last,
    line = taken.line }
end

-- After `function` and its name: parameters, block, end.
local function function_node(r, first, is_method)
  local made = { kind = "Function", parameters = {}, inside = r.inside, line = first.line }
  local outer = r.inside
  r.inside = made
  r:open_scope()
  if is_method then
    r:declare({ kind = "Name", name = "self", first = r.token.first, last = r.token.first - 1, line = r.token.line,
      inside = made }, "self")
  end
  r:expect("(")
  if r.token.kind ~= ")" then
    repeat
      if r:take("...") then
        made.is_vararg = true
        break
      end
      local parameter = r:name(r:expect_name("a parameter's name"))
      made.parameters[#made.parameters + 1] = r:declare(parameter, "parameter")
    until not r:take(",")
  end
  r:expect(")")
  made.body = block(r)
  r:expect_end({ kind = "function", line = first.line })
  r:close_scope()
  r.inside = outer
  return r:node("Function", first, made)
end

local function table_item(r)
  local first = r.token
  if r.token.kind == "name" and r.list[r.at + 1].kind == "=" then
    local key = string_node(r:advance(), true)
    r:advance()
    return r:node("Item", first, { key = key, value = expression(r) })
  end
  if r:take("[") then
    local key = expression(r)
    r:expect("]")
    r:expect("=")
    return r:node("Item", first, { key = key, value = expression(r) })
  end
  return r:node("Item", first, { value = expression(r) })
end

local function table_node(r)
  local first, items = r:expect("{"), {}
  while r.token.kind ~= "}" do
    items[#items + 1] = table_item(r)
    if not r:take(",") and not r:take(";") then break end
  end
  if r.token.kind ~= "}" then
    r:fail_expected(("a comma, or the `}` of the `{` of line %d,"):format(first.line))
  end
  r:advance()
  return r:node("Table", first, { items = items })
end

local function arguments_of(r)
  if r.token.kind == "string" then return { string_node(r:advance()) } end
  if r.token.kind == "{" then return { table_node(r) } end
  local open = r:expect("(")
  local arguments = r.token.kind == ")" and {} or expressions(r, "arguments")
  if r.token.kind ~= ")" then
    r:fail_expected(("the `)` of the `(` of line %d"):format(open.line), "arguments")
  end
  r:advance()
  return arguments
end

local function primary(r)
  local first = r.token
  if r.token.kind == "name" then return r:resolve(r:advance()) end
  if r.token.kind == "(" then
    r:advance()
    local inner = expression(r, "condition")
    r:expect(")", "condition")
    return r:node("Paren", first, { inner = inner })
  end
  r:fail_expected("a value")
end

-- A name, an index, a call: what a statement can begin with.
local function suffixed(r)
  local first = r.token
  local made = primary(r)
  while true do
    if r:take(".") then
      local key = string_node(r:expect_name("a field's name"), true)
      made = r:node("Index", first, { object = made, key = key })
    elseif r:take("[") then
      local key = expression(r)
      r:expect("]")
      made = r:node("Index", first, { object = made, key = key })
    elseif r:take(":") then
      local name = string_node(r:expect_name("a method's name"), true)
      local line = r.token.line
      if r.token.kind ~= "(" and r.token.kind ~= "string" and r.token.kind ~= "{" then r:fail_expected("`(`") end
      local arguments = arguments_of(r)
      made = r:node("Method", first, { object = made, name = name, arguments = arguments, call_line = line })
    elseif r.token.kind == "(" or r.token.kind == "string" or r.token.kind == "{" then
      local line = r.token.line
      local arguments = arguments_of(r)
      made = r:node("Call", first, { callee = made, arguments = arguments, call_line = line })
    else
      return made
    end
  end
end

local function simple(r)
  local kind = SIMPLE[r.token.kind]
  if kind then
    if kind == "Vararg" and r.inside and not r.inside.is_vararg then
      r:fail(r.token.line, "`...` in a function that takes none", "write function(...)")
    end
    local taken = r:advance()
    return { kind = kind, value = taken.value, first = taken.first, last = taken.last, line = taken.line }
  end
  if r.token.kind == "{" then return table_node(r) end
  if r.token.kind == "function" then return function_node(r, r:advance()) end
  return suffixed(r)
end

-- An expression whose binary operators bind tighter than `limit`.
local function operators(r, limit)
  r:enter()
  local first, made = r.token
  if UNARY[r.token.kind] then
    local op = r:advance()
    local operand = operators(r, UNARY_PRIORITY)
    made = r:node("Unop", first, { op = op.kind, operand = operand, op_first = op.first, op_last = op.last })
  else
    made = simple(r)
  end
  while BINARY[r.token.kind] and BINARY[r.token.kind][1] > limit do
    local op = r:advance()
    local right = operators(r, BINARY[op.kind][2])
    made = r:node("Binop", first, { op = op.kind, left = made, right = right, op_first = op.first, op_last = op.last,
      op_line = op.line })
  end
  r:leave()
  return made
end

function expression(r, context)
  local kind = r.token.kind
  if BLOCK_ENDS[kind] or kind == "then" or kind == "do" then r:fail_expected("a value", context) end
  return operators(r, 0)
end

-- ------------------------------------------------------------------- statements

local function condition(r, after)
  local made = expression(r, "condition")
  if r.token.kind ~= after then r:fail_expected(("`%s`"):format(after), "condition") end
  r:advance()
  return made
end

local function if_statement(r)
  local first, clauses, otherwise = r.token, {}, nil
  repeat
    local opened = r:advance()
    local test = condition(r, "then")
    local body = block(r)
    clauses[#clauses + 1] = r:node("Clause", opened, { condition = test, body = body })
  until r.token.kind ~= "elseif"
  if r.token.kind == "else" then
    local opened = r:advance()
    if r.token.kind == "if" and r.token.line == opened.line then r.else_ifs[#r.else_ifs + 1] = r.token.line end
    otherwise = block(r)
  end
  r:expect_end(first)
  return r:node("If", first, { clauses = clauses, otherwise = otherwise })
end

local function while_statement(r)
  local first = r:advance()
  local test = condition(r, "do")
  local body = block(r)
  r:expect_end(first)
  return r:node("While", first, { condition = test, body = body })
end

local function repeat_statement(r)
  local first = r:advance()
  r:open_scope()
  local body = block(r, true)
  if r.token.kind ~= "until" then r:fail_expected(("the `until` of the `repeat` of line %d"):format(first.line)) end
  r:advance()
  local test = expression(r, "condition") -- it sees the locals of the block
  r:close_scope()
  return r:node("Repeat", first, { body = body, condition = test })
end

local function do_statement(r)
  local first = r:advance()
  local body = block(r)
  r:expect_end(first)
  return r:node("Do", first, { body = body })
end

local function for_statement(r)
  local first = r:advance()
  local names = { r:name(r:expect_name("a variable's name")) }
  local made
  if r:take("=") then
    made = { name = names[1], start = expression(r) }
    if r.token.kind == ";" then
      r:fail(first.line, "`;` in a for", ("write for %s = first, last do"):format(names[1].name))
    end
    r:expect(",")
    made.limit = expression(r)
    made.step = r:take(",") and expression(r) or nil
  else
    while r:take(",") do names[#names + 1] = r:name(r:expect_name("a variable's name")) end
    r:expect("in")
    made = { names = names, values = expressions(r) }
  end
  r:expect("do")
  r:open_scope()
  for _, name in ipairs(names) do r:declare(name, "loop") end
  made.body = block(r)
  r:close_scope()
  r:expect_end(first)
  return r:node(made.start and "NumericFor" or "GenericFor", first, made)
end

local function function_statement(r)
  local first = r:advance()
  if r.token.kind == "(" then
    r:fail(first.line, "a function without a name, which nothing takes",
      "write return before it where it is the rule, else local function and a name")
  end
  local target, is_method = r:resolve(r:expect_name("the function's name")), false
  local start = target
  while r.token.kind == "." or r.token.kind == ":" do
    is_method = r:advance().kind == ":"
    target = r:node("Index", start, { object = target, key = string_node(r:expect_name("a field's name"), true) })
    if is_method then break end
  end
  target.last = r.list[r.at - 1].last
  local made = function_node(r, first, is_method)
  target.sets = true
  return r:node("FunctionStatement", first, { target = target, made = made })
end

local function local_statement(r)
  local first = r:advance()
  if r:take("function") then
    local name = r:declare(r:name(r:expect_name("the function's name")), "local")
    local made = function_node(r, first)
    return r:node("LocalFunction", first, { name = name, made = made })
  end
  local names, values = {}, {}
  repeat
    local name = r:name(r:expect_name("the local's name"))
    if r:take("<") then
      name.attribute = r:expect_name("const or close").value
      r:expect(">")
    end
    names[#names + 1] = name
  until not r:take(",")
  if r:take("=") then values = expressions(r) end
  local made = r:node("Local", first, { names = names, values = values })
  for i, name in ipairs(names) do
    r:declare(name, "local").value = values[i]
  end
  return made
end

local function return_statement(r)
  local first, values = r:advance(), {}
  if not BLOCK_ENDS[r.token.kind] and r.token.kind ~= ";" then values = expressions(r) end
  local made = r:node("Return", first, { values = values })
  r:take(";")
  return made
end

local function label_statement(r)
  local first = r:advance()
  local name = r:expect_name("the label's name").value
  r:expect("::")
  return r:node("Label", first, { name = name })
end

local function goto_statement(r)
  local first = r:advance()
  local name = r:expect_name("a label's name").value
  return r:node("Goto", first, { name = name })
end

local function break_statement(r)
  local first = r:advance()
  return r:node("Break", first, {})
end

-- A call, or one or more targets, `=` and values.
local function other_statement(r)
  local first = r.token
  local targets = { suffixed(r) }
  if r.token.kind ~= "=" and r.token.kind ~= "," then
    if targets[1].kind == "Call" or targets[1].kind == "Method" then return targets[1] end
    r:fail_statement(first, targets[1], BINARY[r.token.kind] ~= nil)
  end
  while r:take(",") do targets[#targets + 1] = suffixed(r) end
  for _, target in ipairs(targets) do
    if target.kind ~= "Name" and target.kind ~= "Index" then r:fail_expected("a name or a field", "statement") end
    target.sets = true
  end
  r:expect("=")
  local values = expressions(r)
  return r:node("Assign", first, { targets = targets, values = values })
end

local STATEMENTS = {
  ["if"] = if_statement, ["while"] = while_statement, ["repeat"] = repeat_statement, ["do"] = do_statement,
  ["for"] = for_statement, ["function"] = function_statement, ["local"] = local_statement,
  ["return"] = return_statement, ["::"] = label_statement, ["goto"] = goto_statement, ["break"] = break_statement,
}

-- The statements up to the word that ends the block, which is left. `bare`: without a scope of its own.
function block(r, bare)
  local first, made = r.token, {}
  if not bare then r:open_scope() end
  while not BLOCK_ENDS[r.token.kind] do
    if not r:take(";") then
      r:enter()
      local statement = (STATEMENTS[r.token.kind] or other_statement)(r)
      r:leave()
      made[#made + 1] = statement
      if statement.kind == "Return" then break end
    end
  end
  if not bare then r:close_scope() end
  made.kind, made.line = "Block", made[1] and made[1].line or first.line
  made.first = made[1] and made[1].first or first.first
  made.last = made[1] and made[#made].last or first.first - 1
  return made
end

--- tokens.read()'s list -> the Block of the whole script.
function parser.parse(list)
  local r = reader.open(list)
  local made = block(r)
  if r.token.kind ~= "<eof>" then
    if made[1] and made[#made].kind == "Return" and not BLOCK_ENDS[r.token.kind] then
      r:fail_habit()
      r:fail(r.token.line, ("%s after `return`"):format(reader.show(r.token)),
        "nothing may follow return in its block: put it above, or remove it")
    end
    r:fail(r.token.line, ("%s, but nothing is open here"):format(reader.show(r.token)),
      "is there an `end` too many above?")
  end
  return made
end

return parser
