--- A log line's facts -> them by name, without those that are not there.
return function(line)
  local facts = {}
  for i = 1, #line.facts, 2 do
    facts[line.facts[i]] = line.facts[i + 1] or nil
  end
  return facts
end
