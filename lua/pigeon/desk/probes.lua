--- Objects that every rules script should be able to decide: typical keys, and awkward ones. Each
-- is decided twice, in two orders, and a third time with its lines noted, for messages.
local verdict = require "pigeon.rules.verdict"

local probes = {}

local MOST_MS = 10 -- of CPU time

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

-- An object with everything that S3 reports; other envelopes have less.
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

--- Returns a batch: of n probes, probe i is entry i, entry 2n + 1 - i, and entry 2n + i, with its
-- lines noted.
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

--- A batch -> how many probes it has.
function probes.count(batch)
  return #batch.entries // 3
end

-- A decision in one line, to compare with another.
local function summary(entry)
  local decision = entry.verdict
  if not decision then return "failed: " .. entry.failures[1].text end
  local parts = { decision.kind, decision.reason or decision.id }
  for _, destination in ipairs(decision.destinations or {}) do
    parts[#parts + 1] = verdict.destination_name(destination)
  end
  return table.concat(parts, " ")
end

local function where(script, entry)
  return entry.trace and entry.trace.line and ("%s:%d"):format(script, entry.trace.line) or script
end

-- What is wrong with a probe's three decisions, the third with its lines noted; or nil.
local function judge(script, first, second, third)
  local one, two = summary(first), summary(second)
  if one ~= two then
    return ("%s: decides differently the second time: %s, then %s"):format(where(script, third), one, two)
  end
  if first.failures then return first.failures[1].text end
  local ms = math.min(first.cpu, second.cpu) * 1000
  if ms > MOST_MS then return ("%s: took over %d ms"):format(where(script, third), MOST_MS) end
end

--- The decided batch, and the script's name -> what is wrong, a list of {what = "rules.lua:3: ...", key
-- = the first that shows it, more = how many others do, or nil}.
function probes.problems(batch, script)
  local entries, count, list, by_text = batch.entries, probes.count(batch), {}, {}
  for i = 1, count do
    local what = judge(script, entries[i], entries[2 * count + 1 - i], entries[2 * count + i])
    local known = by_text[what]
    if known then
      known.more = (known.more or 0) + 1
    elseif what then
      local problem = { what = what, key = entries[i].label }
      list[#list + 1], by_text[what] = problem, problem
    end
  end
  return list
end

return probes
