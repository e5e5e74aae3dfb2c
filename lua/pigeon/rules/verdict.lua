--- Verdicts and destinations: tokens that only the words of a rules script can make.
--
-- A token is an empty table whose metatable has its contents. It cannot be forged, since a script
-- can neither set nor read a metatable; the metatables of other tables have no `kind`. Arguments are
-- checked and copied when the word is called, so that the error has the line of the mistake.
-- Errors are raised without a position: the sandbox adds the script's line.
local find, format, sub = string.find, string.format, string.sub
local getmetatable, next, setmetatable, type = getmetatable, next, setmetatable, type
local math_type = math.type

local verdict = {}

local MOST_DESTINATIONS <const> = 32

local function fail(message, ...)
  error(format(message, ...), 0)
end

local function no_fields()
  error("a verdict or destination has no fields to read or set", 0)
end

-- The contents of a token, or nil where the value is not a token.
local function read(value)
  local contents = getmetatable(value)
  return contents and contents.kind and contents
end

--- What a rule returned -> {kind="accept", id, destinations}, each {exchange, routing_key}, or
-- {kind="defer" or "ignore", reason}. Returns nil and what is wrong where it is not a verdict.
function verdict.judge(value)
  local contents = read(value)
  if contents and contents.kind ~= "exchange" then return contents end
  return nil, format("the rule returned %s, but must return accept(...), defer(...) or ignore(...)",
    contents and "an exchange" or value == nil and "nothing" or "a " .. type(value))
end

--- A destination -> its name in messages.
function verdict.destination_name(destination)
  if destination.exchange == "" then return destination.routing_key end
  return destination.exchange .. "/" .. destination.routing_key
end

-- What is wrong with a string of `least` to `most` bytes, or nil.
local function string_problem(value, least, most)
  if type(value) ~= "string" then return format("is a %s, but must be a string", type(value)) end
  if #value < least or #value > most then
    return format("has %d bytes, but must have %d to %d", #value, least, most)
  end
end

-- Of a queue: the broker takes what is published to amq.topic and its like.
local function queue_problem(value)
  local problem = string_problem(value, 1, 255)
  if problem then return problem end
  if sub(value, 1, 4) == "amq." then return "begins with amq., which the broker reserves" end
end

local function refuse(place, problem)
  if problem then fail("%s %s", place, problem) end
end

local function reason_word(word, noted)
  return function(reason, more)
    if more ~= nil then noted.surplus = word end
    if reason == nil then fail('%s needs a reason: %s("why")', word, word) end
    local problem = string_problem(reason, 1, 200)
    if problem then fail("%s: the reason %s", word, problem) end
    return setmetatable({}, { kind = word, reason = reason, __index = no_fields, __newindex = no_fields })
  end
end

local function exchange_word(noted)
  return function(name, routing_key, more)
    if more ~= nil then noted.surplus = "exchange" end
    refuse("exchange: the name", string_problem(name, 1, 255))
    refuse("exchange: the routing key", string_problem(routing_key, 0, 255))
    return setmetatable({}, {
      kind = "exchange", exchange = name, routing_key = routing_key, __index = no_fields, __newindex = no_fields,
    })
  end
end

-- An entry of the list, and the queues' destinations by name -> the destination, or nil and what is wrong.
local function read_destination(value, known)
  local destination = known[value]
  if destination then return destination end
  if type(value) == "string" then
    return { exchange = "", routing_key = value }, queue_problem(value)
  end
  local contents = read(value)
  if contents and contents.kind == "exchange" then
    return { exchange = contents.exchange, routing_key = contents.routing_key }
  end
  return nil, format("is a %s, but must be a queue's name or an exchange", type(value))
end

-- The position of the same destination among those before, or nil.
local function position_of(destination, destinations)
  for i = 1, #destinations do
    local other = destinations[i]
    if other.routing_key == destination.routing_key and other.exchange == destination.exchange then return i end
  end
end

-- How many entries the list has. Raises for a key that is not a position, so that no entry is missed.
local function length_of(list)
  local length = 0
  for key in next, list do
    if math_type(key) ~= "integer" then
      fail("accept: the destinations have a %s as key, but must be a list", type(key))
    end
    length = length + 1
    if length > MOST_DESTINATIONS then
      fail("accept: more than %d destinations", MOST_DESTINATIONS)
    end
  end
  return length
end

-- Why the list has no entry there, though it has as many entries as that.
local function gap_problem(list, position)
  for key in next, list do
    if key < 1 then return format("accept: destinations[%d] is not part of the list: positions begin at 1", key) end
  end
  return format("accept: destinations[%d] is nil, and later entries are not: the list has a gap", position)
end

local function read_destinations(list, known)
  if type(list) ~= "table" or getmetatable(list) then -- one with a metatable is ours: queues, a token
    fail("accept: the destinations are %s, but must be a list of queue names",
      type(list) == "table" and "queues, a verdict or an exchange" or "a " .. type(list))
  end
  local destinations = {}
  for i = 1, length_of(list) do
    local destination, problem = read_destination(list[i], known)
    if problem and list[i] == nil then fail(gap_problem(list, i)) end
    if problem then fail("accept: destinations[%d] %s", i, problem) end
    local same = i > 1 and position_of(destination, destinations)
    if same then fail("accept: destinations[%d] is the same as destinations[%d]", i, same) end
    destinations[i] = destination
  end
  return destinations
end

local function check_id(id)
  refuse("accept: the id", string_problem(id, 1, 255))
  if not find(id, "^[ -~]*$") then fail("accept: the id has a byte that cannot be printed") end
end

-- What is known to be right is not checked again, and a queue's destination is made once.
local function accept_word(noted, queues)
  local known = {}
  for _, queue in ipairs(queues) do
    known[queue.name] = { exchange = "", routing_key = queue.name }
  end
  return function(id, destinations, more)
    if more ~= nil then noted.surplus = "accept" end
    if not id or id ~= noted.crash_id then check_id(id) end
    return setmetatable({}, {
      kind = "accept", id = id, destinations = read_destinations(destinations, known),
      __index = no_fields, __newindex = no_fields,
    })
  end
end

--- The words accept, defer, ignore and exchange of a script: each returns a token, and raises what is
-- wrong with its arguments. One that gets more than it takes drops the rest, and leaves its name in
-- noted.surplus. noted.crash_id is what the word crash_id last returned; `queues` are those of PIGEON_QUEUE.
function verdict.words(noted, queues)
  return {
    accept = accept_word(noted, queues), exchange = exchange_word(noted),
    defer = reason_word("defer", noted), ignore = reason_word("ignore", noted),
  }
end

return verdict
