--- Finds lookups in a table of constants by a text where its keys are numbers, and the other way round.
local kinds = require "pigeon.source.kinds"
local values = require "pigeon.source.values"

local NOUNS = { string = "text", number = "number" }

-- The one kind that all the keys have, or nil; and the first key, or value where it is a list.
local function keys_of(made)
  local kind
  for _, item in ipairs(made.items) do
    local key = item.key and values.constant(item.key)
    local this = not item.key and "number" or math.type(key) and "number" or type(key) == "string" and "string"
    if not this or kind and this ~= kind then return nil end
    kind = this
  end
  local first = made.items[1]
  return kind, first and (first.key or first.value)
end

local function fix_of(kind, first, made)
  local constant = values.constant(first)
  local line = (", in line %d"):format(made.line)
  if kind == "string" then
    return tonumber(constant) and ("write [%s] without quotes"):format(constant) .. line or nil
  end
  if not made.items[1].key then
    return type(constant) == "string" and ('write ["%s"] = true'):format(constant) .. line or nil
  end
  return ('write ["%s"] in quotes'):format(constant) .. line
end

-- The table of constants that the name always stands for, or nil.
local function constants_of(name)
  local made = name.declaration and values.resolve(name)
  if not made or made.kind ~= "Table" then return nil end
  for _, use in ipairs(name.declaration.uses) do
    if use.changed then return nil end
  end
  return made
end

local lookups = {}

-- { [0] = "defer" }[id:sub(-7, -7)]
function lookups.Index(node, _, facts)
  local made = node.object.kind == "Name" and not node.sets and constants_of(node.object)
  local kind, first
  if made then kind, first = keys_of(made) end
  local given = kinds.of(node.key).kind
  if not kind or kind == given or not NOUNS[given] then return end
  local name = facts.show(node.object)
  facts.report(node, "error", ("%s is always nil: %s is a %s, and the keys of %s are %ss"):format(facts.show(node),
    facts.show(node.key), NOUNS[given], name, NOUNS[kind]), fix_of(kind, first, made))
end

return lookups
