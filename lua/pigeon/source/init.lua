--- What stands in the text of a script: its tree, without running anything.
--
-- Each node has `kind`, `first` and `last` (its first and last byte in the file's bytes, so that
-- text:sub(node.first, node.last) is what was written) and `line`, where it begins. The tree is a
-- Block. The kinds, with what each has (a * is a list, a ? may be nil):
--
--   statements
--     Block         [1..n] statements; a Call or Method that stands in a Block is one
--     Local         names* (declarations; attribute? is "const" or "close"), values*
--     LocalFunction name (a declaration), made (a Function)
--     FunctionStatement  target (a Name or Index), made
--     Assign        targets* (Name or Index), values*
--     If            clauses* (Clause: condition, body), otherwise? (the Block after else)
--     While         condition, body
--     Repeat        body, condition
--     NumericFor    name (a declaration), start, limit, step?, body
--     GenericFor    names* (declarations), values*, body
--     Do            body
--     Return        values*
--     Break; Goto, Label: name (a text)
--   expressions
--     Name          name (a text); a use has declaration?, nil for a global, and sets = true where it
--                   is assigned to; a declaration has declares ("local", "parameter", "loop", "self"),
--                   uses* (its Names), hides? (the declaration it hides), and, of a Local, value?
--                   Each has inside?: the Function node it stands in, nil above all functions
--     String        value; bare = true where it has no quotes: t.name, t:name(), { name = 1 }
--     Number        value
--     Nil, True, False, Vararg
--     Function      parameters* (declarations), is_vararg?, body, inside?
--     Table         items* (Item: key?, value)
--     Index         object, key
--     Call          callee, arguments*, call_line (that Lua reports for the call)
--     Method        object, name (a String), arguments*, call_line
--     Binop         op, left, right, op_first, op_last (the operator's bytes), op_line
--     Unop          op, operand, op_first, op_last
--     Paren         inner
--
-- A condition is the `condition` of Clause, While and Repeat, and the operands of and, or and not
-- in it. An elseif is one more Clause.
local parser = require "pigeon.source.parser"
local script_text = require "pigeon.rules.script_text"
local tokens = require "pigeon.source.tokens"

local source = {}

-- The members that hold nodes or lists of nodes, in the order of the text.
local CHILDREN = {
  Local = { "names", "values" }, LocalFunction = { "name", "made" }, FunctionStatement = { "target", "made" },
  Assign = { "targets", "values" }, If = { "clauses", "otherwise" }, Clause = { "condition", "body" },
  While = { "condition", "body" }, Repeat = { "body", "condition" },
  NumericFor = { "name", "start", "limit", "step", "body" }, GenericFor = { "names", "values", "body" },
  Do = { "body" }, Return = { "values" }, Function = { "parameters", "body" }, Table = { "items" },
  Item = { "key", "value" }, Index = { "object", "key" }, Call = { "callee", "arguments" },
  Method = { "object", "name", "arguments" }, Binop = { "left", "right" }, Unop = { "operand" }, Paren = { "inner" },
}

-- What Lua's compiler finds and the parser does not look at: goto, break, <const>, too many locals.
local function compiler_problem(text)
  local chunk, problem = load(text:sub(script_text.start(text)), "=script", "t")
  if chunk then return nil end
  local line, what = problem:match("^script:(%d+): (.*)$")
  local broken = what and what:match("^break outside a? ?loop at line (%d+)")
  if broken then
    return { line = tonumber(broken), what = "break outside of a loop", fix = "a rule ends with return" }
  end
  return { line = tonumber(line) or 1, what = what or problem }
end

--- A script file's bytes, and its name -> its tree; or nil and {file, line, what, fix or nil}, why Lua
-- would not load it.
function source.parse(text, name)
  local ok, result = pcall(function() return parser.parse(tokens.read(text)) end)
  if not ok and type(result) ~= "table" then error(result, 0) end
  local problem = not ok and result or compiler_problem(text)
  if not problem then return result end
  problem.file = name
  return nil, problem
end

local function walk(node, visit, parent)
  if visit(node, parent) == false then return end
  if node.kind == "Block" then
    for i = 1, #node do walk(node[i], visit, node) end
    return
  end
  for _, field in ipairs(CHILDREN[node.kind] or {}) do
    local child = node[field]
    if child and child.kind then
      walk(child, visit, node)
    elseif child then
      for i = 1, #child do walk(child[i], visit, node) end
    end
  end
end

--- Calls visit(node, parent) for each node of the tree, a parent before its children, in the order of
-- the text. Where visit returns false, the node's children are left out.
function source.walk(tree, visit)
  walk(tree, visit, nil)
end

return source
