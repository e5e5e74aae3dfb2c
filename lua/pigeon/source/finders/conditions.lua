--- Finds conditions that are always the same: a text beside a number, a value that a field never has,
-- `or "1"`, the same condition twice, `a ~= x or a ~= y`, sample() against a share of 1.
local kinds = require "pigeon.source.kinds"
local source = require "pigeon.source"
local spelling = require "pigeon.source.spelling"
local sums = require "pigeon.source.finders.sums"
local values = require "pigeon.source.values"

-- Those of S3's notifications; the values of object.event_name.
local EVENT_NAMES = {
  "ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload",
  "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "ObjectRestore:Post", "ObjectRestore:Completed",
  "ObjectRestore:Delete", "LifecycleExpiration:Delete", "LifecycleExpiration:DeleteMarkerCreated",
  "LifecycleTransition", "IntelligentTiering", "ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAcl:Put",
  "ReducedRedundancyLostObject", "Replication:OperationFailedReplication",
}

-- ------------------------------------------------------------------------ always true

-- Whether the value is true whatever the object is.
local function is_always_true(node)
  local fact = kinds.of(node)
  return fact.kind and fact.kind ~= "nil" and fact.kind ~= "boolean" and not fact.optional
end

local function report_always(node, facts, left)
  local constant = values.constant(node)
  local compared = left and left.kind == "Binop" and (left.op == "==" or left.op == "~=") and left
  if constant and compared then
    return facts.report(node, "error", ("`%s %s` is always true"):format(compared.outer, facts.show(node)),
      ("write %s %s %s %s %s"):format(facts.show(compared), compared.outer, facts.show(compared.left), compared.op,
        facts.show(node)))
  end
  local fix = kinds.of(node).kind == "function" and ("call it: %s(...)"):format(facts.show(node))
    or kinds.of(node).kind == "number" and "compare it with a number" or "compare it with =="
  facts.report(node, "error", facts.show(node) .. " is always true here", fix)
end

-- A condition, and the operands of and, or and not in it. `left` is what stands before an operand.
local function check_condition(node, facts, left)
  if node.kind == "Paren" then return check_condition(node.inner, facts) end
  if node.kind == "Unop" and node.op == "not" then return check_condition(node.operand, facts) end
  if node.kind == "Binop" and (node.op == "and" or node.op == "or") then
    check_condition(node.left, facts)
    local before = node.left
    while before.kind == "Binop" and (before.op == "and" or before.op == "or") do before = before.right end
    before.outer = node.op
    return check_condition(node.right, facts, before)
  end
  if is_always_true(node) and node.kind ~= "True" then report_always(node, facts, left) end
end

-- ------------------------------------------------------------------------ the same twice

local function check_chain(node, facts)
  local seen = {}
  for _, clause in ipairs(node.clauses) do
    local text = facts.show(clause.condition)
    if seen[text] then
      facts.report(clause, "error", ("the condition %s is in line %d already, so this is never reached"):format(text,
        seen[text]), "is another value meant?")
    end
    seen[text] = seen[text] or clause.line
  end
end

local function check_operands(node, facts)
  local seen = {}
  for _, operand in ipairs(values.operands(node, node.op)) do
    local text = facts.show(operand)
    if seen[text] then
      facts.report(operand, "error", ("%s is there twice, with `%s` between"):format(text, node.op),
        "is another value meant?")
    end
    seen[text] = true
  end
end

-- a ~= "x" or a ~= "y": one of the two always holds.
local function check_differences(node, facts)
  local first_of = {} -- by the text of what is compared: the first comparison, and its value
  for _, operand in ipairs(values.operands(node, "or")) do
    if operand.kind == "Binop" and operand.op == "~=" then
      local value, side = values.constant(operand.right), facts.show(operand.left)
      if value == nil then value, side = values.constant(operand.left), facts.show(operand.right) end
      local first = first_of[side]
      if value ~= nil and first and first.value ~= value then
        local shown, other = facts.show(first.node), facts.show(operand)
        facts.report(operand, "error", ("%s or %s is always true"):format(shown, other),
          ("write %s and %s"):format(shown, other))
      end
      if value ~= nil and not first then first_of[side] = { node = operand, value = value } end
    end
  end
