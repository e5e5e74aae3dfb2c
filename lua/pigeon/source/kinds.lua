--- What an expression of a script can be, as far as the text says it.
--
-- of(node) returns {kind, optional, ...}, or UNKNOWN, whose kind is nil: then nothing is judged.
--   kind      "string", "number", "boolean", "nil", "table", "function", "object", "queue", "queues",
--             "verdict" or "destination"
--   optional  it may be nil (or false), too
--   from      what made it: "id" (crash_id), "sample", "field" (of the object, whose name is `field`),
--             "queue name", "index" (of a loop over a list), "type"
--   values    the texts that it can be, a list, where it is one of a few
--   longest   the most bytes that it can have, and shortest
--   digits    how many it has, where it is only digits: of the date of an id
-- Facts of one tree, made by open().
local source = require "pigeon.source"
local values = require "pigeon.source.values"

local kinds = {}

local UNKNOWN = {}

local FIELDS = {
  bucket = "string", key = "string", event_name = "string", time = "string", size = "number", region = "string",
  version_id = "string", sequencer = "string", source = "string",
}
local QUEUE_FIELDS = { name = "string", throttle = "number" }
kinds.object_fields, kinds.queue_fields = FIELDS, QUEUE_FIELDS

-- What type() returns in a script.
local TYPES = { "nil", "boolean", "number", "string", "table", "function" }

-- What a function of string returns first; match and gmatch may return positions.
local STRING_RESULTS = {
  find = "number?", gsub = "string", sub = "string", lower = "string", upper = "string", format = "string",
  reverse = "string", len = "number", byte = "number?",
}
local WORD_RESULTS = {
  accept = "verdict", defer = "verdict", ignore = "verdict", exchange = "destination", sample = "number",
  crash_id = "string?", tostring = "string", tonumber = "number?", type = "string",
}

local DATE_LENGTH = 6 -- the last characters of a crash id, YYMMDD

local ARITHMETIC = {}
for op in ("+ - * / // % ^ & | ~ << >>"):gmatch("%S+") do ARITHMETIC[op] = true end
local COMPARISONS = { ["=="] = true, ["~="] = true, ["<"] = true, [">"] = true, ["<="] = true, [">="] = true }

local function parsed(word, more)
  local fact = more or {}
  fact.kind, fact.optional = word:match("^%a+"), word:find("?", 1, true) ~= nil
  return fact
end

-- ------------------------------------------------------------------- facts of one tree

