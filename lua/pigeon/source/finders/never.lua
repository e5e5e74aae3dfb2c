--- Finds comparisons that are never (or nearly always) true, because of what a function gives or of what
-- was asked before; conditions.lua has those that one comparison alone shows.
local endings = require "pigeon.source.endings"
local kinds = require "pigeon.source.kinds"
local source = require "pigeon.source"
local values = require "pigeon.source.values"
local words = require "pigeon.rules.words"

local EQUAL = { ["=="] = "never", ["~="] = "always" }

-- x == "a", "a" == x -> the side that is not constant, and the constant.
local function sides(node)
  local left, right = values.constant(node.left), values.constant(node.right)
  if left == nil and right ~= nil then return node.left, right end
  if right == nil and left ~= nil then return node.right, left end
end

-- The name of a function of string that the node calls, the text it is given, and its arguments; or nil.
local function string_call(node)
  node = values.resolve(node)
  if node.kind == "Method" then return node.name.value, node.object, node.arguments end
  local word = node.kind == "Call" and values.word(node.callee)
  local name = word and word:match("^string%.(.*)")
  if name then return name, node.arguments[1], { table.unpack(node.arguments, 2) } end
end

-- ------------------------------------------------------------------------ one comparison

-- id:sub(1, 1) == "A"; id:sub(1, 1) where `id` is a crash id
local function of_an_id(node)
  local name, object = string_call(node)
  return kinds.of(node).from == "id" or name == "sub" and object and kinds.of(object).from == "id"
end

local function check_letters(node, side, value, facts)
  local name = string_call(side)
  if kinds.of(side).field == "bucket" and value:find("%u") then
    facts.report(node, "warning", ('a bucket of S3 is in lower case, and "%s" is not'):format(value),
      ('write "%s"'):format(value:lower()))
    return true
  end
  local wrong = name == "lower" and value:find("%u") and { "lower case", value:lower() }
    or name == "upper" and value:find("%l") and { "upper case", value:upper() }
    or of_an_id(side) and value:find("%u") and { "lower case", value:lower() }
  if wrong then
    facts.report(node, "error", ('%s is in %s, so it is never "%s"'):format(facts.show(side), wrong[1], value),
      ('write "%s"'):format(wrong[2]))
  end
  return wrong
end

-- Functions of string that take nothing but the text.
local ALONE = { lower = true, upper = true, len = true, reverse = true }

-- object.bucket.lower == "crashes"
local function check_function(node, side, facts)
  if side.kind ~= "Index" or kinds.of(side.object).kind ~= "string" then return false end
  for _, field in ipairs(words.string.fields) do
    if field == side.key.value then
      facts.report(node, "error", ("%s is a function, so the comparison is %s true"):format(facts.show(side),
        EQUAL[node.op]), ("write %s:%s(%s)"):format(facts.show(side.object), field, ALONE[field] and "" or "..."))
      return true
    end
  end
end

-- object.key:match("x") == true
local function check_boolean(node, facts)
  for _, pair in ipairs { { node.left, node.right }, { node.right, node.left } } do
    local name, is_true = string_call(pair[1]), pair[2].kind == "True"
    if name == "match" and (is_true or pair[2].kind == "False") then
      facts.report(node, "error", ("%s is a text or nil, so the comparison is %s true"):format(facts.show(pair[1]),
        EQUAL[node.op]), "write " .. (is_true == (node.op == "==") and "" or "not ") .. facts.show(pair[1]) .. " alone")
      return true
    end
  end
end

