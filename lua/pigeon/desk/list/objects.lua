--- The objects of a list, whatever form they come in: keys, addresses and crash ids become entries as
-- those of envelope.read(), numbered over the whole list.
local crash_id = require "pigeon.rules.crash_id"
local trim = require("pigeon.text").trim

local find, match, sub = string.find, string.match, string.sub

local objects = {}

local LONGEST <const> = 1024 -- bytes of a key, in S3
local LENGTH_OF_ID <const> = 36

--- A bucket and a key -> the object, as if it had just been put.
function objects.put(bucket, key)
  return { bucket = bucket, key = key, event_name = "ObjectCreated:Put", source = "aws:s3" }
end

--- One more object: an entry with a label, and an object or a problem.
function objects.add(list, entry)
  local number = list.objects + 1
  list.objects = number
  if number < list.from then return end
  entry.number, entry.line = number, list.line
  list.entries[#list.entries + 1] = entry
end

--- One more object, which cannot be read: its text, what is wrong with it (a format), and values.
function objects.fail(list, text, problem, ...)
  objects.add(list, { label = sub(text, 1, LONGEST), problem = problem:format(...) })
end

--- A version or a delete marker that is not the object in the bucket: it does not count.
function objects.pass(list)
  list.passed = list.passed + 1
end

--- A prefix and a crash id -> the key. Socorro's collector has a folder of the day, and in v2, before
-- it, one of the id's first three characters.
function objects.key_of(prefix, id)
  if sub(prefix, -1) == "/" then prefix = sub(prefix, 1, -2) end
  if prefix == "v1/raw_crash" then return prefix .. "/20" .. sub(id, -6) .. "/" .. id end
  if prefix == "v2/raw_crash" then return prefix .. "/" .. sub(id, 1, 3) .. "/20" .. sub(id, -6) .. "/" .. id end
  return prefix .. "/" .. id
end

-- One more object: a bucket and a key of which nothing is wrong.
local function add_sound(list, bucket, key)
  local number = list.objects + 1
  list.objects = number
  if number < list.from then return end
  local entries = list.entries
  entries[#entries + 1] = {
    label = key, number = number, line = list.line,
    object = { bucket = bucket, key = key, event_name = "ObjectCreated:Put", source = "aws:s3" },
    verdict = nil, first = nil, destinations = nil, -- room for later results
  }
end

local function add_id(list, bucket, id)
  if list.ids then return add_sound(list, bucket, objects.key_of(list.ids, id)) end
  objects.fail(list, id, "a crash id alone; --ids v2/raw_crash (the prefix in your bucket) makes keys of crash ids")
end

--- A text that is a crash id and nothing else is one more object -> true; false: it is something else.
function objects.took_id(list, text)
  if #text ~= LENGTH_OF_ID or not crash_id.of_key(text) then return false end
  add_id(list, "-", text)
  return true
end

--- One more object: a bucket ("-": not known) and a key.
function objects.add_key(list, bucket, key)
  local length = #key
  if length == LENGTH_OF_ID and crash_id.of_key(key) then return add_id(list, bucket, key) end
  if length > LONGEST then
    return objects.fail(list, key, "has %d bytes; a key has at most %d", length, LONGEST)
  end
  add_sound(list, bucket, key)
end

-- Whether a text is a key and nothing else. Calls for one character each cost less than a set of them.
local function is_plain(text)
  return find(text, "^%l%g*$") and find(text, "/", 1, true) and not find(text, ":", 1, true)
end

--- An address that names an object -> its bucket and key; nil and what is wrong with it; or nil: it is
-- no address.
function objects.of_address(text)
  if find(text, "^s3[an]?://") then
    local bucket, at = match(text, "^%w+://([^/]+)/()")
    if bucket and at <= #text then return bucket, sub(text, at) end
    return nil, "names no object; an address is s3://BUCKET/KEY"
  end
  if find(text, "^arn:") then
    local bucket, at = match(text, "^arn:[^:]*:s3:::([^/]+)/()")
    if not bucket then bucket, at = match(text, "^arn:[^:]*:s3:[^:]*:%d*:accesspoint/([^/]+)/object/()") end
    if bucket and at <= #text then return bucket, sub(text, at) end
    return nil, "names no object of S3; an ARN is arn:aws:s3:::BUCKET/KEY"
  end
  if find(text, "^https?://") then return nil, "is a URL; write it as s3://BUCKET/KEY" end
  return nil
end

--- One more object: a key, an address or a crash id, as somebody wrote it.
function objects.add_name(list, text)
  if find(text, ":", 1, true) then
    local bucket, key = objects.of_address(text)
    if bucket then return objects.add_key(list, bucket, key) end
    if key then return objects.fail(list, text, "%s", key) end
  end
  if find(text, "^%g*$") then return objects.add_key(list, "-", text) end
  local control = find(text, "[\0-\x1F\x7F]")
  if control then
    return objects.fail(list, text, "has a control character at byte %d; is this a list of keys, as text?", control)
  end
  local _, bad = utf8.len(text)
  if bad then
    return objects.fail(list, text, "not UTF-8 at byte %d; convert the list: iconv -f LATIN1 -t UTF-8 FILE", bad)
  end
  objects.add_key(list, "-", text)
end

--- A folder of a listing: what is in it is missing.
function objects.fail_folder(list, folder, option)
  objects.fail(list, folder, "a folder, not an object; list what is in it: %s", option)
end

local OTHERS = { None = true, null = true, True = true, False = true }
for class in ([[STANDARD REDUCED_REDUNDANCY STANDARD_IA ONEZONE_IA INTELLIGENT_TIERING GLACIER GLACIER_IR
  DEEP_ARCHIVE OUTPOSTS SNOW EXPRESS_ONEZONE FSX_OPENZFS]]):gmatch("%S+") do
  OTHERS[class] = true
end

--- One more object, or a value that stands beside keys: a size, a time, an ETag, a storage class.
function objects.add_value(list, text)
  if is_plain(text) then return objects.add_key(list, "-", text) end
  if text == "" or OTHERS[text] or find(text, "^%d+$") or find(text, '^"[%x-]+"$')
    or find(text, "^%d%d%d%d%-%d%d%-%d%dT%d%d:") then return end
  objects.add_name(list, text)
end

--- What a line holds: a list of items, and a function that takes the list of objects, an item, its
-- number and what was given as `place`. They are read one after the other, when their turn comes.
function objects.push(list, items, read, place)
  list.stack[#list.stack + 1] = { items = items, at = 0, read = read, place = place }
end

--- The same for fields that tabs separate, each a key or a value beside it.
function objects.push_fields(list, line)
  list.stack[#list.stack + 1] = { fields = line, at = 1 }
end

--- Reads the next item; false: there is none.
function objects.take(list)
  local stack = list.stack
  local top = stack[#stack]
  if not top then return false end
  local at = top.at
  if top.fields then
    local stop = find(top.fields, "\t", at, true) or #top.fields + 1
    top.at = stop + 1
    if at > #top.fields then stack[#stack] = nil else objects.add_value(list, trim(sub(top.fields, at, stop - 1))) end
  elseif at >= #top.items then
    stack[#stack] = nil
  else
    top.at = at + 1
    top.read(list, top.items[at + 1], at + 1, top.place)
  end
  return true
end

return objects
