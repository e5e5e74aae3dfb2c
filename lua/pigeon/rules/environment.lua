--- The tables that a rules script sees: its globals, Lua's libraries, queues, the object.
--
-- A table that a script could change for others is a proxy: an empty table that shows `contents`
-- and raises when it is set. Names are strict, so that a misspelt one is an error; lists are not,
-- because ipairs must find its nil. Errors are raised without a position: the sandbox adds the
-- script's line.
local crash_id = require "pigeon.rules.crash_id"
local lua_words = require "pigeon.rules.lua_words"
local sample = require "pigeon.rules.sample"
local verdict = require "pigeon.rules.verdict"
local words = require "pigeon.rules.words"

local byte, find, format, sub = string.byte, string.find, string.format, string.sub

local environment = {}

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

local function proxy(contents, what, refuse)
  return setmetatable({}, {
    contents = contents,
    __index = contents,
    __len = function() return #contents end,
    __newindex = function(_, key)
      if refuse then refuse(key) end
      fail("%s cannot be changed: setting %s", what, show(key))
    end,
  })
end

local function names(contents, what)
  return proxy(setmetatable(contents, { __index = strict(what .. " has no %s", {}) }), what)
end

-- ------------------------------------------------------------------- Pigeon's words

local function check_string(value, place)
  if type(value) ~= "string" then fail("%s is a %s, but must be a string", place, type(value)) end
end

local NO_ID = {} -- stands for no id: a value that no script has

local function crash_id_word(noted)
  return function(key, more)
    if more ~= nil then noted.surplus = "crash_id" end
    check_string(key, "crash_id: the key")
    local id = crash_id.of_key(key)
    noted.crash_id = id
    return id
  end
end

-- Keeps the id's half of the hash, because a rule samples the same id for each queue, and the bytes
-- of the queues' names: 8 % of the CPU of a batch with one queue, more with several; nothing of a
-- lone event's. Keeps in `sampled` which id was last sampled for each queue: rules/throttled.lua
-- reads it.
local function sample_word(settings, noted)
  local sampled, bytes_of = settings.sampled or {}, {}
  for _, queue in ipairs(settings.queues) do
    bytes_of[queue.name] = { byte(queue.name, 1, -1) }
  end
  local finish_bytes = sample.finish_bytes
  local last, hash = NO_ID, nil
  return function(id, salt, more)
    if more ~= nil then noted.surplus = "sample" end
    local bytes = bytes_of[salt] -- where the salt is a queue's name
    if not bytes or id ~= last then
      check_string(id, "sample: the id")
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

-- The functions of a library that words.lua lists, some of them replaced.
local function part(name, replaced)
  local contents = {}
  for _, field in ipairs(words[name].fields) do
    contents[field] = replaced[field] or _G[name][field]
  end
  return names(contents, name)
end

-- A name that is not a word, and is set: most likely `local` is missing.
local function refuse_global(key)
  if type(key) ~= "string" or not find(key, "^[%a_][%w_]*$") or #key > 100 then return end
  for _, word in ipairs(words) do
    if word == key then return end
  end
  if not words[key] then fail('sets the global "%s": write local %s', key, key) end
end

--- {queues = list, env = name or nil, sampled = table or nil, noted = table or nil} -> a script's
-- globals, the _ENV of its chunk; its `string`, which s:method() must use too while the script runs; and
-- the words that make a verdict, function to name. `sampled` gets the id that was last sampled for each
-- queue, by the queue's name; noted.surplus the word of Pigeon's own that was last called with more
-- arguments than it takes.
function environment.globals(settings)
  local noted = settings.noted or {}
  local verdicts = verdict.words(noted, settings.queues)
  local all = {
    accept = verdicts.accept, defer = verdicts.defer, ignore = verdicts.ignore, exchange = verdicts.exchange,
    queues = queues_word(settings.queues), env = settings.env,
    crash_id = crash_id_word(noted), sample = sample_word(settings, noted),
    pairs = lua_words.pairs, tostring = lua_words.tostring, error = lua_words.error,
    string = part("string", { format = lua_words.format }),
    table = part("table", { sort = lua_words.sort }), math = part("math", {}),
  }
  local contents = { string = all.string, table = all.table, math = all.math }
  for _, word in ipairs(words) do
    contents[word] = all[word] -- env may be nil, and must not become a global of that name in Lua
    if contents[word] == nil and word ~= "env" then contents[word] = _G[word] end
  end
  -- settings.words: the counting call of the desk's coverage, by the name that it has in the rewritten text
  for name, word in pairs(settings.words or {}) do contents[name] = word end
  setmetatable(contents, { __index = strict("there is no word %s", { env = true }) })
  return proxy(contents, "the environment", refuse_global), contents.string,
    { [verdicts.accept] = "accept", [verdicts.defer] = "defer", [verdicts.ignore] = "ignore" }
end

local OBJECT = {
  __index = strict("an object has no %s", {
    bucket = true, key = true, event_name = true, time = true, size = true, region = true,
    version_id = true, sequencer = true, source = true,
  }),
}

--- An object -> a copy that is strict about the names of its fields.
function environment.object(object)
  return setmetatable({
    bucket = object.bucket, key = object.key, event_name = object.event_name,
    time = object.time, size = object.size, region = object.region,
    version_id = object.version_id, sequencer = object.sequencer, source = object.source,
  }, OBJECT)
end

return environment
