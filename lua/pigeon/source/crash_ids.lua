--- The crash ids and other last parts of a key that a script may tell apart, made from its constants:
-- the annotation, the date, ids on both sides of each throttle, and what is nearly a crash id.
local sample = require "pigeon.rules.sample"

local crash_ids = {}

local DATE <const> = "180313"
local FORM <const> = "%s-2d1c-4865-af09-80bc0%s%s" -- the annotation is the 7th character from the end
local ANNOTATIONS = { "1", "0", "2", "a" }
local MOST_ANNOTATIONS <const> = 16
local MOST_DATES <const> = 40
local MOST_STARTS <const> = 16
local MOST_TESTS <const> = 16 -- thresholds
local CANDIDATES <const> = 1000 -- ids that are sampled for each annotation
local COMBINATIONS <const> = 8 -- of queues that an id passes

local function make(start, annotation, date)
  return FORM:format(start, annotation, date or DATE)
end

-- A list without doubles, of `most` at most, and the function that adds to it.
local function collector(most)
  local list, known = {}, {}
  return list, function(value)
    if known[value] or #list >= most then return end
    known[value] = true
    list[#list + 1] = value
  end
end

local function annotations_of(found)
  local list, add = collector(MOST_ANNOTATIONS)
  for _, character in ipairs(ANNOTATIONS) do add(character) end
  for _, text in ipairs(found.strings) do
    if #text == 1 and text:find("[%w]") then add(text) end
  end
  for _, number in ipairs(found.numbers) do
    if math.type(number) == "integer" and number >= 0 and number <= 9 then add(tostring(number)) end
  end
  return list
end

-- Dates that begin with each of these digits, in each of their places, and with one less and one more.
local function dates_of(found)
  local list, add = collector(MOST_DATES)
  local function add_around(number, width)
    for value = number - 1, number + 1 do
      local digits = ("%0" .. width .. "d"):format(value)
      for place = 1, 7 - width, 2 do
        if value >= 0 and #digits == width then
          add(DATE:sub(1, place - 1) .. digits .. DATE:sub(place + width))
        end
      end
    end
  end
  for _, text in ipairs(found.strings) do
    local digits = text:match("^%d%d+$")
    if digits and #digits <= 8 then
      digits = digits:sub(-6)
      add_around(tonumber(digits), #digits)
    end
  end
  for _, number in ipairs(found.numbers) do
    if math.type(number) == "integer" and number >= 2 and number <= 991231 then
      add_around(number, #("%02d"):format(number))
    end
  end
  return list
end

-- What a crash id may begin with: hex digits, with zeros behind.
local function starts_of(found)
  local list, add = collector(MOST_STARTS)
  for _, text in ipairs(found.strings) do
    if #text <= 8 and text:find("^%x+$") and text == text:lower() then add(text .. ("0"):rep(8 - #text)) end
  end
  return list
end

-- The thresholds that samples are compared with: a list of {salt, threshold}. Where the text does not
-- say which salt or threshold it is, each of PIGEON_QUEUE's is one.
local function tests_of(found, queues)
  local names, throttles = {}, {}
  for i, queue in ipairs(queues) do
    names[i], throttles[i] = queue.name, queue.throttle
  end
  local list, add = collector(MOST_TESTS)
  local tests = {}
  local function add_test(salt, threshold)
    if threshold > 0 and threshold < 100 then add(threshold .. "\0" .. salt) end
  end
  for _, call in ipairs(found.samples) do
    if not call.salt and not call.threshold then -- each queue has its own
      for i, name in ipairs(names) do add_test(name, throttles[i]) end
    else
      for _, salt in ipairs(call.salt and { call.salt } or names) do
        for _, threshold in ipairs(call.threshold and { call.threshold } or throttles) do add_test(salt, threshold) end
      end
    end
  end
  for i, test in ipairs(list) do
    local threshold, salt = test:match("^([^\0]*)\0(.*)$")
    tests[i] = { salt = salt, threshold = tonumber(threshold) }
  end
  return tests
end

-- Ids with this annotation: for each test the nearest on either side of its threshold, and for each
-- combination of tests that ids pass one that passes exactly these.
local function add_sampled(add, tests, annotation)
  local nearest, seen, combinations = {}, {}, 0
  for seed = 1, CANDIDATES do
    local id = make(("%08x"):format(seed * 0x9E3779B1 & 0xFFFFFFFF), annotation)
    local hash, passes = sample.begin(id), {}
    for i, test in ipairs(tests) do
      local distance = test.threshold - sample.finish(hash, test.salt)
      passes[i] = distance > 0 and "1" or "0"
      local side = i .. passes[i]
      local near = nearest[side]
      if not near or math.abs(distance) < near.distance then
        nearest[side] = { id = id, distance = math.abs(distance) }
      end
    end
    local combination = table.concat(passes)
    if not seen[combination] and combinations < COMBINATIONS then
      seen[combination], combinations = true, combinations + 1
      add(id)
    end
  end
  for i in ipairs(tests) do
    for _, side in ipairs { i .. "0", i .. "1" } do
      if nearest[side] then add(nearest[side].id) end
    end
  end
end

-- What is not a crash id, but nearly one, or what the script takes for the end of a key.
local function add_others(add, found)
  local id = make("00007bd0", "1")
  for _, other in ipairs {
    "", "readme.txt", "a", id:upper(), id:sub(1, -2), id .. "0", id:sub(1, -2) .. "a", id .. "/", id .. ".json",
    (id:gsub("-", "_")),
  } do
    add(other)
  end
  for _, text in ipairs(found.strings) do
    if #text <= 36 and text:find("^[._-][%w._-]+$") then add(id .. text) end
  end
end

--- What constants.of() found, and the queues -> two lists of the last parts of keys: those that are told
-- apart in every folder, and those of which one folder is enough.
function crash_ids.of(found, queues)
  local list, add = collector(math.huge)
  local more, add_more = collector(math.huge)
  local tests = tests_of(found, queues)
  for _, annotation in ipairs(annotations_of(found)) do
    add(make("00007bd0", annotation))
    if #tests > 0 then add_sampled(add, tests, annotation) end
  end
  add_others(add, found)
  for _, annotation in ipairs(ANNOTATIONS) do
    for _, date in ipairs(dates_of(found)) do add_more(make("00007bd0", annotation, date)) end
    for _, start in ipairs(starts_of(found)) do add_more(make(start, annotation)) end
  end
  return list, more
end

return crash_ids
