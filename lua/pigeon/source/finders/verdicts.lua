--- Finds what a rule returns that is not a verdict, and destinations and ids that cannot be right.
local crash_id = require "pigeon.rules.crash_id"
local endings = require "pigeon.source.endings"
local kinds = require "pigeon.source.kinds"
local source = require "pigeon.source"
local spelling = require "pigeon.source.spelling"
local values = require "pigeon.source.values"

-- ------------------------------------------------------------------------ what is returned

local function check_returned(node, facts)
  local value = node.values[1]
  if not value then
    return facts.report(node, "error", "return without a verdict", 'write return ignore("why")')
  end
  local fact, word = kinds.of(value), values.word(value)
  if word == "accept" or word == "defer" or word == "ignore" then
    facts.report(node, "error", ("return %s does not call the word"):format(word),
      ("write return %s(...)"):format(word))
  elseif fact.kind and fact.kind ~= "verdict" then
    facts.report(node, "error", ("the rule returns %s, %s"):format(facts.show(value), facts.a(fact.kind)),
      "it must return accept(...), defer(...) or ignore(...)")
  elseif #node.values > 1 then
    facts.report(node, "error", "the rule returns more than one value; only the first counts", "one verdict an object")
  end
end

-- ------------------------------------------------------------------------ queues

local function has_queue(queues, name)
  for _, queue in ipairs(queues) do
    if queue.name == name then return true end
  end
  return false
end

local function check_queue(node, name, facts)
  if not facts.queues or type(name) ~= "string" or has_queue(facts.queues, name) then return end
  local list = {}
  for i, queue in ipairs(facts.queues) do list[i] = queue.name end
  if name:find(",", 1, true) then
    local parts = {}
    for part in name:gmatch("[^,%s]+") do parts[#parts + 1] = ('"%s"'):format(part) end
    return facts.report(node, "warning", ('PIGEON_QUEUE has no queue "%s"'):format(name),
      "write each in quotes of its own: " .. table.concat(parts, ", "))
  end
  facts.report(node, "warning", ('PIGEON_QUEUE has no queue "%s"'):format(name), spelling.did_you_mean(name, list)
    or "it has " .. table.concat(list, ", "))
end

-- One entry of accept's list.
local function check_destination(node, facts)
  local fact = kinds.of(node)
  if fact.kind == "queue" then
    facts.report(node, "error", facts.show(node) .. " is a queue, and the list takes its name",
      "write " .. facts.show(node) .. ".name")
  elseif fact.kind and fact.kind ~= "string" and fact.kind ~= "destination" then
    facts.report(node, "error", ("%s, %s, is not a destination"):format(facts.show(node), facts.a(fact.kind)),
      "a destination is a queue's name, or exchange(name, routing_key)")
  else
    check_queue(node, values.constant(node), facts)
  end
end

local function check_list(made, facts)
  local line_of = {}
  for _, item in ipairs(made.items) do
    local name = values.constant(item.value)
    if not item.key then check_destination(item.value, facts) end
    if name and line_of[name] then
      facts.report(item, "error", ('the queue "%s" is in the list twice'):format(name), "remove one")
    end
    line_of[name or {}] = item.line
  end
end

-- What is added to the list of this name: list[#list + 1] = x, table.insert(list, x)
local function check_added(declaration, facts)
  source.walk(facts.tree, function(node)
    if node.kind == "Assign" then
      for i, target in ipairs(node.targets) do
        if target.kind == "Index" and target.object.declaration == declaration and node.values[i] then
          check_destination(node.values[i], facts)
        end
      end
    elseif node.kind == "Call" and values.word(node.callee) == "table.insert" and node.arguments[2] then
      if node.arguments[1].declaration == declaration then
        check_destination(node.arguments[#node.arguments], facts)
      end
    end
  end)
end

-- The tables that a value can be: x == "a" and { "normal" } or { "submitter" }
local function lists_of(node, found)
  node = values.resolve(node)
  if node.kind == "Table" then found[#found + 1] = node end
  if node.kind == "Binop" and (node.op == "and" or node.op == "or") then
    lists_of(node.left, found)
    lists_of(node.right, found)
  end
  return found
end

local function check_destinations(node, facts)
  local fact, made = kinds.of(node), values.resolve(node)
  if fact.kind and fact.kind ~= "table" then
    local fix = fact.kind == "queues" and "write a list of names, as rules.lua makes it"
      or fact.kind == "queue" and ("write { %s.name }"):format(facts.show(node))
      or ("write { %s }"):format(facts.show(node))
    return facts.report(node, "error", ("accept takes a list of queue names, and %s is %s"):format(facts.show(node),
      facts.a(fact.kind)), fix)
  end
  for _, list in ipairs(lists_of(made, {})) do check_list(list, facts) end
  if node.declaration and not (facts.added and facts.added[node.declaration]) then
    facts.added = facts.added or {}
    facts.added[node.declaration] = true
    check_added(node.declaration, facts)
  end
end

local function check_id(node, facts)
  local fact, constant = kinds.of(node), values.constant(node)
  local form = "a crash id comes from crash_id(object.key)"
  if constant then
    if type(constant) ~= "string" or not crash_id.of_key(constant) then
      facts.report(node, "error", ("the id %s is not a crash id"):format(facts.show(node)), form)
    end
  elseif fact.kind and fact.kind ~= "string" then
    facts.report(node, "error", ("the id %s is %s"):format(facts.show(node), facts.a(fact.kind)), form)
  elseif fact.from == "field" or fact.from == "queue name" or fact.longest and fact.longest < 36 then
    facts.report(node, "warning", ("the id %s is not a crash id"):format(facts.show(node)), form)
  end
end

-- A verdict that only lacks its return; arguments.lua and names.lua report it.
local function is_dropped(statement)
  if statement.kind == "Call" then return kinds.of(statement).kind == "verdict" end
  local name = statement.kind == "Local" and statement.names[1]
  return name and name.value and #name.uses == 0 and kinds.of(name.value).kind == "verdict"
end

local verdicts = {}

function verdicts.Function(node, _, facts)
  if node ~= facts.rule then return end
  for _, statement in ipairs(node.returns) do check_returned(statement, facts) end
  local last = node.body[#node.body]
  if not endings.of_block(node.body) and not (last and is_dropped(last)) then
    facts.report(last or node, "warning", "the rule can come to its end without a verdict",
      'write return ignore("why") before its last end')
  end
end

function verdicts.Call(node, _, facts)
  local given = node.arguments
  if values.word(node.callee) ~= "accept" then return end
  if given[2] and (kinds.of(given[1]).kind == "table" or kinds.of(given[2]).from == "id") then
    return facts.report(node, "error", facts.show(node) .. " has its arguments the wrong way round",
      ("write accept(%s, %s)"):format(facts.show(given[2]), facts.show(given[1])))
  end
  if given[1] then check_id(given[1], facts) end
  if given[2] then check_destinations(given[2], facts) end
end

-- queue.name == "sumbitter"
function verdicts.Binop(node, _, facts)
  if node.op ~= "==" and node.op ~= "~=" then return end
  if kinds.of(node.left).from == "queue name" then check_queue(node, values.constant(node.right), facts) end
  if kinds.of(node.right).from == "queue name" then check_queue(node, values.constant(node.left), facts) end
end

return verdicts