end

-- object.size or 0 > 1000, where (object.size or 0) > 1000 is meant.
local function check_binding(node, parent, facts)
  if parent.kind ~= "Binop" or parent.op ~= "or" or parent.right ~= node then return false end
  local default, before = node.left, parent.left
  if default.kind ~= "Number" and default.kind ~= "String" then return false end
  if kinds.of(before).kind ~= kinds.of(default).kind and values.constant(node.right) == nil then return false end
  facts.report(node, "error", ("`or` binds looser than `%s`, so %s is compared"):format(node.op, facts.show(node)),
    ("write (%s or %s) %s %s"):format(facts.show(before), facts.show(default), node.op, facts.show(node.right)))
  return true
end

-- ------------------------------------------------------------------------ comparisons

local ORDERS = { ["<"] = true, ["<="] = true, [">"] = true, [">="] = true }

-- x == true, where x is a text or a number
local function boolean_fix(node, facts)
  for _, pair in ipairs { { node.left, node.right }, { node.right, node.left } } do
    local kind = pair[2].kind
    if kind == "True" or kind == "False" then
      return "write " .. ((kind == "True") == (node.op == "==") and "" or "not ") .. facts.show(pair[1]) .. " alone"
    end
  end
end

local function number_fix(node, other)
  local constant = values.constant(node)
  if type(constant) == "number" then return ('write "%s", in quotes'):format(constant) end
  constant = values.constant(other)
  if type(constant) == "string" and tonumber(constant) then return "write " .. constant .. ", without quotes" end
  if constant == "" then return "write nil for a value that is not there" end
  if type(constant) == "string" then return "write a number, without quotes: 20 MB are 20 * 1024 * 1024" end
  return "tonumber(...) makes a number of a text"
end

-- x == { "a", "b" }
local function list_fix(node, facts)
  for _, pair in ipairs { { node.left, node.right }, { node.right, node.left } } do
    local made, parts = values.resolve(pair[2]), {}
    for i, item in ipairs(made.kind == "Table" and made.items or {}) do
      parts[i] = ("%s %s %s"):format(facts.show(pair[1]), node.op, facts.show(item.value))
    end
    if parts[1] then return "write " .. table.concat(parts, node.op == "==" and " or " or " and ") end
  end
end

-- 5 < x < 10
local function chain_fix(node, facts)
  local left = values.bare(node.left)
  if left.kind ~= "Binop" or not ORDERS[left.op] or not ORDERS[node.op] then return nil end
  return ("write %s and %s %s %s"):format(facts.show(left), facts.show(left.right), node.op, facts.show(node.right))
end

local BITS = { ["&"] = "and", ["|"] = "or" }

local function has_bits(node)
  local found = false
  source.walk(node, function(inner) found = found or inner.kind == "Binop" and BITS[inner.op] ~= nil end)
  return found
end

-- a == "x" & b == "y"
local function check_bits(node, facts)
  for _, operand in ipairs { node.left, node.right } do
    if kinds.of(operand).kind ~= "number" then
      return facts.report(node, "error", ("`%s` works on the bits of numbers"):format(node.op),
        "write " .. BITS[node.op])
    end
  end
end

-- x == ("a" or "b")
local function check_either(node, facts)
  for _, pair in ipairs { { node.left, node.right }, { node.right, node.left } } do
    local side = values.bare(pair[2])
    if side.kind == "Binop" and side.op == "or" and values.constant(side.left) ~= nil then
      local other = facts.show(pair[1])
      facts.report(side, "error", ("%s is always %s"):format(facts.show(side), facts.show(side.left)),
        ("write %s %s %s %s %s %s %s"):format(other, node.op, facts.show(side.left), node.op == "==" and "or" or "and",
          other, node.op, facts.show(side.right)))
      return true
    end
  end
