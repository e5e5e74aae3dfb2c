--- Finds calls of a word with more arguments than it takes, or fewer than it needs; sample() the wrong
-- way round; results that are dropped; id.sub(1, 2) for id:sub(1, 2).
local kinds = require "pigeon.source.kinds"
local pigeons = require "pigeon.rules.arguments"
local values = require "pigeon.source.values"

-- The most that Lua's own take; what is not here takes any number.
local MOST = {
  ipairs = 1, pairs = 1, type = 1, tostring = 1, tonumber = 2, error = 2,
  ["string.byte"] = 3, ["string.find"] = 4, ["string.gmatch"] = 3, ["string.gsub"] = 4, ["string.len"] = 1,
  ["string.lower"] = 1, ["string.match"] = 3, ["string.packsize"] = 1, ["string.reverse"] = 1, ["string.sub"] = 3,
  ["string.unpack"] = 3, ["string.upper"] = 1,
  ["table.concat"] = 4, ["table.insert"] = 3, ["table.remove"] = 2, ["table.sort"] = 2, ["table.unpack"] = 3,
  ["math.atan"] = 2, ["math.fmod"] = 2, ["math.log"] = 2, ["math.ult"] = 2,
}
for word in ("abs acos asin ceil cos deg exp floor modf rad sin sqrt tan tointeger type"):gmatch("%a+") do
  MOST["math." .. word] = 1
end
for word, count in pairs(pigeons) do MOST[word] = count end

local LACKING = {
  accept = "accept needs an id and a list of queues: accept(id, destinations)",
  defer = 'defer needs a reason: defer("why")', ignore = 'ignore needs a reason: ignore("why")',
  exchange = "exchange needs a name and a routing key: exchange(name, routing_key)",
  crash_id = "crash_id needs the key: crash_id(object.key)",
  sample = "sample needs an id and the queue's name: sample(id, queue.name)",
}

-- What is called for what it does, not for its result.
local DOES = { ["table.insert"] = true, ["table.remove"] = true, ["table.sort"] = true, error = true, assert = true }
local VERDICTS = { accept = true, defer = true, ignore = true }

local SEVERAL = { Call = true, Method = true, Vararg = true }

-- The least and the most arguments that the list can be.
local function count(arguments)
  local last = arguments[#arguments]
  if not last or not SEVERAL[last.kind] then return #arguments, #arguments end
  local fact, word = kinds.of(last), last.kind == "Call" and values.word(last.callee)
  local is_gsub = word == "string.gsub" or last.kind == "Method" and last.name.value == "gsub"
  if is_gsub then return #arguments + 1, #arguments + 1 end -- the text, and how often
  if fact.kind and (last.kind == "Method" or word) then return #arguments, #arguments end
  return #arguments - 1, math.huge
end

local function dropped(node, word, facts)
  if VERDICTS[word] or kinds.of(node).kind == "verdict" then
    return facts.report(node, "error", facts.show(node) .. " makes a verdict and drops it",
      "write return " .. facts.show(node))
  end
  if word and not DOES[word] and (kinds.words[word] or MOST[word]) then
    facts.report(node, "error", facts.show(node) .. " has a result, which is dropped",
      "write local x = " .. facts.show(node))
  end
end

local function check_sample(node, facts)
  local id, salt = kinds.of(node.arguments[1]), kinds.of(node.arguments[2])
  local always = values.constant(node.arguments[1])
  if id.from == "queue name" or salt.from == "id" or always and not values.constant(node.arguments[2]) then
    facts.report(node, "error", facts.show(node) .. " has its arguments the wrong way round",
      "write sample(id, queue.name): first the id")
  elseif always then
    facts.report(node, "error", facts.show(node) .. " samples a text, so it is the same number for every object",
      "write sample(id, queue.name)")
  elseif salt.kind == "queue" then
    facts.report(node, "error", facts.show(node.arguments[2]) .. " is a queue, and sample takes its name",
      "write " .. facts.show(node.arguments[2]) .. ".name")
  end
end

-- What is said of the `most` arguments that `name` takes; `extra` is the first that is dropped.
local function too_many(node, name, most, extra, facts)
  local second = name == "accept" and node.arguments[2]
  if second and values.constant(second) and values.constant(extra) then -- accept(id, "normal", "submitter")
    return facts.report(node, "error", ("accept takes 2 arguments; %s is dropped"):format(facts.show(extra)),
      ("write a list: accept(%s, { %s, %s })"):format(facts.show(node.arguments[1]), facts.show(second),
        facts.show(extra)))
  end
  facts.report(node, "error", ("%s takes %d argument%s; %s is dropped"):format(name, most, most == 1 and "" or "s",
    extra and facts.show(extra) or "what gsub counted"),
    extra and "remove it" or "put the call of gsub in parentheses of its own")
end

-- id.sub(-6, -5): string.sub without the text.
local function check_dot(node, facts)
  local callee, first = node.callee, node.arguments[1]
  if callee.kind ~= "Index" or callee.key.kind ~= "String" or kinds.of(callee.object).kind ~= "string" then return end
  if not MOST["string." .. callee.key.value] then return end
  if first and values.constant(first) == nil then return end -- the text, or another one
  local shown = facts.show(callee.object)
  facts.report(node, "error", ("%s does not look at %s"):format(facts.show(node), shown),
    ("write a colon: %s:%s(...)"):format(shown, callee.key.value))
end

-- sub(1, PREFIX)
local function check_places(node, places, facts)
  for _, place in ipairs(places) do
    if kinds.of(place).kind == "string" and not tonumber(values.constant(place)) then
      local shown = facts.show(place)
      facts.report(node, "error", ("sub takes positions, which are numbers, and %s is a text"):format(shown),
        "write #" .. shown .. " for its length")
    end
  end
end

-- A call of the script's own function without what that one looks into.
local function check_own(node, facts)
  local made = values.called(node.callee)
  if not made or made.is_vararg then return end
  local _, most = count(node.arguments)
  for i = most + 1, #made.parameters do
    for _, use in ipairs(made.parameters[i].uses) do
      if use.looked_up then
        return facts.report(node, "error", ("%s does not give %s"):format(facts.show(node), made.parameters[i].name),
          ("write %s(%s%s)"):format(facts.show(node.callee), i > 1 and "..., " or "", made.parameters[i].name))
      end
    end
  end
end

local arguments = {}

function arguments.Call(node, parent, facts)
  local word = values.word(node.callee)
  check_dot(node, facts)
  if parent.kind == "Block" then dropped(node, word, facts) end
  local least, most = count(node.arguments)
  if MOST[word] and least > MOST[word] then
    too_many(node, word, MOST[word], node.arguments[MOST[word] + 1], facts)
  elseif LACKING[word] and most < pigeons[word] then
    facts.report(node, "error", LACKING[word])
  elseif word == "string.sub" then
    check_places(node, { table.unpack(node.arguments, 2) }, facts)
  elseif not word then
    check_own(node, facts)
  elseif word == "sample" and #node.arguments == 2 then
    check_sample(node, facts)
  end
end

function arguments.Method(node, parent, facts)
  if kinds.of(node.object).kind ~= "string" then return end
  local name, shown = node.name.value, facts.show(node)
  if parent.kind == "Block" then
    return facts.report(node, "error", shown .. " changes nothing: its result is a new text, which is dropped",
      "write local x = " .. shown)
  end
  if name == "sub" then check_places(node, node.arguments, facts) end
  local most = MOST["string." .. name] -- with the text itself
  if most and count(node.arguments) > most - 1 then
    too_many(node, ":" .. name, most - 1, node.arguments[most], facts)
  end
end

return arguments
