--- Finds `+` between texts: PREFIX + id.
local kinds = require "pigeon.source.kinds"
local values = require "pigeon.source.values"

local WHOLE = { id = true, field = true, ["queue name"] = true }

-- Whether the value is a text that is not a number.
local function is_text(node)
  local constant, fact = values.constant(node), kinds.of(node)
  if constant then return type(constant) == "string" and not tonumber(constant) end
  return fact.kind == "string" and WHOLE[fact.from] == true
end

-- Those of a sum within it, too; each sum that was seen is noted in it.
local function summands(node, list)
  while node.kind == "Paren" do node = node.inner end
  if node.kind == "Binop" and node.op == "+" then
    list.sums[node] = true
    summands(node.left, list)
    summands(node.right, list)
  else
    list[#list + 1] = node
  end
  return list
end

local sums = {}

--- Whether the node is a sum with a text in it.
function sums.is_of_texts(node)
  node = values.resolve(node)
  if node.kind ~= "Binop" or node.op ~= "+" then return false end
  local any = false
  for _, summand in ipairs(summands(node, { sums = {} })) do
    if values.began_as_table(summand) then return false end -- finders/lists.lua reports it
    any = any or is_text(summand)
  end
  return any
end

function sums.Binop(node, _, facts)
  if node.op ~= "+" or facts.sums and facts.sums[node] or not sums.is_of_texts(node) then return end
  facts.sums = facts.sums or {}
  local shown = summands(node, { sums = facts.sums })
  for i, summand in ipairs(shown) do shown[i] = facts.show(summand) end
  facts.report(node, "error", facts.show(node) .. " adds a text, which is an error when it runs",
    "write " .. table.concat(shown, " .. "))
end

return sums
