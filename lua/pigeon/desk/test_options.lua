--- `pigeon test`: its own options, which are taken out of the arguments before busted reads them.
local test_options = {}

-- "--coverage=90" -> 90; nil and what is wrong.
local function share_of(option, value)
  local share = value:find("^%d+%.?%d*$") and tonumber(value)
  if share and share <= 100 then return share end
  return nil, ("%s=%s: it takes a percentage, 0 to 100; an example: %s=100"):format(option, value, option)
end

-- The value of an option: what comes after its =, or, of one that must have a value, the next word.
local function value_of(words, at, option)
  local value = words[at]:match("^%-%-%a+=(.*)$")
  if value or option ~= "--lcov" then return value end
  return table.remove(words, at + 1)
end

local function set(options, option, value, next_word)
  if option == "--lcov" then
    if not value or value == "" then return "--lcov: it takes the name of a file" end
    options.lcov, options.coverage = value, true
    return nil
  end
  local name, problem = option:sub(3), nil
  options[name] = true
  if not value and (next_word or ""):find("^[%d.]+%%?$") then
    return ("%s %s: write %s=%s"):format(option, next_word, option, next_word:gsub("%%", ""))
  end
  if value then options[name .. "_least"], problem = share_of(option, value) end
  return problem
end

--- A list of words -> {coverage, coverage_least, lcov, mutate, mutate_least}, or nil and what is wrong. The
-- words that it understands are removed; -c and --no-coverage are busted's.
function test_options.take(words)
  local options, at = {}, 1
  while words[at] and words[at] ~= "--" do
    local option = words[at]:match("^%-%-%a+")
    if words[at]:find("^%-%-%a+$") == nil and not words[at]:find("^%-%-%a+=") then option = nil end
    if option == "--coverage" or option == "--mutate" or option == "--lcov" then
      local value = value_of(words, at, option)
      table.remove(words, at)
      local problem = set(options, option, value, words[at])
      if problem then return nil, problem end
    else
      at = at + 1
    end
  end
  return options
end

return test_options
