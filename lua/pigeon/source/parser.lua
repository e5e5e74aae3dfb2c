--- Lua 5.4's grammar: a list of tokens to the tree that init.lua describes. Raises {line, what, fix}.
--
-- Each name is resolved while it is read: `scope` is a chain of tables from a name to its declaration.
-- What needs more than the grammar (goto, a <const> that is set) is left to Lua's own compiler.
local spelling = require "pigeon.source.spelling"

local parser = {}

local DEEPEST = 200 -- as Lua has it

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
-- What a statement may begin with.
local FIRST_WORDS = { "local", "return", "function", "if", "for", "while", "repeat", "else", "elseif", "end", "goto" }
local SIMPLE = { ["nil"] = "Nil", ["true"] = "True", ["false"] = "False", ["..."] = "Vararg",
  ["string"] = "String", ["number"] = "Number" }

-- The state of one parse.
local list, at, token -- the tokens, the number of the current one, and itself
local scope -- {names = name -> declaration, outer}, of the current block
local inside -- the Function node that is being read, or nil in the script's own chunk
local depth
local else_ifs -- the lines that have `else if`

local function fail(line, what, fix)
  error({ line = line, what = what, fix = fix }, 0)
end

local function advance()
  local taken = token
  at = at + 1
  token = list[at]
  return taken
end

local function show(which)
  if which.kind == "<eof>" then return "the end of the file" end
  if which.kind == "string" then return "a string" end
  return ("`%s`"):format(which.value or which.kind)
end

