--- What cannot be meant, or may not be meant, in the text of a rules script; nothing is run.
--
-- Each of the finders knows one thing: a table from a kind of node to a function that is given the
-- node, its parent and `facts`, and reports by facts.report(node, level, what, fix). An "error" is
-- what cannot be meant; a "warning" may be.
local kinds = require "pigeon.source.kinds"
local source = require "pigeon.source"
local text = require "pigeon.text"

local findings = {}

local FINDERS = { "names", "calls", "arguments", "verdicts", "reasons", "sums", "conditions", "lookups", "lists",
  "never", "patterns", "state" }
local LONGEST_SHOWN = 60
local ARTICLES = { object = "the object", queues = "the list of queues", ["nil"] = "nil" }

-- Sorted by place; one of those that are the same.
local function in_order(list)
  for i, finding in ipairs(list) do finding.number = i end
  table.sort(list, function(a, b)
    if a.place ~= b.place then return a.place < b.place end
    return a.number < b.number
  end)
  local kept, seen = {}, {}
  for _, finding in ipairs(list) do
    local mark = finding.line .. finding.what
    if not seen[mark] then kept[#kept + 1], seen[mark] = finding, true end
    finding.place, finding.number = nil, nil
  end
  return kept
end

--- A script {name, source}, and the queues that there are, a list of {name}, or nil where they are not
-- known -> a list of {line, what, fix or nil, level}, by line. A text that Lua would not load has one.
function findings.of(script, queues)
  local tree, problem = source.parse(script.source, script.name)
  if not tree then return { { line = problem.line, what = problem.what, fix = problem.fix, level = "error" } } end
  local list, finders = {}, {}
  local facts = { tree = tree, rule = kinds.open(tree), queues = queues }
  function facts.report(node, level, what, fix)
    list[#list + 1] = { line = node.line, what = what, fix = fix, level = level, place = node.first }
  end
  function facts.show(node)
    return text.clean(script.source:sub(node.first, node.last):gsub("%s+", " "), LONGEST_SHOWN)
  end
  function facts.a(kind) return ARTICLES[kind] or "a " .. kind end
  for i, name in ipairs(FINDERS) do finders[i] = require("pigeon.source.finders." .. name) end
  source.walk(tree, function(node, parent)
    for _, finder in ipairs(finders) do
      local look = finder[node.kind]
      if look then look(node, parent, facts) end
    end
  end)
  return in_order(list)
end

return findings
