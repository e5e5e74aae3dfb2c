--- Which verdicts of a script no object of an enumeration reaches. The script decides the objects once more,
-- with a call at each of its verdicts that counts (pigeon.source.decisions), until all are reached.
local decisions = require "pigeon.source.decisions"
local sandbox = require "pigeon.rules.sandbox"
local verdict = require "pigeon.rules.verdict"

local reached = {}

local INSTRUCTIONS = 2000000 -- what counts has more of them

--- A script {name, source}, the queues, and PIGEON_ENV or nil -> {note, missed}.
function reached.open(script, queues, env)
  local self, waiting, left = {}, {}, 0 -- by number: an item that was not reached yet
  local made = decisions.of(script.source, script.name)
  for number, item in ipairs(made and made.items or {}) do
    if item.kind == "verdict" then waiting[number], left = item, left + 1 end
  end

  local function count(number, value)
    if waiting[number] then waiting[number], left = nil, left - 1 end
    return value
  end

  local ok, decide = pcall(sandbox.open, { name = script.name, source = made and made.text or "" }, {
    queues = queues, env = env, instructions = INSTRUCTIONS, words = { [made and made.name or ""] = count },
  }, verdict.judge)

  --- Notes entries that were decided. One that failed is left out: its line is known.
  function self.note(entries)
    if not ok then return end
    for _, entry in ipairs(entries) do
      if left == 0 then return end
      if entry.verdict then decide(entry.object) end
    end
  end

  --- The verdicts that were not reached: {{line, text = "accept(id, { \"x\" })" or "ignore: why"}, ...}, by line.
  function self.missed()
    local list = {}
    for _, item in pairs(ok and waiting or {}) do list[#list + 1] = item end
    table.sort(list, function(a, b) return a.first < b.first end)
    return list
  end

  return self
end

return reached
