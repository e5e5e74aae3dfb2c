--- What somebody meant who wrote a word that does not exist.
local spelling = {}

-- How many letters differ: inserted, dropped, changed, or two neighbours the wrong way round.
local function distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local last
    last, before, row = before, row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], last[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

--- A word, and a list of those that exist -> the one that is meant, or nil where none is near. A word
-- of n letters may differ in a third of them; case and _ do not matter.
function spelling.near(word, list)
  local best, least = nil, math.max(1, #word // 3) + 1
  if #word > 64 then return nil end
  local plain = word:lower():gsub("_", "")
  for _, candidate in ipairs(list) do
    local other = candidate:lower():gsub("_", "")
    local apart = candidate ~= word and #candidate <= 64 and distance(plain, other) or least
    if apart < least and apart < math.max(#plain, #other) then best, least = candidate, apart end
  end
  return best
end

--- The same as text for the end of a message: "did you mean accept?", or nil.
function spelling.did_you_mean(word, list)
  local near = spelling.near(word, list)
  return near and ("did you mean %s?"):format(near)
end

return spelling
