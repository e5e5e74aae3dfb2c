--- Those of Lua's own words that a rules script gets in another form, so that they decide the same in
-- every process: no address is shown, and every order is fixed. Errors are raised without a
-- position: the sandbox adds the script's line.
local find, format, gsub = string.find, string.format, string.gsub
local min, rawget, sort = math.min, rawget, table.sort

local lua_words = {}

local function fail(message, ...)
  error(format(message, ...), 0)
end

local function refuse_address(value, word)
  local kind = type(value)
  if kind == "table" or kind == "function" then
    fail("%s: a %s shows its address, which differs between processes", word, kind)
  end
end

--- tostring, which raises for a value that it would show by its address.
function lua_words.tostring(value)
  refuse_address(value, "tostring")
  return tostring(value)
end

--- string.format, which raises for %p and the same values.
function lua_words.format(text, ...)
  if type(text) == "string" and find(gsub(text, "%%%%", ""), "%%[-+ #0-9.]*p") then
    fail("string.format: %%p is an address, which differs between processes")
  end
  local values = table.pack(...)
  for i = 1, values.n do
    refuse_address(values[i], "string.format")
  end
  local ok, result = pcall(format, text, ...) -- so that its error has no position of ours
  if not ok then error(result, 0) end
  return result
end

--- pairs in a fixed order: numbers, then strings, each sorted. Raises for other keys. Walks what a
-- proxy of environment.lua shows.
function lua_words.pairs(value)
  if type(value) ~= "table" then fail("pairs: a table expected, got %s", type(value)) end
  local meta = getmetatable(value)
  local contents = meta and meta.contents or value
  local keys, strings = {}, {}
  for key in next, contents do
    local kind = type(key)
    if kind == "number" then keys[#keys + 1] = key
    elseif kind == "string" then strings[#strings + 1] = key
    else fail("pairs: a %s as key has no order that is the same in every process", kind) end
  end
  sort(keys)
  sort(strings)
  table.move(strings, 1, #strings, #keys + 1, keys)
  local i = 0
  return function()
    local key
    repeat -- skips what the loop has removed
      i = i + 1
      key = keys[i]
    until key == nil or rawget(contents, key) ~= nil
    if key ~= nil then return key, rawget(contents, key) end
  end
end

local function default_less(a, b)
  local kind = type(a)
  if kind ~= type(b) or kind ~= "number" and kind ~= "string" then
    fail("table.sort: a %s and a %s cannot be compared", kind, type(b))
  end
  return a < b
end

-- from[low .. middle - 1] and from[middle .. high - 1], each sorted -> to[low .. high - 1]
local function merge(from, to, low, middle, high, less)
  local i, j = low, middle
  for k = low, high - 1 do
    if i < middle and (j >= high or not less(from[j], from[i])) then
      to[k], i = from[i], i + 1
    else
      to[k], j = from[j], j + 1
    end
  end
end

--- table.sort, which keeps the order of equal values; raises for a list or a comparator of another
-- type. In a long list Lua's own picks its pivots by the clock, and with them that order. A bad
-- comparator does no harm.
function lua_words.sort(list, less)
  if type(list) ~= "table" then fail("table.sort: a table expected, got %s", type(list)) end
  less = less == nil and default_less or less
  if type(less) ~= "function" then fail("table.sort: a function expected, got %s", type(less)) end
  local count, width, from, to = #list, 1, {}, {}
  for i = 1, count do from[i] = list[i] end
  while width < count do
    for low = 1, count, 2 * width do
      merge(from, to, low, min(low + width, count + 1), min(low + 2 * width, count + 1), less)
    end
    from, to, width = to, from, 2 * width
  end
  for i = 1, count do list[i] = from[i] end
end

--- error without a position: after `return error(...)` that would be one in trusted code.
function lua_words.error(value)
  error(value, 0)
end

return lua_words