-- object.bucket == "crashes-*"
local function check_glob(node, side, value, facts)
  if not value:find("%*") or not value:find("[^*]") or kinds.of(side).kind ~= "string" then return false end
  local shown = kinds.of(side).optional and ('(%s or "")'):format(facts.show(side)) or facts.show(side)
  local before, after = value:match("^([^*]+)%*$"), value:match("^%*([^*]+)$")
  local fix = before and ('%s:sub(1, %d) %s "%s"'):format(shown, #before, node.op, before)
    or after and ('%s:sub(-%d) %s "%s"'):format(shown, #after, node.op, after)
    or ('%s%s:find("^%s$")'):format(node.op == "~=" and "not " or "", shown,
      value:gsub("[][^$()%%.+?-]", "%%%0"):gsub("%*", ".*"))
  facts.report(node, "warning", ('`*` in "%s" stands for itself'):format(value), "write " .. fix)
  return true
end

-- object.key:sub(1, 4) == "/v2/"
local function check_start_of_key(node, side, value, facts)
  local name, object, given = string_call(side)
  local from = name == "sub" and given[1] and values.constant(given[1])
  if name == "sub" and from ~= 1 or kinds.of(name == "sub" and object or side).field ~= "key" then return false end
  local wrong = value:match("^s3://[^/]*/?") or value:match("^arn:aws:s3:::[^/]*/?") or value:match("^/()[^/]") and "/"
  if not wrong then return false end
  facts.report(node, "warning", ('a key seldom begins with "%s"'):format(wrong),
    ('write "%s"'):format(value:sub(#wrong + 1)))
  return true
end

-- x:sub(1) == "a", x:sub(0, 1) == "ab"
local function check_cut(node, side, value, facts)
  local name, object, given = string_call(side)
  if name ~= "sub" or not object or not given[1] or value == "" then return false end
  local first, last = values.constant(given[1]), given[2] and values.constant(given[2])
  local fix = ('write %s:sub(1, %d)'):format(facts.show(object), #value)
  if first == 1 and not given[2] then
    facts.report(node, "error", ("%s is the whole text"):format(facts.show(side)), fix)
    return true
  elseif first == 0 and math.type(last) == "integer" and last > 0 and #value > last then
    facts.report(node, "error", ('%s has at most %d byte%s, and "%s" has %d, so they are never the same'):format(
      facts.show(side), last, last == 1 and "" or "s", value, #value), "positions begin at 1: " .. fix)
    return true
  end
end

local function check_comparison(node, facts)
  if check_boolean(node, facts) then return end
  local side, value = sides(node)
  if not side then return end
  local whole = values.resolve(side)
  if whole.kind == "Binop" and whole.op == "%" and kinds.of(whole.left).from == "sample" then
    return facts.report(node, "error", ("%s is %s true: sample() has fractions"):format(facts.show(node),
      node.op == "==" and "next to never" or "nearly always"),
      ("write %s < 10 for 10 %%"):format(facts.show(whole.left)))
  end
  if kinds.of(side).from == "sample" and type(value) == "number" and value > 0 and value <= 100 then
    return facts.report(node, "error", ("%s is %s true: sample() has fractions"):format(facts.show(node),
      node.op == "==" and "next to never" or "nearly always"),
      ("write %s %s %g"):format(facts.show(side), node.op == "==" and "<" or ">=", value))
  end
  if type(value) ~= "string" then return end
  local _ = check_function(node, side, facts) or check_cut(node, side, value, facts)
    or check_letters(node, side, value, facts) or check_start_of_key(node, side, value, facts)
    or check_glob(node, side, value, facts)
end

-- ------------------------------------------------------------------------ one after another

-- Whether two expressions that look the same mean the same locals.
local function same_names(one, other)
  local declarations, at = {}, 0
  source.walk(one, function(node)
    if node.kind == "Name" then declarations[#declarations + 1] = node.declaration or false end
  end)
  source.walk(other, function(node)
    if node.kind ~= "Name" then return end
    at = at + 1
    if declarations[at] ~= (node.declaration or false) then at = -math.huge end
  end)
  return at == #declarations
end

-- Whether the value is the same wherever it stands in the script.
local function is_steady(node)
  local steady = true
  source.walk(node, function(inner)
    local holder = inner.kind == "Index" and kinds.of(inner.object).kind or "object"
    if inner.kind == "Call" and not values.word(inner.callee) or holder ~= "object" and holder ~= "queue" then
      steady = false
    end
    if inner.kind ~= "Name" or not inner.declaration then return end
    for _, use in ipairs(inner.declaration.uses) do
      if use.sets or use.changed then steady = false end
    end
  end)
  return steady
end

-- a == "x" -> "a", "x"; nil for anything but a comparison by `op` with a constant
local function compared(node, op, facts)
  if node.kind ~= "Binop" or node.op ~= op then return nil end
  local side, value = sides(node)
  if side then return facts.show(side), value, side end
end

local function check_both(node, facts)
  local seen = {}
  for _, operand in ipairs(values.operands(node, "and")) do
    local shown, value = compared(operand, "==", facts)
    if shown and seen[shown] ~= nil and seen[shown] ~= value then
      facts.report(operand, "error", ("%s is never both %s and %s"):format(shown, ("%q"):format(seen[shown]),
        ("%q"):format(value)), "write or between the two")
    end
    if shown then seen[shown] = value end
  end
end

-- if x ~= "v2/" then return ... end  if x == "v1/" then ...
local function check_below(block, from, only, facts)
  for i = from, #block do
    source.walk(block[i], function(node)
      local shown, value, side = compared(node, "==", facts)
      local known = shown and only[shown]
      if known and known.value ~= value and same_names(known.side, side) then
        facts.report(node, "error", ("%s is never true here: line %d returns unless it is %q"):format(facts.show(node),
          known.line, known.value), ("move it above line %d, or change one of the two"):format(known.line))
      end
    end)
  end
end

local never = {}

function never.Block(block, _, facts)
  for i, statement in ipairs(block) do
    local clause = statement.kind == "If" and #statement.clauses == 1 and not statement.otherwise
      and statement.clauses[1]
    if clause and endings.of_block(clause.body) then
      local only, any = {}, false
      for _, operand in ipairs(values.operands(clause.condition, "or")) do
        local shown, value, side = compared(operand, "~=", facts)
        if shown and is_steady(side) then
          only[shown], any = { value = value, side = side, line = operand.line }, true
        end
      end
      if any then check_below(block, i + 1, only, facts) end
    end
  end
end

function never.Binop(node, parent, facts)
  if node.op == "and" and not (parent.kind == "Binop" and parent.op == "and") then check_both(node, facts) end
  if EQUAL[node.op] then check_comparison(node, facts) end
end

return never
