--- What a rules script keeps from object to object, in the locals above its function, and whether
-- that grows. A count there changes, and does not grow; what is found grows with the objects.
local script_text = require "pigeon.rules.script_text"

local kept = {}

local MOST_ENTRIES = 9 -- that a table may gain: a few buckets or event names
local MOST_BYTES = 4096 -- that strings may gain: the longest key, and some more

-- What is reachable from a value: {entries of tables, bytes of strings}. Tables with a metatable are
-- Pigeon's own.
local function size_of(value)
  local size, seen, waiting = { entries = 0, bytes = 0 }, {}, { value }
  while #waiting > 0 do
    local item = table.remove(waiting)
    if type(item) == "string" then
      size.bytes = size.bytes + #item
    elseif type(item) == "table" and not seen[item] and not getmetatable(item) then
      seen[item] = true
      for key, member in next, item do
        size.entries = size.entries + 1
        table.move({ key, member }, 1, 2, #waiting + 1, waiting)
      end
    end
  end
  return size
end

-- The locals above a function: those that it uses, and those that its helpers use. Calls
-- each(name, value) for each once.
local function walk(call, each, seen)
  seen[call] = true
  local i = 1
  local name, value = debug.getupvalue(call, i)
  while name do
    local id = debug.upvalueid(call, i)
    if type(value) == "function" then
      if not seen[value] and debug.getinfo(value, "S").what == "Lua" then walk(value, each, seen) end
    elseif name ~= "_ENV" and not seen[id] then
      seen[id] = true
      each(id, name, value)
    end
    i = i + 1
    name, value = debug.getupvalue(call, i)
  end
end

-- id -> {name, entries, bytes}, and a list of the ids in a fixed order.
local function measure(rule)
  local sizes, order = {}, {}
  walk(rule, function(id, name, value)
    sizes[id] = size_of(value)
    sizes[id].name, order[#order + 1] = name, id
  end, {})
  return sizes, order
end

-- The first line that makes a local of this name, or nil.
local function line_of(source, name)
  local number = 0
  for line in script_text.lines(source) do
    number = number + 1
    local names = line:match("^%s*local%s+([%w_%s,]+)")
    if names and (" " .. names:gsub(",", " ") .. " "):find(" " .. name .. " ", 1, true) then return number end
  end
end

--- A script's function, which has not run, and the script's text -> a function to call later: it returns
-- what has grown meanwhile, a list of {line or nil, what}.
function kept.watch(rule, source)
  local before = measure(rule)
  return function()
    local list = {}
    local after, order = measure(rule)
    for _, id in ipairs(order) do
      local size, old = after[id], before[id] or { entries = 0, bytes = 0 }
      local entries, bytes = size.entries - old.entries, size.bytes - old.bytes
      if entries > MOST_ENTRIES or bytes > MOST_BYTES then
        list[#list + 1] = { line = line_of(source, size.name), what =
          ('"%s" grew by %s while the script decided: memory that the script itself keeps; keep only constants ' ..
          "above the function"):format(size.name,
            entries > MOST_ENTRIES and entries .. " entries" or bytes .. " bytes") }
      end
    end
    return list
  end
end

return kept