-- `end` is missing; an `else if` before it is the usual reason.
local function fail_end(opened)
  local lines = {}
  for _, line in ipairs(else_ifs) do
    if line >= opened.line then lines[#lines + 1] = line end
  end
  local what = ("`end` is missing for the `%s` of line %d"):format(opened.kind, opened.line)
  if lines[1] then
    fail(lines[1], ("`else if` begins an `if` of its own, so %s"):format(what), "write elseif, in one word")
  end
  fail(token.line, what .. (", before %s"):format(show(token)), "write end where it ends")
end

-- What stands there in place of `wanted`, in words for the mistakes that have a name.
local function fail_expected(wanted, context)
  local before = list[at - 1]
  if token.kind == "=" and context == "condition" then
    fail(token.line, "`=` in a condition; it sets a value", '"is" is written ==')
  end
  if token.kind == "=" and before and before.kind == "=" then
    fail(token.line, "`= =`", '"is" is written ==, without a space')
  end
  if (token.kind == "&" or token.kind == "|") and before and before.kind == token.kind then
    fail(token.line, ("Lua has no `%s%s`"):format(token.kind, token.kind),
      token.kind == "&" and "write and" or "write or")
  end
  if token.kind == "=" and before and BINARY[before.kind] and not before.kind:find("%a") then
    fail(token.line, ("Lua has no `%s=`"):format(before.kind),
      before.kind == ">" or before.kind == "<" and "write >= or <= without a space"
      or ("write x = x %s ..."):format(before.kind))
  end
  if token.kind == "=" and context == "statement" then
    fail(token.line, "`=` sets a value, and only a name or a field can have one", '"is" is written ==')
  end
  fail(token.line, ("%s is missing before %s"):format(wanted, show(token)), before and before.kind == "string"
    and "does a text here lack a quote?" or "look at this line and the one above")
end

local function expect(kind, context)
  if token.kind ~= kind then fail_expected(("`%s`"):format(kind), context) end
  return advance()
end

local function expect_end(opened)
  if token.kind ~= "end" then fail_end(opened) end
  return advance()
end

local function take(kind)
  return token.kind == kind and advance()
end

local function expect_name(what)
  if token.kind ~= "name" then fail_expected(what or "a name") end
  return advance()
end

-- Makes a node from `first`, a token or a node, to the last token that was taken.
local function node(kind, first, fields)
  fields.kind, fields.first, fields.line = kind, first.first, first.line
  fields.last = list[at - 1].last
  return fields
end

local function enter()
  depth = depth + 1
  if depth > DEEPEST then
    fail(token.line, ("nested more than %d deep (each `..` counts)"):format(DEEPEST), "split it into several lines")
  end
end

local function leave()
  depth = depth - 1
end

local function open_scope()
  scope = { names = {}, outer = scope }
end

local function close_scope()
  scope = scope.outer
end

-- A declaration hides those before it from here on.
local function declare(declaration, what)
  declaration.declares, declaration.uses = what, {}
  local outer = scope
  while outer and not outer.names[declaration.name] do outer = outer.outer end
  declaration.hides = outer and outer.names[declaration.name] or nil
  scope.names[declaration.name] = declaration
  return declaration
end

local function name_node(taken)
  return { kind = "Name", name = taken.value, first = taken.first, last = taken.last, line = taken.line,
    inside = inside }
end

local function resolved(taken)
  local use, where = name_node(taken), scope
  while where and not where.names[use.name] do where = where.outer end
  if where then
    use.declaration = where.names[use.name]
    use.declaration.uses[#use.declaration.uses + 1] = use
  end
  return use
end

local expression, block -- set below

local function expressions(context)
  local values = { expression(context) }
  while take(",") do values[#values + 1] = expression(context) end
  return values
end

-- ------------------------------------------------------------------- expressions

local function string_node(taken, bare)
  return { kind = "String", value = taken.value, bare = bare or nil, first = taken.first, last = taken.last,
    line = taken.line }
end

-- After `function` and its name: parameters, block, end.
local function function_node(first, is_method)
  local made = { kind = "Function", parameters = {}, inside = inside, line = first.line }
  local outer = inside
  inside = made
  open_scope()
  if is_method then
    declare({ kind = "Name", name = "self", first = token.first, last = token.first - 1, line = token.line,
      inside = made }, "self")
  end
  expect("(")
  if token.kind ~= ")" then
    repeat
      if take("...") then
        made.is_vararg = true
        break
      end
      local parameter = name_node(expect_name("a parameter's name"))
      made.parameters[#made.parameters + 1] = declare(parameter, "parameter")
    until not take(",")
  end
  expect(")")
  made.body = block()
  expect_end({ kind = "function", line = first.line })
  close_scope()
  inside = outer
  return node("Function", first, made)
end

local function table_item()
  local first = token
  if token.kind == "name" and list[at + 1].kind == "=" then
    local key = string_node(advance(), true)
    advance()
    return node("Item", first, { key = key, value = expression() })
  end
  if take("[") then
    local key = expression()
    expect("]")
    expect("=")
    return node("Item", first, { key = key, value = expression() })
  end
  return node("Item", first, { value = expression() })
end

local function table_node()
  local first, items = expect("{"), {}
  while token.kind ~= "}" do
    items[#items + 1] = table_item()
    if not take(",") and not take(";") then break end
  end
  if token.kind ~= "}" then
    fail_expected(("a comma, or the `}` of the `{` of line %d,"):format(first.line))
  end
  advance()
  return node("Table", first, { items = items })
end

local function arguments_of()
  if token.kind == "string" then return { string_node(advance()) } end
  if token.kind == "{" then return { table_node() } end
  local open = expect("(")
  local arguments = token.kind == ")" and {} or expressions("arguments")
  if token.kind ~= ")" then
    fail_expected(("the `)` of the `(` of line %d"):format(open.line), "condition")
  end
  advance()
  return arguments
end

local function primary()
  local first = token
  if token.kind == "name" then return resolved(advance()) end
  if token.kind == "(" then
    advance()
    local inner = expression("condition")
    expect(")", "condition")
    return node("Paren", first, { inner = inner })
  end
  fail_expected("a value")
end

-- A name, an index, a call: what a statement can begin with.
local function suffixed()
  local first = token
  local made = primary()
  while true do
    if take(".") then
      local key = string_node(expect_name("a field's name"), true)
      made = node("Index", first, { object = made, key = key })
    elseif take("[") then
      local key = expression()
      expect("]")
      made = node("Index", first, { object = made, key = key })
    elseif take(":") then
      local name = string_node(expect_name("a method's name"), true)
      local line = token.line
      if token.kind ~= "(" and token.kind ~= "string" and token.kind ~= "{" then fail_expected("`(`") end
      local arguments = arguments_of()
      made = node("Method", first, { object = made, name = name, arguments = arguments, call_line = line })
    elseif token.kind == "(" or token.kind == "string" or token.kind == "{" then
      local line = token.line
      local arguments = arguments_of()
      made = node("Call", first, { callee = made, arguments = arguments, call_line = line })
    else
      return made
    end
  end
end

local function simple()
  local kind = SIMPLE[token.kind]
  if kind then
    if kind == "Vararg" and inside and not inside.is_vararg then
      fail(token.line, "`...` in a function that takes none", "write function(...)")
    end
    local taken = advance()
    return { kind = kind, value = taken.value, first = taken.first, last = taken.last, line = taken.line }
  end
  if token.kind == "{" then return table_node() end
  if token.kind == "function" then return function_node(advance()) end
  return suffixed()
end

-- An expression whose binary operators bind tighter than `limit`.
local function operators(limit)
  enter()
  local first, made = token
  if UNARY[token.kind] then
    local op = advance()
    local operand = operators(UNARY_PRIORITY)
    made = node("Unop", first, { op = op.kind, operand = operand, op_first = op.first, op_last = op.last })
  else
    made = simple()
  end
  while BINARY[token.kind] and BINARY[token.kind][1] > limit do
    local op = advance()
    local right = operators(BINARY[op.kind][2])
    made = node("Binop", first, { op = op.kind, left = made, right = right, op_first = op.first, op_last = op.last,
      op_line = op.line })
  end
  leave()
  return made
end

function expression(context)
  if BLOCK_ENDS[token.kind] or token.kind == "then" or token.kind == "do" then fail_expected("a value", context) end
  return operators(0)
end

-- ------------------------------------------------------------------- statements

local function condition(after)
  local made = expression("condition")
  if token.kind ~= after then fail_expected(("`%s`"):format(after), "condition") end
  advance()
  return made
end

local function if_statement()
  local first, clauses, otherwise = token, {}, nil
  repeat
    local opened = advance()
    local test = condition("then")
    local body = block()
    clauses[#clauses + 1] = node("Clause", opened, { condition = test, body = body })
  until token.kind ~= "elseif"
  if token.kind == "else" then
    local opened = advance()
    if token.kind == "if" and token.line == opened.line then else_ifs[#else_ifs + 1] = token.line end
    otherwise = block()
  end
  expect_end(first)
  return node("If", first, { clauses = clauses, otherwise = otherwise })
end

local function while_statement()
  local first = advance()
  local test = condition("do")
  local body = block()
  expect_end(first)
  return node("While", first, { condition = test, body = body })
end

local function repeat_statement()
  local first = advance()
  open_scope()
  local body = block(true)
  if token.kind ~= "until" then fail_expected(("the `until` of the `repeat` of line %d"):format(first.line)) end
  advance()
  local test = expression("condition") -- it sees the locals of the block
  close_scope()
  return node("Repeat", first, { body = body, condition = test })
end

local function do_statement()
  local first = advance()
  local body = block()
  expect_end(first)
  return node("Do", first, { body = body })
end

local function for_statement()
  local first = advance()
  local names = { name_node(expect_name("a variable's name")) }
  local made
  if take("=") then
    made = { name = names[1], start = expression() }
    expect(",")
    made.limit = expression()
    made.step = take(",") and expression() or nil
  else
    while take(",") do names[#names + 1] = name_node(expect_name("a variable's name")) end
    expect("in")
    made = { names = names, values = expressions() }
  end
  expect("do")
  open_scope()
  for _, name in ipairs(names) do declare(name, "loop") end
  made.body = block()
  close_scope()
  expect_end(first)
  return node(made.start and "NumericFor" or "GenericFor", first, made)
end

local function function_statement()
  local first = advance()
  local target, is_method = resolved(expect_name("the function's name")), false
  local start = target
  while token.kind == "." or token.kind == ":" do
    is_method = advance().kind == ":"
    target = node("Index", start, { object = target, key = string_node(expect_name("a field's name"), true) })
    if is_method then break end
  end
  target.last = list[at - 1].last
  local made = function_node(first, is_method)
  target.sets = true
  return node("FunctionStatement", first, { target = target, made = made })
end

local function local_statement()
  local first = advance()
  if take("function") then
    local name = declare(name_node(expect_name("the function's name")), "local")
    local made = function_node(first)
    return node("LocalFunction", first, { name = name, made = made })
  end
  local names, values = {}, {}
  repeat
    local name = name_node(expect_name("the local's name"))
    if take("<") then
      name.attribute = expect_name("const or close").value
      expect(">")
    end
    names[#names + 1] = name
  until not take(",")
  if take("=") then values = expressions() end
  local made = node("Local", first, { names = names, values = values })
  for i, name in ipairs(names) do
    declare(name, "local").value = values[i]
  end
  return made
end

local function return_statement()
  local first, values = advance(), {}
  if not BLOCK_ENDS[token.kind] and token.kind ~= ";" then values = expressions() end
  local made = node("Return", first, { values = values })
  take(";")
  return made
end

local function label_statement()
  local first = advance()
  local name = expect_name("the label's name").value
  expect("::")
  return node("Label", first, { name = name })
end

local function goto_statement()
  local first = advance()
  local name = expect_name("a label's name").value
  return node("Goto", first, { name = name })
end

local function break_statement()
  local first = advance()
  return node("Break", first, {})
end

-- A call, or one or more targets, `=` and values.
local function other_statement()
  local first = token
  local targets = { suffixed() }
  if token.kind ~= "=" and token.kind ~= "," then
    if targets[1].kind == "Call" or targets[1].kind == "Method" then return targets[1] end
    if token.kind == "name" and targets[1].kind == "Name" then
      fail(first.line, ("`%s %s` is not Lua"):format(targets[1].name, token.value),
        spelling.did_you_mean(targets[1].name, FIRST_WORDS) or "write = to set a value, ( to call a function")
    end
    fail_expected(("`=`, or `(` for a call, after `%s`"):format(show(list[at - 1]):gsub("`", "")), "value")
  end
  while take(",") do targets[#targets + 1] = suffixed() end
  for _, target in ipairs(targets) do
    if target.kind ~= "Name" and target.kind ~= "Index" then fail_expected("a name or a field", "statement") end
    target.sets = true
  end
  expect("=")
  local values = expressions()
  return node("Assign", first, { targets = targets, values = values })
end

local STATEMENTS = {
  ["if"] = if_statement, ["while"] = while_statement, ["repeat"] = repeat_statement, ["do"] = do_statement,
  ["for"] = for_statement, ["function"] = function_statement, ["local"] = local_statement,
  ["return"] = return_statement, ["::"] = label_statement, ["goto"] = goto_statement, ["break"] = break_statement,
}

-- The statements up to the word that ends the block, which is left. `bare`: without a scope of its own.
function block(bare)
  local first, made = token, {}
  if not bare then open_scope() end
  while not BLOCK_ENDS[token.kind] do
    if not take(";") then
      enter()
      local statement = (STATEMENTS[token.kind] or other_statement)()
      leave()
      made[#made + 1] = statement
      if statement.kind == "Return" then break end
    end
  end
  if not bare then close_scope() end
  made.kind, made.line = "Block", made[1] and made[1].line or first.line
  made.first = made[1] and made[1].first or first.first
  made.last = made[1] and made[#made].last or first.first - 1
  return made
end

--- tokens.read()'s list -> the Block of the whole script.
function parser.parse(all)
  list, at, token = all, 1, all[1]
  scope, inside, depth, else_ifs = nil, nil, 0, {}
  local made = block()
  if token.kind ~= "<eof>" then
    if list[at - 1] and made[#made] and made[#made].kind == "Return" and not BLOCK_ENDS[token.kind] then
      fail(token.line, ("%s after `return`"):format(show(token)), "return is the last statement of its block")
    end
    fail(token.line, ("%s, but nothing is open here"):format(show(token)), "is there an `end` too many above?")
  end
  list, token, scope = nil, nil, nil
  return made
end

return parser
