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

-- { ["0"] = "defer" }[id:sub(-7)]: no key is as long as that.
local function check_lengths(node, made, facts)
  local fact = kinds.of(node.key)
  if not fact.longest or values.constant(node.key) then return end
  for _, item in ipairs(made.items) do
    local key = values.constant(item.key)
    if #key <= fact.longest and #key >= (fact.shortest or 0) then return end
  end
  local name, bytes = facts.show(node.object), fact.longest
  facts.report(node, "error", ("%s is always nil: %s has %s%d byte%s, and no key of %s has"):format(facts.show(node),
    facts.show(node.key), fact.shortest == bytes and "" or "at most ", bytes, bytes == 1 and "" or "s", name),
    "change one of the two")
end

-- A key that is a number where every lookup is by a text: { [0] = "defer", ["1"] = "accept" }.
local function check_keys(name, made, facts)
  local numbers = {}
  for _, item in ipairs(made.items) do
    if item.key and math.type(values.constant(item.key)) then numbers[#numbers + 1] = item end
  end
  if #numbers == 0 or #numbers == #made.items then return end
  for _, use in ipairs(name.uses) do
    if not use.looked_up or kinds.of(use.looked_up).kind ~= "string" then return end
  end
  for _, item in ipairs(numbers) do
    local shown = facts.show(item.key)
    facts.report(item, "error", ("[%s] is a number, and %s is looked up by texts, so it is never found"):format(shown,
      name.name), ('write ["%s"], in quotes'):format(shown))
  end
end

local lookups = {}

function lookups.Local(node, _, facts)
  for i, name in ipairs(node.names) do
    local made = node.values[i]
    local is_table = made and made.kind == "Table" and #name.uses > 0
    if is_table and values.is_steady(name) then check_keys(name, made, facts) end
  end
end

-- { [0] = "defer" }[id:sub(-7, -7)]
function lookups.Index(node, _, facts)
  local made = node.object.kind == "Name" and not node.sets and constants_of(node.object)
  local kind, first
  if made then kind, first = keys_of(made) end
  local given = kinds.of(node.key).kind
  if kind == "string" and given == "string" then return check_lengths(node, made, facts) end
  if not kind or kind == given or not NOUNS[given] then return end
  local name = facts.show(node.object)
  facts.report(node, "error", ("%s is always nil: %s is a %s, and the keys of %s are %ss"):format(facts.show(node),
    facts.show(node.key), NOUNS[given], name, NOUNS[kind]), fix_of(kind, first, made))
end

return lookups
