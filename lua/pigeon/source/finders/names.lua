--- Finds names that do not exist: words, locals out of their block, fields of the object, of a queue, of
-- a library; and locals that hide a word or another local, or that nothing uses.
local instead = require "pigeon.source.instead"
local kinds = require "pigeon.source.kinds"
local spelling = require "pigeon.source.spelling"
local values = require "pigeon.source.values"
local words = require "pigeon.rules.words"

local PIGEONS = { accept = true, defer = true, ignore = true, exchange = true, queues = true, env = true,
  crash_id = true, sample = true }

local function sorted_keys(map)
  local list = {}
  for key in pairs(map) do list[#list + 1] = key end
  table.sort(list)
  return list
end

local WORDS, OBJECT, QUEUE = sorted_keys(kinds.words), sorted_keys(kinds.object_fields), sorted_keys(kinds.queue_fields)

local function has(list, wanted)
  for _, value in ipairs(list) do
    if value == wanted then return true end
  end
  return false
end

-- The names of all locals of the script, the first declaration of each, and the set of globals that it sets.
local function locals(facts)
  if facts.locals then return facts.locals, facts.declarations, facts.globals end
  facts.locals, facts.declarations, facts.globals = {}, {}, {}
  require("pigeon.source").walk(facts.tree, function(node)
    if node.declares then
      facts.locals[#facts.locals + 1] = node.name
      facts.declarations[node.name] = facts.declarations[node.name] or node
    elseif node.sets and node.kind == "Name" and not node.declaration then
      facts.globals[node.name] = true
    end
  end)
  return facts.locals, facts.declarations, facts.globals
end

-- The name of the object where the node stands.
local function object_name(node)
  local made = node.inside
  while made do
    for _, parameter in ipairs(made.parameters) do
      local use = { kind = "Name", name = parameter.name, declaration = parameter }
      if kinds.of(use).kind == "object" then return parameter.name end
    end
    made = made.inside
  end
  return "object"
end

-- Where the rule has another name for the object, or none.
local function name_the_object(facts)
  local parameter = facts.rule and facts.rule.parameters[1]
  if not facts.rule then return nil end
  return ("line %d: write function(object)"):format(facts.rule.line)
    .. (parameter and (", or %s here"):format(parameter.name) or "")
end

-- Where a name may be meant as a text.
local IN_TEXT = { Binop = true, Item = true, Return = true }

local function unknown_word(node, parent, facts)
  local list, declarations, globals = locals(facts)
  local name, gone = node.name, declarations[node.name]
  if globals[name] then return end -- reported where it is set
  if gone and gone.first > node.first and not gone.inside then
    gone.is_below = true
    return facts.report(node, "error", ('the local "%s" is made in line %d, below'):format(name, gone.line),
      "move it above this function")
  end
  if gone and gone.first < node.first then
    return facts.report(node, "error", ('the local "%s" of line %d does not reach to here'):format(name, gone.line),
      "declare it before its block: local " .. name)
  end
  local candidates = table.move(list, 1, #list, #WORDS + 1, table.move(WORDS, 1, #WORDS, 1, {}))
  local near = spelling.did_you_mean(name, candidates)
  facts.report(node, "error", ('there is no word "%s"'):format(name),
    name == "object" and name_the_object(facts)
    or has(OBJECT, name) and ("write %s.%s"):format(object_name(node), name)
    or name == "throttle" and "write queue.throttle"
    or instead.of_word(name, parent, facts.show)
    or near and near .. (IN_TEXT[parent.kind] and #name > 4 and " text needs quotes" or "")
    or "text needs quotes, and a local its `local`")
end

-- function rule(object) ... end at the end of a script that returns nothing: that is the rule.
local function lacks_return(statement, facts)
  return statement.kind == "FunctionStatement" and facts.tree[#facts.tree] == statement
end

local function set_global(node, parent, facts)
  if kinds.words[node.name] then
    return facts.report(node, "error", ('sets the word "%s", which cannot be changed'):format(node.name),
      "write local, and another name")
  end
  if lacks_return(parent, facts) then
    local parameters = {}
    for i, parameter in ipairs(parent.made.parameters) do parameters[i] = parameter.name end
    return facts.report(node, "error", ('sets the global "%s", and the script returns nothing'):format(node.name),
      ("write return function(%s)"):format(table.concat(parameters, ", ")))
  end
  local near = spelling.near(node.name, (locals(facts)))
  facts.report(node, "error", ('sets the global "%s"'):format(node.name), near and "did you mean " .. near .. "?"
    or (parent.kind == "FunctionStatement" and "write local function " or "write local ") .. node.name)
end

-- Whether a name's value is made of what it hides: local id = crash_id(key)
local function is_made_of(declaration)
  local value, found = declaration.value, false
  if not value then return false end
  require("pigeon.source").walk(value, function(node)
    if node.kind == "Name" and node.name == declaration.name then found = true end
  end)
  return found
end

local function declared(node, facts)
  local name = node.name
  if node.declares == "self" or name:sub(1, 1) == "_" then return end
  if kinds.words[name] then
    facts.report(node, PIGEONS[name] and not is_made_of(node) and "error" or "warning",
      ('a %s that is called "%s" hides the word'):format(node.declares == "parameter" and "parameter" or "local", name),
      "give it another name")
  elseif node.hides and node.declares ~= "parameter" then
    facts.report(node, "warning", ('the local "%s" hides the one of line %d'):format(name, node.hides.line),
      "give it another name" .. (node.declares == "local" and ", or leave `local` out to set that one" or ""))
  end
  if node.declares == "parameter" and node.owner.is_rule and node.place > 1 then
    facts.report(node, "warning", ('the rule is called with the object alone, so "%s" is always nil'):format(name),
      "remove it")
  end
  if node.declares ~= "local" then return end
  local reads = 0
  for _, use in ipairs(node.uses) do reads = reads + (use.sets and 0 or 1) end
  if reads > 0 or node.is_below then return end
  if node.value and kinds.of(node.value).kind == "verdict" then
    return facts.report(node, "error", ('the verdict in "%s" is not returned'):format(name), "write return " .. name)
  end
  local last = facts.tree[#facts.tree]
  if node.made and last.kind ~= "Return" then
    return facts.report(node, "error", ('the script does not return "%s"'):format(name),
      ("write return %s in its last line"):format(name))
  end
  facts.report(node, "warning", ('nothing reads the local "%s"'):format(name),
    "remove it, or is a name misspelt below?")
end

local function check_field(node, facts, owner, name, list, kind)
  if has(list, name) then return end
  facts.report(node, "error", ('%s has no "%s"'):format(owner, name),
    list == OBJECT and instead.of_field(name, facts.show(node.object)) or spelling.did_you_mean(name, list)
    or kind .. " has " .. table.concat(list, ", "))
end

local SAMPLE = "a retry must decide the same: sample(id, salt) is a number from 0 to below 100"

local function check_library(node, facts, library, name)
  if library == "math" and name:find("^random") then
    return facts.report(node, "error", ('math has no "%s" in rules'):format(name), SAMPLE)
  end
  check_field(node, facts, library, name, words[library].fields, library .. " in rules")
end

-- `object`: the text before the dot or colon, as it is written; `given` what stands in the call's parentheses.
local function check_string_function(node, facts, name, object, given)
  local list = words.string.fields
  if has(list, name) then return end
  if not given and node.kind == "Index" and not instead.of_string_function(name, "x") then
    return facts.report(node, "error", ('%s is a text, and has no "%s"'):format(object, name), object == "env"
      and 'env is the text of PIGEON_ENV: write env == "text"' or spelling.did_you_mean(name, list)
      or "write " .. object .. " alone")
  end
  facts.report(node, "error", ('string has no "%s" in rules'):format(name), instead.of_string_function(name, object,
    given) or spelling.did_you_mean(name, list) or "it has " .. table.concat(list, ", "))
end

local function index_of_queues(node, key, facts)
  if key.kind ~= "String" then return end
  facts.report(node, "error", ('queues is a list and has no "%s"'):format(key.value), has(QUEUE, key.value)
    and "for _, queue in ipairs(queues) do ... queue." .. key.value
    or ('look for queue.name == "%s" in a loop'):format(key.value))
end

-- id[-7], object.key[0]
local function index_of_text(node, key, facts)
  local shown, place = facts.show(node.object), math.tointeger(values.constant(key)) or 1
  if place == 0 then place = 1 end
  facts.report(node, "error", ("%s is a text, so %s is not a character of it"):format(shown, facts.show(node)),
    ("write %s:sub(%d, %d)"):format(shown, place, place))
end

-- A field that the script itself sets may be read.
local function is_set(facts, name)
  if not facts.set_fields then
    facts.set_fields = {}
    require("pigeon.source").walk(facts.tree, function(node)
      local key = node.kind == "Index" and node.sets and node.key
      if key and key.kind == "String" then facts.set_fields[key.value] = true end
    end)
  end
  return facts.set_fields[name]
end

local names = {}

function names.Name(node, parent, facts)
  if node.declares then return declared(node, facts) end
  if node.declaration then return end
  if node.sets then return set_global(node, parent, facts) end
  if not kinds.words[node.name] then unknown_word(node, parent, facts) end
end

function names.Index(node, parent, facts)
  local object, key = values.resolve(node.object), node.key
  local name = key.kind == "String" and key.value
  if object.kind == "Name" and not object.declaration and kinds.words[object.name] == "library" then
    local call = parent.kind == "Call" and parent.callee == node and parent
    if name and object.name == "string" and call and instead.of_string_function(name, "x") then
      return check_string_function(node, facts, name, call.arguments[1] and facts.show(call.arguments[1]),
        call.arguments[2])
    end
    if name then check_library(node, facts, object.name, name) end
    return
  end
  local fact = kinds.of(node.object)
  if fact.kind == "queues" then return index_of_queues(node, key, facts) end
  if fact.kind == "string" and math.type(values.constant(key)) then return index_of_text(node, key, facts) end
  if not name then return end
  if fact.kind == "object" and not is_set(facts, name) then
    check_field(node, facts, "an object", name, OBJECT, "it")
  elseif fact.kind == "queue" then
    check_field(node, facts, "a queue", name, QUEUE, "it")
  elseif fact.kind == "string" then
    check_string_function(node, facts, name, facts.show(node.object), parent.kind == "Call" and parent.arguments[1])
  elseif fact.from == "index" then
    local shown = facts.show(node.object)
    facts.report(node, "error", ('%s is a position in the list, a number, and has no "%s"'):format(shown, name),
      ("write for _, %s in ipairs(...)"):format(shown))
  elseif fact.kind == "number" or fact.kind == "boolean" or fact.kind == "function" then
    facts.report(node, "error", ('%s is %s and has no "%s"'):format(facts.show(node.object), facts.a(fact.kind), name))
  end
end

function names.GenericFor(node, _, facts)
  local value = node.values[1]
  local kind = kinds.of(value).kind
  if kind ~= "queues" and kind ~= "table" then return end
  facts.report(value, "error", ("`in %s` needs ipairs"):format(facts.show(value)),
    ("write for _, %s in ipairs(%s) do"):format(node.names[#node.names].name, facts.show(value)))
end

function names.Method(node, _, facts)
  local kind, name = kinds.of(node.object).kind, node.name.value
  if kind == "string" or not kind and not is_set(facts, name)
    and (spelling.near(name, words.string.fields) or instead.of_string_function(name, "x")) then
    check_string_function(node, facts, name, facts.show(node.object), node.arguments[1])
  elseif kind and kind ~= "table" and kind ~= "string" then
    facts.report(node, "error", ('%s is %s and has no "%s"'):format(facts.show(node.object), facts.a(kind), name),
      kind == "object" and (has(OBJECT, name) and ("write %s.%s"):format(facts.show(node.object), name)
        or "write object.key:" .. name .. "(...)") or nil)
  end
end

return names
