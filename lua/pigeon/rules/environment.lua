--- The tables a rules script sees: its environment, Lua's libraries, queues, the object.
--
-- What the script could change for others is a proxy: an empty table that shows `contents`
-- and refuses to be set. Names are strict, so that a misspelt one is an error; lists are not,
-- because ipairs must find its nil. Errors are raised without a position: the sandbox adds
-- the script's line. Everything decides the same in every process: pairs is sorted, and
-- nothing shows an address.
local crash_id = require "pigeon.rules.crash_id"
local sample = require "pigeon.rules.sample"
local verdict = require "pigeon.rules.verdict"
local words = require "pigeon.rules.words"

local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub
local min, rawget, sort = math.min, rawget, table.sort

local library = {}

local function fail(message, ...)
  error(format(message, ...), 0)
end

local function show(key)
  if type(key) == "string" then return '"' .. sub(key, 1, 100) .. '"' end
  return type(key) == "number" and tostring(key) or "a " .. type(key)
end

-- An __index for names: nil for those in `optional`, an error for all others.
local function strict(message, optional)
  return function(_, key)
    if not optional[key] then fail(message, show(key)) end
  end
end

local function proxy(contents, what)
  return setmetatable({}, {
    contents = contents,
    __index = contents,
    __len = function() return #contents end,
    __newindex = function(_, key) fail("%s cannot be changed: setting %s", what, show(key)) end,
  })
end

local function names(contents, what)
  return proxy(setmetatable(contents, { __index = strict(what .. " has no %s", {}) }), what)
end

-- ------------------------------------------------------ Lua's own words, made the same everywhere

local function refuse_address(value, word)
  local kind = type(value)
  if kind == "table" or kind == "function" then
    fail("%s: a %s shows its address, which differs between processes", word, kind)
  end
end

local function safe_tostring(value)
  refuse_address(value, "tostring")
  return tostring(value)
end

local function safe_format(text, ...)
  if type(text) == "string" and find(gsub(text, "%%%%", ""), "%%[-+ #0-9.]*p") then
    fail("string.format: %%p is an address, which differs between processes")
  end
  local values = table.pack(...)
  for i = 1, values.n do
    refuse_address(values[i], "string.format")
  end
  local ok, result = pcall(format, text, ...) -- for an error without our own position
  if not ok then error(result, 0) end
  return result
end

-- Numbers, then strings, each sorted.
local function safe_pairs(value)
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
    repeat -- what was removed on the way is passed over
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

-- Lua's own picks its pivots by the clock where a list is long, and so the order of equal values.
-- This one keeps their order, and a bad comparator does no harm.
local function safe_sort(list, less)
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

-- Without a position of its own, which would be that of trusted code after `return error(...)`.
local function raise(value)
  error(value, 0)
end

-- ------------------------------------------------------------------- Pigeon's words

local function check_string(value, place)
  if type(value) ~= "string" then fail("%s is a %s, and should be a string", place, type(value)) end
end

local NO_ID = {} -- in place of one; no script has it

-- Notes the id that was found, so that the other words need not look at it again.
local function crash_id_word(found)
  local of_key = crash_id.of_key
  return function(key)
    if type(key) ~= "string" then check_string(key, "crash_id: the key") end
    local id = of_key(key)
    if id then found.id = id end
    return id
  end
end

-- Keeps the id's half of the hash, because a rule asks about the same id for each queue. Notes
-- which id was last sampled for which queue, so that metrics can tell a throttled one from one that
-- the script did not mean.
local function sample_word(settings, found)
  local sampled, bytes_of = settings.sampled or {}, {}
  for _, queue in ipairs(settings.queues) do
    bytes_of[queue.name] = { byte(queue.name, 1, -1) }
  end
  local finish_bytes = sample.finish_bytes
  local last, hash = NO_ID, nil
  return function(id, salt)
    local bytes = bytes_of[salt] -- a queue's
    if not bytes or id ~= last then
      if id ~= found.id then check_string(id, "sample: the id") end
      if not bytes then check_string(salt, "sample: the salt") end
    end
    if id ~= last then
      last = NO_ID -- the budget may end between any two of these
      hash = sample.begin(id)
      last = id
    end
    if not bytes then return sample.finish(hash, salt) end
    sampled[salt] = id
    return finish_bytes(hash, bytes)
  end
end

local function queues_word(list)
  local shown = {}
  for i, queue in ipairs(list) do
    shown[i] = names({ name = queue.name, throttle = queue.throttle }, "a queue")
  end
  return proxy(shown, "queues")
end

-- A library's functions that words.lua lists, some of them replaced.
local function part(name, replaced)
  local contents = {}
  for _, field in ipairs(words[name].fields) do
    contents[field] = replaced[field] or _G[name][field]
  end
  return names(contents, name)
end

--- What a script's globals are: {queues = list, env = name or nil, sampled = table or nil} -> the
-- _ENV of its chunk, and its `string`, which is also where s:method() has to look while it runs.
-- In `sampled` the id that was last sampled for a queue is put under its name.
function library.environment(settings)
  local found = { id = NO_ID } -- the crash id that crash_id() found last
  local all = {
    accept = verdict.accept_word(settings.queues, found), defer = verdict.words.defer,
    ignore = verdict.words.ignore, exchange = verdict.words.exchange,
    queues = queues_word(settings.queues), env = settings.env,
    crash_id = crash_id_word(found), sample = sample_word(settings, found),
    pairs = safe_pairs, tostring = safe_tostring, error = raise,
    string = part("string", { format = safe_format }),
    table = part("table", { sort = safe_sort }), math = part("math", {}),
  }
  local contents = { string = all.string, table = all.table, math = all.math }
  for _, word in ipairs(words) do
    contents[word] = all[word] -- env may be nil, and must not become Lua's of that name
    if contents[word] == nil and word ~= "env" then contents[word] = _G[word] end
  end
  setmetatable(contents, { __index = strict("there is no word %s", { env = true }) })
  return proxy(contents, "the environment"), contents.string
end

local OBJECT = {
  __index = strict("an object has no %s", {
    bucket = true, key = true, event_name = true, time = true, size = true, region = true,
    version_id = true, sequencer = true, source = true,
  }),
}

--- A copy of an object, strict about the names of its fields.
function library.object(object)
  return setmetatable({
    bucket = object.bucket, key = object.key, event_name = object.event_name,
    time = object.time, size = object.size, region = object.region,
    version_id = object.version_id, sequencer = object.sequencer, source = object.source,
  }, OBJECT)
end

return library
