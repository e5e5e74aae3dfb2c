--- Finds reasons that are made up at run time: they are counted by, so each is a constant.
local kinds = require "pigeon.source.kinds"
local sums = require "pigeon.source.finders.sums"
local values = require "pigeon.source.values"

local MOST_BYTES = 200

local is_made -- set below

local function any(nodes)
  for _, node in ipairs(nodes) do
    if is_made(node) then return true end
  end
  return false
end

-- A parameter is made up where one of the calls gives such a text.
local function is_made_parameter(declaration)
  for _, call in ipairs(declaration.owner.calls or {}) do
    local given = call.arguments[declaration.place]
    if given and is_made(given) then return true end
  end
  return false
end

function is_made(node)
  if node.judging ~= nil then return node.judging end
  node.judging = false -- for a name that is its own value
  local there = values.resolve(node)
  local kind, from = there.kind, kinds.of(there).from
  local made
  if values.constant(there) then made = false
  elseif from == "field" or from == "id" or from == "queue name" then made = true
  elseif kind == "Binop" then
    made = there.op == ".." or (there.op == "and" or there.op == "or") and any { there.left, there.right }
    if there.op == "and" then made = is_made(there.right) end
  elseif kind == "Method" then made = true
  elseif kind == "Call" then
    local word = values.word(there.callee)
    made = word == "tostring" or word ~= nil and word:find("^string%.") ~= nil
  elseif kind == "Name" and there.declares == nil and there.declaration and there.declaration.owner then
    made = is_made_parameter(there.declaration)
  end
  node.judging = made or false
  return node.judging
end

local reasons = {}

function reasons.Call(node, _, facts)
  local word, reason = values.word(node.callee), node.arguments[1]
  if word ~= "ignore" and word ~= "defer" or not reason then return end
  local constant, kind = values.constant(reason), kinds.of(reason).kind
  if type(constant) == "string" and (constant == "" or #constant > MOST_BYTES) then
    facts.report(node, "error", ("%s: the reason has %d bytes"):format(word, #constant), "1 to 200 are allowed")
  elseif sums.is_of_texts(reason) then
    return -- finders/sums.lua reports it
  elseif kind and kind ~= "string" then
    facts.report(node, "error", ("%s: the reason %s is %s"):format(word, facts.show(reason), facts.a(kind)),
      "write a text in quotes")
  elseif is_made(reason) then
    facts.report(node, "warning", ("%s: the reason %s is made up at run time"):format(word, facts.show(reason)),
      "reasons are counted by: write a constant text")
  end
end

return reasons
