--- Finds what outlives the object and changes: a retry, in another process, would decide otherwise.
local values = require "pigeon.source.values"

-- Whether what is declared there is made once, not for each object.
local function outlives(declaration, rule)
  local inside = declaration.inside
  local outer = rule and rule.inside
  while outer and outer ~= inside do outer = outer.inside end
  return outer == inside
end

-- t.a[1] -> the declaration of t, or of what t only is another name for; and the function that it is used in.
local function owner(node)
  local used_in
  for _ = 1, 20 do
    while node.kind == "Index" or node.kind == "Paren" do node = node.object or node.inner end
    if node.kind ~= "Name" or not node.declaration then return nil end
    used_in = used_in or node.inside
    local value = node.declaration.value
    if not value or value.kind ~= "Name" and value.kind ~= "Index" then return node.declaration, used_in end
    node = value
  end
end

local function check(node, declaration, used_in, facts)
  if not declaration or not used_in or used_in == declaration.inside then return end
  if not outlives(declaration, facts.rule) then return end
  facts.report(node, "warning",
    ('"%s" is above the function and changes, so a retry may decide otherwise'):format(declaration.name),
    "keep only constants there")
end

local function check_owner(node, facts)
  local declaration, used_in = owner(node)
  check(node, declaration, used_in, facts)
end

local state = {}

function state.Assign(node, _, facts)
  for _, target in ipairs(node.targets) do
    if target.kind == "Index" then
      check_owner(target, facts)
    else
      check(target, target.declaration, target.inside, facts)
    end
  end
end

function state.Call(node, _, facts)
  local word = values.word(node.callee)
  if word and word:find("^table%.[irs]") and node.arguments[1] then check_owner(node.arguments[1], facts) end
end

return state
