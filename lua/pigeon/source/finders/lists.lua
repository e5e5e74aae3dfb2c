--- Finds what a list cannot do: list.append(x), list + x, list[#list] = x, table.insert(x, list).
local kinds = require "pigeon.source.kinds"
local values = require "pigeon.source.values"

local APPENDS = { append = true, push = true, add = true, insert = true, push_back = true, extend = true }
local JOINS = { ["+"] = true, [".."] = true }

-- Whether it is a table that is made without keys, so that it has no functions of its own.
local function is_list(node)
  local made = values.resolve(node)
  if made.kind ~= "Table" then return false end
  for _, item in ipairs(made.items) do
    if item.key then return false end
  end
  return true
end

local function append_of(list, value, facts)
  local shown = facts.show(list)
  return ("write %s[#%s + 1] = %s"):format(shown, shown, value and facts.show(value) or "...")
end

local function check_append(node, object, name, given, facts)
  if not APPENDS[name] or not is_list(object) then return end
  facts.report(node, "error", ('a list has no "%s"'):format(name), append_of(object, given[1], facts))
end

local lists = {}

function lists.Method(node, _, facts)
  check_append(node, node.object, node.name.value, node.arguments, facts)
end

function lists.Call(node, _, facts)
  local callee, given = node.callee, node.arguments
  if callee.kind == "Index" and callee.key.kind == "String" and callee.key.bare then
    check_append(node, callee.object, callee.key.value, given, facts)
  end
  local first = given[1] and kinds.of(given[1]).kind
  if values.word(callee) == "table.insert" and given[2] and first and first ~= "table" then
    facts.report(node, "error", facts.show(given[1]) .. " is not a list, and table.insert takes that first",
      kinds.of(given[2]).kind == "table" and append_of(given[2], given[1], facts) or nil)
  end
end

-- destinations + "normal", destinations .. "normal"
function lists.Binop(node, _, facts)
  if not JOINS[node.op] then return end
  for _, pair in ipairs { { node.left, node.right }, { node.right, node.left } } do
    if values.began_as_table(pair[1]) and kinds.of(pair[2]).kind ~= "table" then
      return facts.report(node, "error", ("%s: `%s` cannot add to a list"):format(facts.show(node), node.op),
        append_of(pair[1], pair[2], facts))
    end
  end
end

-- destinations[#destinations] = "normal"
function lists.Assign(node, _, facts)
  for i, target in ipairs(node.targets) do
    local key, value = target.kind == "Index" and values.bare(target.key), node.values[i]
    local is_last = key and key.kind == "Unop" and key.op == "#"
      and facts.show(key.operand) == facts.show(target.object)
    if is_last and value and value.kind ~= "Nil" then
      facts.report(target, "warning", facts.show(target) .. " is the last entry, which this replaces",
        ("to add one, write %s[#%s + 1]"):format(facts.show(target.object), facts.show(target.object)))
    end
  end
end

return lists