-- The function that the script returns: the rule.
local function find_rule(tree)
  local last = tree[#tree]
  local value = last and last.kind == "Return" and last.values[1]
  return value and values.called(value)
end

-- Notes what the parser does not: the Function of a local function, its returns and calls, the loop of a name.
local function prepare(tree)
  source.walk(tree, function(node)
    if node.kind == "LocalFunction" then
      node.name.made, node.made.declared = node.made, node.name
    elseif node.kind == "Local" then
      for i, value in ipairs(node.values) do
        if value.kind == "Function" then value.declared = node.names[i] end
      end
    elseif node.kind == "GenericFor" then
      for i, name in ipairs(node.names) do name.loop, name.place = node, i end
    elseif node.kind == "NumericFor" then
      node.name.numeric = true
    elseif node.kind == "Index" and not node.sets and node.object.kind == "Name" then
      node.object.looked_up = node.key
    elseif node.kind == "Function" then
      node.returns, node.calls = {}, {}
      for i, parameter in ipairs(node.parameters) do parameter.owner, parameter.place = node, i end
    end
  end)
  local inside = { false }
  local function visit(node)
    if node.kind == "Function" then
      inside[#inside + 1] = node
      for _, statement in ipairs(node.body) do source.walk(statement, visit) end
      inside[#inside] = nil
      return false
    elseif node.kind == "Return" and inside[#inside] then
      local returns = inside[#inside].returns
      returns[#returns + 1] = node
    elseif node.kind == "Call" then
      local callee = values.called(node.callee)
      if callee and callee.calls then callee.calls[#callee.calls + 1] = node end
    end
  end
  source.walk(tree, visit)
end

-- Whether the function is only ever called by its name, so that these calls are all there are.
local function is_private(made)
  return made.declared and values.is_steady(made.declared) and #made.calls > 0 and #made.calls == #made.declared.uses
end

local of -- set below

-- Two facts of which either may hold.
local function either(a, b)
  if a.kind == "nil" then a, b = b, a end
  if b.kind == "nil" and a.kind then
    local both = {}
    for name, value in pairs(a) do both[name] = value end
    both.optional = true
    return both
  end
  if a.kind ~= b.kind or not a.kind then return UNKNOWN end
  return { kind = a.kind, optional = a.optional or b.optional, from = a.from == b.from and a.from or nil }
end

local function all(nodes)
  local fact
  for _, node in ipairs(nodes) do
    local other = node and of(node) or { kind = "nil" }
    fact = fact and either(fact, other) or other
    if not fact.kind then return UNKNOWN end
  end
  return fact or UNKNOWN
end

-- What a function returns; UNKNOWN where it returns different things.
local function result_of(made)
  local firsts = {}
  for i, statement in ipairs(made.returns or {}) do firsts[i] = statement.values[1] or false end
  return all(firsts)
end

-- string.sub(text, first, last) with numbers that the text has: how long it can be.
local function cut(text, first, last)
  local from, to = values.constant(first), last and values.constant(last)
  local whole = of(text)
  if type(from) ~= "number" then return {} end
  if not last then to = from < 0 and -1 or nil end
  if type(to) ~= "number" or from == 0 or to == 0 or (from < 0) ~= (to < 0) then return {} end
  local longest = math.max(0, to - from + 1)
  local of_id = whole.from == "id" and math.abs(from) <= 36
  return { longest = longest, shortest = of_id and longest or nil,
    digits = of_id and from >= -DATE_LENGTH and from < 0 and longest or nil }
end

local function of_string_function(name, text, arguments)
  local word = STRING_RESULTS[name]
  if not word then return UNKNOWN end
  if name == "sub" and arguments[1] then return parsed(word, cut(text, arguments[1], arguments[2])) end
  return parsed(word)
end

local function of_call(node)
  local word = values.word(node.callee)
  local name = word and word:match("^string%.(.*)")
  if name and node.arguments[1] then
    return of_string_function(name, node.arguments[1], { table.unpack(node.arguments, 2) })
  end
  if word == "tonumber" and #node.arguments == 1 then
    return parsed(WORD_RESULTS[word], { digits = of(node.arguments[1]).digits })
  end
  if word and WORD_RESULTS[word] then
    local from = word == "crash_id" and "id" or word == "sample" and "sample" or word == "type" and "type" or nil
    local length = word == "crash_id" and 36 or nil
    return parsed(WORD_RESULTS[word],
      { from = from, longest = length, shortest = length, values = word == "type" and TYPES or nil })
  end
  local made = not word and values.called(node.callee)
  return made and result_of(made) or UNKNOWN
end

-- The texts that a table above the function can give: { ["0"] = "defer" }[x].
local function of_lookup(object)
  local declaration = values.steady(values.bare(object))
  local made = declaration and declaration.value
  if not made or made.kind ~= "Table" or #made.items == 0 then return UNKNOWN end
  for _, use in ipairs(declaration.uses) do
    if use.changed then return UNKNOWN end
  end
  local fact, texts = nil, {}
  for _, item in ipairs(made.items) do
    local other = of(item.value)
    fact = fact and either(fact, other) or other
    texts[#texts + 1] = item.value.kind == "String" and item.value.value or nil
  end
  if not fact.kind or fact.kind == "table" then return UNKNOWN end
  if fact.kind ~= "string" or #texts < #made.items then texts = nil end
  return { kind = fact.kind, optional = true, values = texts }
end

local function of_index(node)
  local object = of(node.object)
  local field = node.key.kind == "String" and node.key.value
  if object.kind == "object" and FIELDS[field] then
    return { kind = FIELDS[field], optional = field ~= "bucket" and field ~= "key", from = "field", field = field,
      values = field == "source" and { "aws:s3" } or nil }
  end
  if object.kind == "queue" and QUEUE_FIELDS[field] then
    return { kind = QUEUE_FIELDS[field], from = field == "name" and "queue name" or "throttle" }
  end
  if object.kind == "queues" then
    return of(node.key).kind == "number" and { kind = "queue", optional = true } or UNKNOWN
  end
  return of_lookup(node.object)
end

local function of_loop(name)
  local call = name.loop.values[1]
  local word = call.kind == "Call" and values.word(call.callee)
  if (word ~= "ipairs" and word ~= "pairs") or not call.arguments[1] then return UNKNOWN end
  local list = of(call.arguments[1])
  if name.place == 1 then
    return (word == "ipairs" or list.kind == "queues") and { kind = "number", from = "index" } or UNKNOWN
  end
  return list.kind == "queues" and { kind = "queue" } or UNKNOWN
end

-- A parameter: the object of the rule, or what all the calls give.
local function of_parameter(declaration)
  local made, place = declaration.owner, declaration.place
  if made.is_rule then return place == 1 and { kind = "object" } or UNKNOWN end
  if not is_private(made) then return UNKNOWN end
  local given = {}
  for i, call in ipairs(made.calls) do given[i] = call.arguments[place] or false end
  return all(given)
end

local function of_name(node)
  local declaration = node.declaration
  if not declaration then
    if node.name == "queues" then return { kind = "queues" } end
    return node.name == "env" and { kind = "string", optional = true }
      or kinds.words[node.name] == "function" and { kind = "function" } or UNKNOWN
  end
  if not values.steady(node) then return UNKNOWN end
  if declaration.numeric then return { kind = "number", from = "index" } end
  if declaration.loop then return of_loop(declaration) end
  if declaration.owner then return of_parameter(declaration) end
  if declaration.made then return { kind = "function" } end
  return declaration.value and of(declaration.value) or UNKNOWN
end

local function of_binop(node)
  local op = node.op
  if op == ".." then return { kind = "string" } end
  if ARITHMETIC[op] then return { kind = "number" } end
  if COMPARISONS[op] then return { kind = "boolean", optional = true } end
  local left, right = of(node.left), of(node.right)
  if op == "or" then
    if not left.kind or left.kind ~= right.kind then return UNKNOWN end
    return { kind = left.kind, optional = right.optional, from = left.from == right.from and left.from or nil }
  end
  if not right.kind then return UNKNOWN end
  return { kind = right.kind, optional = right.optional or not left.kind or left.optional, from = right.from }
end

local LITERALS = {
  Nil = { kind = "nil", optional = true }, True = { kind = "boolean" }, False = { kind = "boolean", optional = true },
  Number = { kind = "number" }, Table = { kind = "table" }, Function = { kind = "function" },
}

local function make(node)
  local kind = node.kind
  if LITERALS[kind] then return LITERALS[kind] end
  if kind == "String" then return { kind = "string", longest = #node.value, shortest = #node.value } end
  if kind == "Name" then return of_name(node) end
  if kind == "Call" then return of_call(node) end
  if kind == "Method" then
    if of(node.object).kind == "table" then return UNKNOWN end
    return of_string_function(node.name.value, node.object, node.arguments)
  end
  if kind == "Index" then return of_index(node) end
  if kind == "Binop" then return of_binop(node) end
  if kind == "Paren" then return of(node.inner) end
  if kind == "Unop" then
    return node.op == "not" and { kind = "boolean", optional = true } or { kind = "number" }
  end
  return UNKNOWN
end

function of(node)
  local fact = node.fact
  if fact then return fact end
  node.fact = UNKNOWN -- for a name that is its own value
  fact = make(node)
  node.fact = fact
  return fact
end

--- A node of a tree that open() has seen -> its fact.
function kinds.of(node)
  return of(node)
end

-- Whether the name's table is changed after it was made: t.x = 1, t[#t + 1] = 1, table.insert(t, 1).
local function note_changes(tree)
  source.walk(tree, function(node)
    if node.kind == "Assign" then
      for _, target in ipairs(node.targets) do
        local object = target.kind == "Index" and values.bare(target.object)
        while object and object.kind == "Index" do object = values.bare(object.object) end
        if object and object.kind == "Name" then object.changed = true end
      end
    elseif node.kind == "Call" then
      local word = values.word(node.callee)
      local first = node.arguments[1] and values.bare(node.arguments[1])
      if first and first.kind == "Name" and word and word:find("^table%.[irs]") then first.changed = true end
    end
  end)
end

-- Pigeon's words and Lua's: "function", or "library" for string, table and math.
kinds.words = {}
for key, value in pairs(require "pigeon.rules.words") do
  local name = type(key) == "number" and value or key
  kinds.words[name] = type(key) == "number" and "function" or "library"
end
kinds.words.queues, kinds.words.env = "queues", "text"

--- Looks through a tree once, before of() is called for its nodes -> the rule, the Function that the
-- script returns, or nil where the text does not have it.
function kinds.open(tree)
  prepare(tree)
  note_changes(tree)
  local rule = find_rule(tree)
  if rule then rule.is_rule = true end
  return rule
end

return kinds
