--- What an expression of a script stands for: the node behind a name, the constant, the word, the function.
-- A name stands for its value where it is never assigned to again.
local values = {}

--- The node without parentheses around it.
function values.bare(node)
  while node.kind == "Paren" do node = node.inner end
  return node
end

local function add_operands(node, op, list)
  node = values.bare(node)
  if node.kind == "Binop" and node.op == op then
    add_operands(node.left, op, list)
    add_operands(node.right, op, list)
  else
    list[#list + 1] = node
  end
  return list
end

--- `a or (b or c)`, "or" -> the nodes a, b and c: what stands around an operator, in the order of the script.
function values.operands(node, op)
  return add_operands(node, op, {})
end

--- Whether a declaration keeps its first value: nothing assigns to it.
function values.is_steady(declaration)
  for _, use in ipairs(declaration.uses) do
    if use.sets then return false end
  end
  return true
end

--- The declaration of a name that always has its first value; nil for others.
function values.steady(node)
  local declaration = node.kind == "Name" and node.declaration
  return declaration and values.is_steady(declaration) and declaration or nil
end

--- A node -> the node that it stands for: through parentheses, and names that never change.
function values.resolve(node)
  for _ = 1, 20 do
    node = values.bare(node)
    local declaration = values.steady(node)
    if not declaration or not declaration.value then return node end
    node = declaration.value
  end
  return node
end

--- A node -> the string or number that it always is, or nil.
function values.constant(node)
  node = values.resolve(node)
  if node.kind == "String" or node.kind == "Number" then return node.value end
  if node.kind == "Unop" and node.op == "-" then
    local value = values.constant(node.operand)
    return type(value) == "number" and -value or nil
  end
  if node.kind == "Binop" and node.op == ".." then
    local left, right = values.constant(node.left), values.constant(node.right)
    return left and right and left .. right
  end
  if node.kind == "Binop" then -- 20 * 1024 * 1024
    local left, right = values.constant(node.left), values.constant(node.right)
    if type(left) ~= "number" or type(right) ~= "number" then return nil end
    if node.op == "*" then return left * right end
    if node.op == "+" then return left + right end
    if node.op == "-" then return left - right end
  end
end

--- Whether it is a table that the text makes, or a name whose first value is one.
function values.began_as_table(node)
  node = values.bare(node)
  local first = node.kind == "Name" and node.declaration and node.declaration.value
  return node.kind == "Table" or first and first.kind == "Table" or values.resolve(node).kind == "Table"
end

--- The callee of a call -> "accept", or "string.sub" for a library's, where it is a word; or nil.
function values.word(callee)
  callee = values.resolve(callee)
  if callee.kind == "Name" and not callee.declaration then return callee.name end
  if callee.kind == "Index" and callee.key.kind == "String" then
    local object = values.resolve(callee.object)
    local library = object.kind == "Name" and not object.declaration and object.name
    if library == "string" or library == "table" or library == "math" then return library .. "." .. callee.key.value end
  end
end

--- The callee of a call -> the Function that it calls, where the text has it; or nil.
function values.called(callee)
  callee = values.bare(callee)
  local declaration = values.steady(callee)
  if declaration and declaration.made then return declaration.made end
  callee = values.resolve(callee)
  return callee.kind == "Function" and callee or nil
end

return values
