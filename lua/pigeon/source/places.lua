--- The places in a script's tree where it decides: verdicts, destinations, conditions, statements.
--
-- A condition is what can turn out true or false: each comparison, wherever it stands, and each operand
-- that if, elseif, while, until, and, or and not look at. `a and not b` has two, a and b; a constant
-- and what is never false (a number, a sum, a text) is none. The value after `or` in
-- `object.size or 0` is none either: nothing looks at it.
local source = require "pigeon.source"

local places = {}

local VERDICTS <const> = { accept = true, defer = true, ignore = true }
local COMPARISONS <const> = { ["=="] = true, ["~="] = true, ["<"] = true, ["<="] = true, [">"] = true, [">="] = true }
-- What is looked at, and may be nil or false.
local OPEN <const> = { Name = true, Index = true, Call = true, Method = true, Vararg = true }
local STATEMENTS <const> = {
  Local = true, LocalFunction = true, FunctionStatement = true, Assign = true, If = true, While = true, Repeat = true,
  NumericFor = true, GenericFor = true, Do = true, Return = true, Break = true, Goto = true, Call = true, Method = true,
}

-- The word that an expression is, also through `local no = ignore`; or nil.
local function word_of(node)
  for _ = 1, 20 do -- local a = a has an end, too
    if node.kind ~= "Name" then return nil end
    if not node.declaration then return node.name end
    node = node.declaration.value or { kind = "Nil" }
  end
end

-- ------------------------------------------------------------------------ destinations

-- Whether an expression is exactly one value wherever it stands.
local function is_single(node)
  if node.kind == "Call" then return word_of(node.callee) == "exchange" end
  return node.kind ~= "Method" and node.kind ~= "Vararg"
end

-- The declarations of the lists that are given to accept, as a set.
local function lists_of(verdicts)
  local lists = {}
  for _, verdict in ipairs(verdicts) do
    local list = verdict.word == "accept" and verdict.node.arguments[2]
    if list and list.kind == "Name" and list.declaration then lists[list.declaration] = true end
  end
  return lists
end

-- What is put into these lists. A list that is made above all functions is left out: it is there
-- before the first object.
local function destinations_of(tree, verdicts)
  local found, known = {}, {}
  local lists = lists_of(verdicts)

  local function add(node)
    if known[node] or not is_single(node) then return end
    known[node] = true
    found[#found + 1] = node
  end

  local function add_items(node)
    if not node or node.kind ~= "Table" then return end
    for _, item in ipairs(node.items) do add(item.value) end
  end

  local function is_list(node)
    return node and node.kind == "Name" and node.declaration and lists[node.declaration]
  end

  local function visit(node)
    if node.kind == "Call" and word_of(node.callee) == "accept" then
      add_items(node.arguments[2])
    elseif node.kind == "Local" then
      for i, name in ipairs(node.names) do
        if lists[name] and name.inside then add_items(node.values[i]) end
      end
    elseif node.kind == "Assign" and #node.targets == #node.values then
      for i, target in ipairs(node.targets) do
        if target.kind == "Index" and is_list(target.object) then add(node.values[i]) end
        if is_list(target) then add_items(node.values[i]) end
      end
    elseif node.kind == "Call" and node.callee.kind == "Index" and node.callee.key.value == "insert"
      and is_list(node.arguments[1]) and #node.arguments > 1 then
      add(node.arguments[#node.arguments])
    end
  end

  source.walk(tree, visit)
  return found
end

-- ------------------------------------------------------------------------ all places

--- A tree -> {
--   verdicts = {{node = a Call, word = "accept", "defer" or "ignore"}, ...},
--   destinations = {an expression, ...}: what is put into a list that is given to accept,
--   conditions = {an expression, ...},
--   statements = {{node, block = the Block it stands in, owner = that Block's parent}, ...}},
-- each in the order of the text.
function places.of(tree)
  local found = { verdicts = {}, conditions = {}, statements = {} }
  local tested = {} -- the nodes whose truth something looks at
  local owners = {} -- a Block -> its parent

  local function test(node)
    if node.kind == "Clause" or node.kind == "While" or node.kind == "Repeat" then
      tested[node.condition] = true
    elseif node.kind == "Binop" and (node.op == "and" or node.op == "or") then
      tested[node.left], tested[node.right] = true, tested[node]
    elseif node.kind == "Unop" and node.op == "not" then
      tested[node.operand] = true
    elseif node.kind == "Paren" then
      tested[node.inner] = tested[node]
    end
  end

  local function visit(node, parent)
    test(node)
    if node.kind == "Block" then owners[node] = parent or {} end
    if parent and parent.kind == "Block" and STATEMENTS[node.kind] then
      table.insert(found.statements, { node = node, block = parent, owner = owners[parent] })
    end
    if node.kind == "Call" and VERDICTS[word_of(node.callee)] then
      table.insert(found.verdicts, { node = node, word = word_of(node.callee) })
    end
    if node.kind == "Binop" and COMPARISONS[node.op] or tested[node] and OPEN[node.kind] then
      table.insert(found.conditions, node)
    end
  end

  source.walk(tree, visit)
  found.destinations = destinations_of(tree, found.verdicts)
  return found
end

return places
