--- A script's mutants: its text with one change each, a mistake that somebody could make.
local places = require "pigeon.source.places"
local source = require "pigeon.source"

local mutants = {}

-- What each operator becomes.
local OPERATORS <const> = {
  ["=="] = { "~=" }, ["~="] = { "==" }, ["<"] = { "<=", ">=" }, ["<="] = { "<", ">" }, [">"] = { ">=", "<=" },
  [">="] = { ">", "<" }, ["and"] = { "or" }, ["or"] = { "and" }, ["+"] = { "-" }, ["-"] = { "+" },
  ["*"] = { "/" }, ["/"] = { "*" }, ["//"] = { "*" }, ["%"] = { "*" },
}
local ORDER <const> = { ["<"] = true, ["<="] = true, [">"] = true, [">="] = true }
-- What is dropped; without its declarations a script only fails.
local DROPPED <const> = {
  Assign = true, Call = true, Method = true, If = true, While = true, Repeat = true, NumericFor = true,
  GenericFor = true, Do = true, Return = true, Break = true, Goto = true,
}

-- "0" -> "1", "put" -> "puu", "" -> "x"
local function other_string(value)
  local last = value:sub(-1)
  if last:find("%d") then return value:sub(1, -2) .. (tonumber(last) + 1) % 10 end
  if last:find("[a-yA-Y]") then return value:sub(1, -2) .. string.char(last:byte() + 1) end
  return value .. "x"
end

local function quoted(value)
  return (("%q"):format(value):gsub("\\\n", "\\n"))
end

-- Whether nothing else is in the branch of an `if` that has one: without the `if` it is the same.
local function is_whole_branch(statement)
  local owner = statement.owner
  return #statement.block == 1 and owner.kind == "Clause" and owner.is_only
end

local function is_sample(node)
  return node.kind == "Call" and node.callee.kind == "Name" and node.callee.name == "sample"
end

--- A file's bytes and its name -> a list of {line, text = the whole mutated text, before, after = the
-- lines that differ}, in the order of the text, or nil and why it does not parse.
function mutants.of(text, name)
  local tree, problem = source.parse(text, name)
  if not tree then return nil, problem end
  local list = {}

  local function add(first, last, replacement)
    local mutated = text:sub(1, first - 1) .. replacement .. text:sub(last + 1)
    list[#list + 1] = { first = first, order = #list, text = mutated, replaced = last, by = replacement }
  end

  local function add_operators(node)
    for _, operator in ipairs(OPERATORS[node.op] or {}) do add(node.op_first, node.op_last, operator) end
    local threshold = ORDER[node.op] and (is_sample(node.left) and node.right or is_sample(node.right) and node.left)
    if threshold and threshold.kind ~= "Number" then -- a number has mutants of its own
      add(threshold.last + 1, threshold.last, " + 1")
      add(threshold.last + 1, threshold.last, " - 1")
    end
  end

  local function add_constants(node)
    if node.kind == "Number" and node.value + 1 ~= node.value then
      add(node.first, node.last, tostring(node.value + 1))
      if node.value >= 1 then add(node.first, node.last, tostring(node.value - 1)) end
    elseif node.kind == "String" and not node.bare then
      add(node.first, node.last, quoted(other_string(node.value)))
    elseif node.kind == "True" or node.kind == "False" then
      add(node.first, node.last, node.kind == "True" and "false" or "true")
    end
  end

  local negated = {} -- the operands of not
  source.walk(tree, function(node)
    if node.kind == "If" then
      for _, clause in ipairs(node.clauses) do clause.is_only = #node.clauses == 1 and not node.otherwise end
    elseif node.kind == "Binop" then
      add_operators(node)
    elseif node.kind == "Unop" and node.op == "not" then
      add(node.op_first, node.op_last, "")
      negated[node.operand] = true
    end
    add_constants(node)
  end)

  local found = places.of(tree)
  for _, node in ipairs(found.conditions) do
    if node.kind ~= "Binop" and not negated[node] then add(node.first, node.first - 1, " not ") end
  end
  for _, verdict in ipairs(found.verdicts) do
    local callee = verdict.node.callee
    if verdict.word == "accept" then
      add(verdict.node.first, verdict.node.last, 'ignore("not accepted")')
    else
      add(callee.first, callee.last, verdict.word == "defer" and "ignore" or "defer")
    end
  end
  for _, statement in ipairs(found.statements) do
    local node = statement.node
    local is_result = node.kind == "Return" and statement.block == tree
    if DROPPED[node.kind] and not is_result and not is_whole_branch(statement) then
      add(node.first, node.last, (text:sub(node.first, node.last):gsub("[^\r\n]", "")))
    end
  end
  return mutants.shown(text, list)
end

-- The number of the line that has this byte.
local function line_at(text, position)
  return select(2, text:sub(1, position - 1):gsub("\n", "")) + 1
end

-- The whole lines of text[first..last].
local function lines_of(text, first, last)
  local from = text:sub(1, first - 1):match(".*\n()") or 1
  local to = text:find("\n", math.max(first, last), true) or #text + 1
  return (text:sub(from, to - 1):gsub("%s+$", ""))
end

--- Sorts the mutants, and gives each its line, before and after.
function mutants.shown(text, list)
  table.sort(list, function(a, b)
    if a.first ~= b.first then return a.first < b.first end
    return a.order < b.order
  end)
  local shown = {}
  for i, mutant in ipairs(list) do
    local first, last = mutant.first, mutant.replaced
    shown[i] = {
      line = line_at(text, first), text = mutant.text, before = lines_of(text, first, last),
      after = lines_of(mutant.text, first, first + #mutant.by - 1),
    }
  end
  return shown
end

return mutants
