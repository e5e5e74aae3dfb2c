--- Finds patterns that are malformed or slow, in calls of find, match, gmatch and gsub.
local patterns = require "pigeon.source.patterns"
local text = require "pigeon.text"
local values = require "pigeon.source.values"

local TAKES = { find = true, match = true, gmatch = true, gsub = true }

-- `given` is what follows the text: the pattern, and gsub's replacement or find's start and plain.
local function check(name, given, facts)
  local pattern = given[1] and values.constant(given[1])
  local is_plain = name == "find" and given[3] and given[3].kind ~= "False" and given[3].kind ~= "Nil"
  if type(pattern) ~= "string" or is_plain then return end
  local problem = patterns.problem(pattern)
  local replacement = not problem and name == "gsub" and given[2] and values.constant(given[2])
  if type(replacement) == "string" then problem = patterns.replacement_problem(replacement) end
  if problem then facts.report(given[1], problem.level, text.clean(problem.what, 200), problem.fix) end
end

local finder = {}

function finder.Call(node, _, facts)
  local word = values.word(node.callee)
  local name = word and word:match("^string%.(.*)")
  if TAKES[name] then check(name, { table.unpack(node.arguments, 2) }, facts) end
end

function finder.Method(node, _, facts)
  if TAKES[node.name.value] then check(node.name.value, node.arguments, facts) end
end

return finder
