--- Objects that rules should be able to decide: typical keys, and awkward ones. Each is decided
-- twice, in two orders, and a third time closely, for the line.
local probes = {}

local ID = "00007bd0-2d1c-4865-af09-80bc0%s180313"
local LONGEST = 1024 -- bytes of an S3 key

local function long(start, byte)
  return start .. byte:rep(LONGEST - #start)
end

local function id(annotation)
  return (ID:format(annotation))
end

local KEYS = {
  "v2/raw_crash/000/20180313/" .. id("0"), "v2/raw_crash/000/20180313/" .. id("1"),
  "v2/raw_crash/000/20180313/" .. id("2"), "v2/raw_crash/000/20180313/" .. id("a"),
  "v1/raw_crash/20180313/" .. id("0"), "v1/raw_crash/20180313/" .. id("1"),
  "v2/dump_names/" .. id("1"), "v1/dump/" .. id("1"), id("1"), "a", "/", "v2/raw_crash/", "v2/raw_crash/000/",
  "v2/raw_crash/000/20180313/", "v2/raw_crash/000/20180313/readme.txt", "v2/raw_crash/" .. id("1") .. "/",
  "%", "%s", "a b+c%2F", "\u{E9}\u{1F426}", "\xFF\xFE", "a\nb\0c", "^(.-)$", "nil",
  long("", "/"), long("", "-"), long("", "a"), long("", "0"),
  long("v2/raw_crash/", "/"), long("v2/raw_crash/", "-"), long("v2/raw_crash/", "a"),
}

local EVENT_NAMES = { "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete" }

-- What S3 tells of an object, all of it; another envelope tells less.
local function whole(key)
  return {
    bucket = "crashes", key = key, event_name = "ObjectCreated:Put", time = "2018-03-13T00:00:00.000Z", size = 1024,
    region = "us-west-2", version_id = "096fKKXTRTtl3on89fVO.nfljtsv6qko", sequencer = "0055AED6DCD90281E5",
    source = "aws:s3",
  }
end

local function objects()
  local list = {}
  for _, key in ipairs(KEYS) do list[#list + 1] = whole(key) end
  list[#list + 1] = { bucket = "crashes", key = KEYS[2], event_name = "ObjectCreated:Put", source = "aws:s3" }
  for _, event_name in ipairs(EVENT_NAMES) do
    list[#list + 1] = whole(KEYS[2])
    list[#list].event_name = event_name
  end
  return list
end

--- Returns a batch: probe i is entry i, entry 2n + 1 - i of the n, and, closely, entry 2n + i.
function probes.read()
  local list, batch = objects(), { entries = {} }
  local count = #list
  for i, object in ipairs(list) do
    batch.entries[i] = { label = object.key, object = object, timed = true }
    batch.entries[2 * count + 1 - i] = { label = object.key, object = object, timed = true }
    batch.entries[2 * count + i] = { label = object.key, object = object, closely = true }
  end
  return batch
end

return probes
