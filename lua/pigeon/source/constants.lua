--- What a script compares its objects with: the constants that stand in its text.
local source = require "pigeon.source"

local constants = {}

local FIELDS = {}
for name in ("bucket key event_name time size region version_id sequencer source"):gmatch("%S+") do
  FIELDS[name] = true
end

local ARITHMETIC = {
  ["+"] = function(a, b) return a + b end, ["-"] = function(a, b) return a - b end,
  ["*"] = function(a, b) return a * b end, ["/"] = function(a, b) return a / b end,
  ["//"] = function(a, b) return b ~= 0 and a // b or nil end,
  ["%"] = function(a, b) return b ~= 0 and a % b or nil end,
  ["^"] = function(a, b) return a ^ b end,
}
local COMPARISONS = { ["<"] = true, [">"] = true, ["<="] = true, [">="] = true, ["=="] = true, ["~="] = true }

-- An expression -> the one that it is a name or parentheses for.
local function resolve(node)
  for _ = 1, 20 do -- local a = a has an end, too
    if node.kind == "Paren" then
      node = node.inner
    elseif node.kind == "Name" and node.declaration and node.declaration.value then
      node = node.declaration.value
    else
      return node
    end
  end
  return node
end

-- 20 * 1024 -> 20480; nil where it is not a number that the text alone has.
local function number_of(node)
  node = resolve(node)
  if node.kind == "Number" then return node.value end
  if node.kind == "Unop" and node.op == "-" then
    local value = number_of(node.operand)
    return value and -value
  end
  if node.kind ~= "Binop" or not ARITHMETIC[node.op] then return nil end
  local left, right = number_of(node.left), number_of(node.right)
  return left and right and ARITHMETIC[node.op](left, right)
end

local function string_of(node)
  node = resolve(node)
  return node.kind == "String" and node.value or nil
end

-- The field of an object that an expression reads, or nil.
local function field_of(node)
  node = resolve(node)
  return node.kind == "Index" and node.key.kind == "String" and FIELDS[node.key.value] and node.key.value or nil
end

local function sample_of(node)
  node = resolve(node)
  local is_sample = node.kind == "Call" and node.callee.kind == "Name" and node.callee.name == "sample"
  return is_sample and node or nil
end

-- A list without doubles.
local function collector()
  local list, known = {}, {}
  return list, function(value)
    if value ~= nil and not known[value] then
      known[value] = true
      list[#list + 1] = value
    end
  end
end

--- Trees -> what they have in common and what each has, in the order of the text: {
--   strings, numbers = lists without doubles (20 * 1024 is one number),
--   fields = {[name] = true} of the object's fields that are named,
--   of_field = {[name] = {a string that this field is compared with, or is the key of a table for, ...}},
--   samples = {{salt = string or nil, threshold = number or nil}, ...} of each call of sample()}.
function constants.of(...)
  local strings, add_string = collector()
  local numbers, add_number = collector()
  local found = { strings = strings, numbers = numbers, fields = {}, of_field = {}, samples = {} }
  local add_of_field, thresholds = {}, {}
  for name in pairs(FIELDS) do found.of_field[name], add_of_field[name] = collector() end

  local function note_comparison(one, other)
    local field, call = field_of(one), sample_of(one)
    if field then add_of_field[field](string_of(other)) end
    if call then thresholds[call] = number_of(other) end
  end

  local function note_table(node)
    local field, list = field_of(node.key), resolve(node.object)
    if not field or list.kind ~= "Table" then return end
    for _, item in ipairs(list.items) do
      add_of_field[field](item.key and string_of(item.key))
    end
  end

  local calls = {}
  local function visit(node, parent)
    if node.kind == "String" then
      if FIELDS[node.value] then found.fields[node.value] = true end
      if not node.bare or parent.kind == "Item" then add_string(node.value) end
    elseif node.kind == "Binop" and COMPARISONS[node.op] then
      note_comparison(node.left, node.right)
      note_comparison(node.right, node.left)
    elseif node.kind == "Index" then
      note_table(node)
    elseif node.kind == "Call" and sample_of(node) then
      calls[#calls + 1] = node
    end
    local number = (node.kind == "Number" or node.kind == "Unop" or node.kind == "Binop") and number_of(node)
    add_number(number or nil)
    return not number
  end

  for _, tree in ipairs { ... } do source.walk(tree, visit) end
  for i, call in ipairs(calls) do
    local salt = call.arguments[2] and string_of(call.arguments[2])
    found.samples[i] = { salt = salt, threshold = thresholds[call] }
  end
  return found
end

return constants
