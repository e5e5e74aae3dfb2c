--- The objects that a script may tell apart, made from its own constants.
--
-- Each field has a list of values: those that the script compares it with, values beside them, and
-- usual ones. The product of these lists is what is enumerated, object by object, without ever being
-- a list itself; then come single objects: awkward keys, absent fields, lengths. Where the product
-- is too large, objects spread over all of it are taken, and the enumeration says so. It proves
-- nothing about objects that are not in it.
local crash_id = require "pigeon.rules.crash_id"
local crash_ids = require "pigeon.source.crash_ids"

local objects = {}

local MOST <const> = 100000 -- objects of the product
local MOST_VALUES <const> = 32 -- of a field; of the key, prefixes
local MOST_SINGLE_KEYS <const> = 2000
local LONGEST <const> = 1024 -- bytes of an S3 key

--- An object with everything that S3 reports; other envelopes have less.
objects.usual = {
  bucket = "crashes", event_name = "ObjectCreated:Put", time = "2018-03-13T00:00:00.000Z", size = 1024,
  region = "us-west-2", version_id = "096fKKXTRTtl3on89fVO.nfljtsv6qko", sequencer = "0055AED6DCD90281E5",
  source = "aws:s3",
}

-- The order of the product, the slowest first: the first object of each outcome is a plain one.
local FIELDS <const> = {
  "source", "sequencer", "version_id", "region", "time", "size", "event_name", "bucket", "key",
}
local MAY_BE_ABSENT <const> = { "time", "size", "region", "version_id", "sequencer" }

local ABSENT = false

