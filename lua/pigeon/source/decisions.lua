--- A script's decisions, and its text with a call at each of them that counts.
--
-- The new text has the same lines. It is for a second run beside the one that decides: it takes more
-- instructions, and is only loaded where coverage is asked for.
local places = require "pigeon.source.places"
local source = require "pigeon.source"

local decisions = {}

local LONGEST <const> = 60 -- bytes of a text that is shown

-- What was written, in one line.
local function shown(text, node)
  local line = text:sub(node.first, node.last):gsub("%s+", " ")
  if #line > LONGEST then line = line:sub(1, LONGEST - 3) .. "..." end
  return line
end

-- "ignore: not a put", or the call as it was written where the reason is not a constant.
local function verdict_text(text, verdict)
  local reason = verdict.node.arguments[1]
  if verdict.word ~= "accept" and reason and reason.kind == "String" and reason.value:find("^[ -~]*$") then
    return verdict.word .. ": " .. reason.value
  end
  return shown(text, verdict.node)
end

-- A name that does not stand in the text.
local function free_name(text)
  local name = "count"
  while text:find(name, 1, true) do name = name .. "_" end
  return name
end

-- Text, and what to insert: before[byte] = texts, after[byte] = how many closing parentheses.
local function insert(text, before, after)
  local positions, seen = {}, {}
  for _, set in ipairs { before, after } do
    for position in pairs(set) do
      if not seen[position] then positions[#positions + 1] = position end
      seen[position] = true
    end
  end
  table.sort(positions)
  local parts, from = {}, 1
  for _, position in ipairs(positions) do
    parts[#parts + 1] = text:sub(from, position - 1)
    parts[#parts + 1] = before[position] and table.concat(before[position]) or ""
    parts[#parts + 1] = text:sub(position, position)
    parts[#parts + 1] = (")"):rep(after[position] or 0)
    from = position + 1
  end
  return table.concat(parts) .. text:sub(from)
end

--- A file's bytes and its name -> {items, name, text}, or nil and why it does not parse, as
-- source.parse() does. An item is {kind = "verdict", "destination", "condition" or "statement", line,
-- text}. In the new text, each is wrapped in a call of the global `name`, with the item's number and
-- the value, which the call must return; a statement has a call of its own before it.
function decisions.of(text, script_name)
  local tree, problem = source.parse(text, script_name)
  if not tree then return nil, problem end
  local found, name = places.of(tree), free_name(text)
  local items, before, after = {}, {}, {}

  local function add(kind, node, shown_text)
    items[#items + 1] = { kind = kind, line = node.line, text = shown_text, first = node.first }
    return #items
  end

  local function open(position, inserted)
    before[position] = before[position] or {}
    table.insert(before[position], inserted)
  end

  local function wrap(kind, node, shown_text)
    open(node.first, (" %s(%d,"):format(name, add(kind, node, shown_text)))
    after[node.last] = (after[node.last] or 0) + 1
  end

  for _, statement in ipairs(found.statements) do
    open(statement.node.first, (" %s(%d);"):format(name, add("statement", statement.node)))
  end
  for _, node in ipairs(found.destinations) do wrap("destination", node, shown(text, node)) end
  for _, node in ipairs(found.conditions) do wrap("condition", node, shown(text, node)) end
  for _, verdict in ipairs(found.verdicts) do wrap("verdict", verdict.node, verdict_text(text, verdict)) end
  return { items = items, name = name, text = insert(text, before, after) }
end

return decisions