end

local OPPOSITE = { ["=="] = "~=", ["~="] = "==", [">"] = "<=", ["<="] = ">", ["<"] = ">=", [">="] = "<" }

-- Two kinds that differ.
local function check_kinds(node, facts, left, right)
  if sums.is_of_texts(node.left) or sums.is_of_texts(node.right) then return end -- finders/sums.lua reports it
  if has_bits(node.left) or has_bits(node.right) then return end
  local never = node.op == "==" and "never" or node.op == "~=" and "always"
  if left.kind == "boolean" and node.left.kind == "Unop" and node.left.op == "not" then
    return facts.report(node, "error",
      ("%s compares true or false: `not` binds closer than `%s`"):format(facts.show(node), node.op),
      ("write %s %s %s"):format(facts.show(node.left.operand), OPPOSITE[node.op], facts.show(node.right)))
  end
  local both = left.kind .. " " .. right.kind
  local pair = both == "string number" or both == "number string"
  local what = pair and "a text with a number" or facts.a(left.kind) .. " with " .. facts.a(right.kind)
  local text_side, number_side = node.left, node.right
  if left.kind == "number" then text_side, number_side = number_side, text_side end
  facts.report(node, "error", ("%s compares %s, which is %s"):format(facts.show(node), what,
    never and never .. " true" or "an error when it runs"), pair and number_fix(number_side, text_side)
    or never and (boolean_fix(node, facts) or list_fix(node, facts)) or chain_fix(node, facts))
end

local function check_event_name(node, value, facts)
  if value:find("*", 1, true) then return end -- finders/never.lua reports it
  for _, name in ipairs(EVENT_NAMES) do
    if name == value then return end
  end
  local near = spelling.did_you_mean(value, EVENT_NAMES)
  if value:find("^s3:") then near = 'write it without "s3:"' end
  facts.report(node, near and "error" or "warning", ('event_name is never "%s"'):format(value),
    near or "S3 sends names such as ObjectCreated:Put")
end

local function report_empty(node, facts, side)
  facts.report(node, "error", facts.show(side) .. " is always empty",
    "the place further left comes first, as in sub(-6, -5)")
end

