--- Whether a block always leaves its function, so that what follows it is never reached.
local values = require "pigeon.source.values"

local endings = {}

local function of_statement(node)
  if node.kind == "Return" or node.kind == "Goto" then return true end
  if node.kind == "Call" then return values.word(node.callee) == "error" end
  if node.kind == "Do" then return endings.of_block(node.body) end
  if node.kind == "While" then return node.condition.kind == "True" end
  if node.kind ~= "If" or not node.otherwise then return false end
  for _, clause in ipairs(node.clauses) do
    if not endings.of_block(clause.body) then return false end
  end
  return endings.of_block(node.otherwise)
end

--- A Block -> true or false.
function endings.of_block(block)
  return block[1] ~= nil and of_statement(block[#block])
end

return endings