-- A list without doubles, of `most` at most.
local function list_of(most, ...)
  local list, known = {}, {}
  for _, values in ipairs { ... } do
    for _, value in ipairs(values) do
      if not known[value] and #list < most then
        known[value] = true
        list[#list + 1] = value
      end
    end
  end
  return list
end

local function matching(strings, ...)
  local list = {}
  for _, text in ipairs(strings) do
    for _, pattern in ipairs { ... } do
      if text:find(pattern) then
        list[#list + 1] = text
        break
      end
    end
  end
  return list
end

-- ------------------------------------------------------------------------ the fields but the key

local VALUES = {}

local BUCKET_NAME <const> = "^[a-z0-9][a-z0-9.-]+[a-z0-9]$"

-- Names that have these parts: "-stage", "crashes-", "^crashes%-(%a+)$" with each word of the script.
local function buckets_with(strings)
  local list, words = {}, matching(strings, "^[a-z0-9]+$")
  local function add(part)
    local start, last = part:find("^[.-]") and objects.usual.bucket or "", part:find("[.-]$") and "a" or ""
    list[#list + 1] = start .. part .. last
  end
  for _, text in ipairs(strings) do
    local part = text:gsub("^%^", ""):gsub("%$$", ""):gsub("%%([.-])", "%1")
    if part:find("^[.-]") or part:find("[.-]$") then add(part) end
    for _, word in ipairs(part:find("%b()") and words or {}) do add((part:gsub("%b()", word))) end
  end
  return matching(list, BUCKET_NAME)
end

-- A bucket's name has 3 to 63 characters. What the script names comes first: it is likely to decide more.
function VALUES.bucket(found)
  local named, other = found.of_field.bucket, { "another-bucket" }
  local strings = found.fields.bucket and found.strings or {}
  return list_of(MOST_VALUES, named, named[1] and {} or { objects.usual.bucket }, other,
    matching(strings, BUCKET_NAME), buckets_with(strings))
end

local EVENT_NAMES <const> = {
  "ObjectCreated:Copy", "ObjectRemoved:Delete", "ObjectCreated:Post", "ObjectCreated:CompleteMultipartUpload",
}

-- Whether the script may tell the other events apart: it has a part of a name, "ObjectCreated".
local function has_part(strings)
  for _, text in ipairs(strings) do
    text = text:match("^%^?(%a%a%a+:?)[^%w]*$")
    for _, name in ipairs(text and EVENT_NAMES or {}) do
      if name:find(text, 1, true) then return true end
    end
  end
  return false
end

function VALUES.event_name(found)
  if not found.fields.event_name then return { objects.usual.event_name } end
  return list_of(MOST_VALUES, { objects.usual.event_name }, found.of_field.event_name,
    matching(found.strings, "^%a+:%w+$"), { EVENT_NAMES[1] }, has_part(found.strings) and EVENT_NAMES or {})
end

function VALUES.size(found)
  local numbers = {}
  for _, number in ipairs(found.fields.size and found.numbers or {}) do
    local whole = math.tointeger(number)
    if whole and whole > 1 then
      numbers[#numbers + 1], numbers[#numbers + 2] = whole, whole + 1
    end
  end
  return list_of(MOST_VALUES, { objects.usual.size }, found.fields.size and { ABSENT, 0 } or {}, numbers)
end

function VALUES.time(found)
  if not found.fields.time then return { objects.usual.time } end
  local times = {}
  for _, text in ipairs(matching(found.strings, "^%d%d%d%d%-?", "^%d%d%d%d$")) do
    times[#times + 1], times[#times + 2] = text, text .. "Z"
  end
  return list_of(MOST_VALUES, { objects.usual.time, ABSENT, "1970-01-01T00:00:00.000Z", "2099-12-31T23:59:59.999Z" },
    times)
end

-- Of a field without values of its own: the usual one, absent, those it is compared with, and another.
local function plain(name)
  return function(found)
    if not found.fields[name] then return { objects.usual[name] } end
    return list_of(MOST_VALUES, { objects.usual[name] }, name == "source" and {} or { ABSENT }, found.of_field[name],
      name == "region" and matching(found.strings, "^%a%a%-[%a-]+%-%d$") or {}, { "another" })
  end
end

for _, name in ipairs { "source", "sequencer", "version_id", "region" } do VALUES[name] = plain(name) end

-- ------------------------------------------------------------------------ keys

-- What a pattern says as it stands, up to its first magic character: "^v2/(%d+)" -> "v2/".
local function literal(text)
  return (text:gsub("^%^", ""):gsub("%%([%-.])", "\0%1"):gsub("[%^$()%%%[%]*+?].*$", ""):gsub("%z", ""))
end

-- A character of each of Lua's classes.
local CLASS = {
  d = "1", x = "a", a = "a", w = "a", l = "a", u = "A", s = " ", p = "-", c = "\1", S = "a", D = "a", W = "-",
}

-- A text that this pattern finds, where it is a simple one.
local function found_by(pattern)
  return (pattern:gsub("^%^", ""):gsub("%$$", ""):gsub("[()]", ""):gsub("%[%^[^%]]+%]", "a")
    :gsub("%[%%?(.)[^%]]*%]", function(first) return CLASS[first] or first end)
    :gsub("%%(.)", function(class) return CLASS[class] or class end):gsub("(%w)[*+-]", "%1"):gsub("%.[*+-]", "a"))
end

-- The script's prefixes first, then what is nearly one of them, then others.
local function prefixes_of(found)
  local own, near = {}, {}
  for _, text in ipairs(found.strings) do
    local prefix = literal(text)
    if #text <= 200 and prefix:find("/", 1, true) and not prefix:find("^/*$") then
      own[#own + 1] = prefix
      near[#near + 1], near[#near + 2] = prefix:sub(1, -2) .. "X/", "x/" .. prefix
    end
  end
  return list_of(MOST_VALUES, own, own[1] and {} or { "v2/raw_crash/" }, { "", "zz/" }, near)
end

-- A prefix and a last part -> a key as the collector makes it: folders of the id's start and its date.
local function key_of(prefix, last)
  local id = crash_id.of_key(last)
  if not id then return prefix .. "000/20180313/" .. last end
  return ("%s%s/20%s/%s"):format(prefix, id:sub(1, 3), id:sub(-6), last)
end

local function keys_of(found, queues)
  local lasts, more = crash_ids.of(found, queues)
  local prefixes, list = prefixes_of(found), {}
  for _, prefix in ipairs(prefixes) do
    for _, last in ipairs(lasts) do list[#list + 1] = key_of(prefix, last) end
  end
  for _, last in ipairs(more) do list[#list + 1] = key_of(prefixes[1], last) end
  return list_of(math.huge, list), prefixes
end

local function long(start, byte)
  return start .. byte:rep(LONGEST - #start)
end

local ID <const> = "00007bd0-2d1c-4865-af09-80bc01180313"

-- Keys that are hard on a script, whatever it is.
local AWKWARD <const> = {
  ID, "a", "/", "v2/dump_names/" .. ID, "v1/dump/" .. ID, "v2/raw_crash/" .. ID, "v1/raw_crash/20180313/" .. ID,
  "v2/raw_crash/", "v2/raw_crash/000/", "v2/raw_crash/000/20180313/", "v2/raw_crash/" .. ID .. "/",
  "%", "%s", "a b+c%2F", "\u{E9}\u{1F426}", "\xFF\xFE", "a\nb\0c", "^(.-)$", "nil",
  long("", "/"), long("", "-"), long("", "a"), long("", "0"),
  long("v2/raw_crash/", "/"), long("v2/raw_crash/", "-"), long("v2/raw_crash/", "a"),
}

-- Keys of the lengths that the script names, and of one more.
local function lengths_of(found, prefix)
  local list = {}
  for _, number in ipairs(found.numbers) do
    local whole = math.tointeger(number)
    for length = whole or 0, (whole or -2) + 1 do
      local rest = length - #prefix - #ID - 1
      if rest >= 0 and length <= LONGEST then list[#list + 1] = prefix .. ("d"):rep(rest) .. "/" .. ID end
    end
  end
  return list
end

local function single_keys(found, prefixes)
  local list = list_of(math.huge, AWKWARD)
  for i, prefix in ipairs(prefixes) do
    list[#list + 1] = prefix .. ID
    list[#list + 1] = i > 1 and prefix or long(prefix, "/")
  end
  for _, text in ipairs(found.strings) do
    local word = found_by(text)
    if #word > 0 and #word <= 200 then
      list[#list + 1] = word
      list[#list + 1] = key_of(prefixes[1] .. word .. "/", ID)
      list[#list + 1] = prefixes[1] .. word
    end
  end
  local keys = {}
  for _, key in ipairs(list_of(MOST_SINGLE_KEYS, list, lengths_of(found, prefixes[1]))) do
    if #key > 0 and #key <= LONGEST then keys[#keys + 1] = key end
  end
  return keys
end

-- ------------------------------------------------------------------------ the enumeration

local function gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

-- A step that visits all of `total` before it comes back, and jumps far.
local function stride(total)
  local step = total * 618034 // 1000000
  while gcd(step, total) ~= 1 do step = step + 1 end
  return step
end

-- The object that has the first value of each field, with the other ones that are given.
local function variant(dimensions, changes)
  local object = {}
  for _, dimension in ipairs(dimensions) do object[dimension.name] = dimension.values[1] or nil end
  for name, value in pairs(changes) do
    object[name] = value or nil -- ABSENT is nil here
  end
  return object
end

-- The objects beside the product.
local function singles_of(dimensions, found, prefixes, thinned)
  local list = {}
  local function add(changes) list[#list + 1] = variant(dimensions, changes) end
  for _, key in ipairs(single_keys(found, prefixes)) do add { key = key } end
  for _, event_name in ipairs(EVENT_NAMES) do add { event_name = event_name } end
  local bare = {}
  for _, name in ipairs(MAY_BE_ABSENT) do
    bare[name] = ABSENT
    add { [name] = ABSENT }
  end
  add(bare)
  for _, dimension in ipairs(thinned and dimensions or {}) do
    for _, value in ipairs(dimension.values) do add { [dimension.name] = value } end
  end
  return list
end

--- What constants.of() found, and the queues -> {count, total, thinned, base, at}: how many objects are
-- enumerated, how many there would be, whether that is more, the plainest of them, and the function
-- from a number of 1 to count to an object.
function objects.of(found, queues)
  local dimensions, product, prefixes = {}, 1, nil
  for i, name in ipairs(FIELDS) do
    local values
    if name == "key" then values, prefixes = keys_of(found, queues) else values = VALUES[name](found) end
    dimensions[i] = { name = name, values = values }
    product = product * #values
  end
  local thinned = product > MOST
  local taken, step = thinned and MOST or product, thinned and stride(product) or 1
  local singles = singles_of(dimensions, found, prefixes, thinned)

  local function of_product(number)
    local rest, object = number * step % product, {}
    for i = #dimensions, 1, -1 do
      local dimension = dimensions[i]
      local count = #dimension.values
      object[dimension.name] = dimension.values[rest % count + 1] or nil
      rest = rest // count
    end
    return object
  end

  return {
    count = taken + #singles, total = product + #singles, thinned = thinned, base = variant(dimensions, {}),
    at = function(number)
      if number <= taken then return of_product(number - 1) end
      return singles[number - taken]
    end,
  }
end

return objects