-- A value beside a text that the script has.
local function check_value(node, facts, side, fact, value)
  if fact.field == "event_name" then return check_event_name(node, value, facts) end
  if fact.values then
    for _, possible in ipairs(fact.values) do
      if possible == value then return end
    end
    return facts.report(node, "error", ('%s is never "%s"'):format(facts.show(side), value),
      spelling.did_you_mean(value, fact.values) or 'it can be "' .. table.concat(fact.values, '", "') .. '"')
  end
  local longest, shortest = fact.longest, fact.shortest
  if value == "" then return end -- people ask for a text that is there
  if longest and #value > longest or shortest and #value < shortest then
    if longest == 0 then return report_empty(node, facts, side) end
    local bytes = ("%s%d byte%s"):format(longest == shortest and "" or "at most ", longest, longest == 1 and "" or "s")
    facts.report(node, "error", ('%s has %s, and "%s" has %d, so they are never the same'):format(facts.show(side),
      bytes, value, #value), "change one of the two")
  end
end

local function check_equality(node, facts, left, right)
  local left_value, right_value = values.constant(node.left), values.constant(node.right)
  if left_value and right_value then return end
  if type(right_value) == "string" then check_value(node, facts, node.left, left, right_value)
  elseif type(left_value) == "string" then check_value(node, facts, node.right, right, left_value) end
end

-- A text below or above one that is longer: id:sub(-6, -5) < "2018". The other way round compares a beginning.
local function check_order(node, facts, side, fact, value)
  if not fact.longest or fact.longest >= #value then return end
  local shown = facts.show(side)
  if fact.longest == 0 then return report_empty(node, facts, side) end
  facts.report(node, "warning", ('%s has %d byte%s and "%s" has %d: text is compared byte by byte, from the left')
    :format(shown, fact.longest, fact.longest == 1 and "" or "s", value, #value),
    "write as many digits on both sides")
end

local TRUE_BELOW = { ["<"] = true, ["<="] = true, ["~="] = true } -- where the number is too large
local MIRRORED = { ["<"] = ">", [">"] = "<", ["<="] = ">=", [">="] = "<=" }

-- A number of so many digits beside one that has more: tonumber(id:sub(-6, -5)) < 2018.
local function check_digits(node, facts, side, fact, value)
  if value < 10 ^ fact.digits then return end
  local op = side == node.left and node.op or MIRRORED[node.op] or node.op
  local result = TRUE_BELOW[op] and "always" or "never"
  facts.report(node, "error", ("%s has at most %d digit%s, so %s is %s true"):format(facts.show(side), fact.digits,
    fact.digits == 1 and "" or "s", facts.show(node), result), "change one of the two")
end

-- sample() is from 0 to below 100.
local function check_share(node, facts, number)
  if number > 0 and number <= 1 then
    return facts.report(node, "warning",
      ("sample() goes from 0 to 100, so %s is %s %%"):format(facts.show(node), number),
      ("for %g %% write %g"):format(number * 100, number * 100))
  end
  if number <= 0 or number > 100 then
    facts.report(node, "warning",
      ("sample() goes from 0 to below 100, so %s is always the same"):format(facts.show(node)),
      "a throttle is a number from 1 to 99")
  end
end

local COMPARES = { ["=="] = true, ["~="] = true, ["<"] = true, [">"] = true, ["<="] = true, [">="] = true }

local conditions = {}

function conditions.Clause(node, _, facts) check_condition(node.condition, facts) end

conditions.While, conditions.Repeat = conditions.Clause, conditions.Clause

function conditions.If(node, _, facts) check_chain(node, facts) end

function conditions.Binop(node, parent, facts)
  if node.op == "and" or node.op == "or" then
    if parent.kind ~= "Binop" or parent.op ~= node.op then
      check_operands(node, facts)
      if node.op == "or" then check_differences(node, facts) end
    end
    return
  end
  if BITS[node.op] then return check_bits(node, facts) end
  if not COMPARES[node.op] or check_binding(node, parent, facts) or check_either(node, facts) then return end
  local left, right = kinds.of(node.left), kinds.of(node.right)
  local left_number, right_number = values.constant(node.left), values.constant(node.right)
  if left.kind and right.kind and left.kind ~= right.kind and left.kind ~= "nil" and right.kind ~= "nil" then
    check_kinds(node, facts, left, right)
  elseif left.from == "sample" and type(right_number) == "number" then
    check_share(node, facts, right_number)
  elseif right.from == "sample" and type(left_number) == "number" then
    check_share(node, facts, left_number)
  elseif left.digits and type(right_number) == "number" then
    check_digits(node, facts, node.left, left, right_number)
  elseif right.digits and type(left_number) == "number" then
    check_digits(node, facts, node.right, right, left_number)
  elseif node.op == "==" or node.op == "~=" then
    check_equality(node, facts, left, right)
  elseif type(right_number) == "string" then
    check_order(node, facts, node.left, left, right_number)
  elseif type(left_number) == "string" then
    check_order(node, facts, node.right, right, left_number)
  end
end

-- { ["0"] = "defer", ["0"] = "accept" }
function conditions.Table(node, _, facts)
  local seen = {}
  for _, item in ipairs(node.items) do
    local key = item.key and values.constant(item.key)
    if key and seen[key] then
      facts.report(item, "error", ("the key %s is in line %d already; the last one counts"):format(facts.show(item.key),
        seen[key]), "remove one")
    end
    if key then seen[key] = seen[key] or item.line end
  end
end

return conditions
