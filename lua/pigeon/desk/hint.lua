--- What somebody meant who typed something else than a key.
local crash_id = require "pigeon.rules.crash_id"
local objects = require "pigeon.desk.list.objects"
local text = require "pigeon.text"

local hint = {}

local LONGEST = 1024

-- A word as the shell takes it.
local function quoted(word)
  if word:find("^[%w%-._/:=]+$") then return word end
  return "'" .. text.clean(word, LONGEST):gsub("'", "'\\''") .. "'"
end

local function explain(word)
  return "bin/pigeon explain " .. quoted(word)
end

--- A word that was typed for a key, and which words are names of files {name = true} -> what to type
-- instead, or nil.
function hint.of(word, files)
  if word == "" then return "an empty key, which no object has; is the variable set that it came from?" end
  if files[word] then return "a file; explain the event in it: bin/pigeon explain <" .. quoted(word) end
  if word:find("^[^/]*%.%a%w*$") or word:find("^[./~]") then
    return "the name of a file, and there is none here; an event goes to stdin: bin/pigeon explain <FILE"
  end
  if word:find("^%s*[{%[]") then return "an event goes to stdin: bin/pigeon explain <FILE" end
  if #word == 36 and crash_id.of_key(word) then
    return "a crash id alone; explain its key: " .. explain(objects.key_of("v2/raw_crash", word))
  end
  if word:find("^https?://") then return "a URL; explain the key alone, without host and bucket" end
  local bucket, key = objects.of_address(word)
  if bucket then return "an address; explain its key: " .. explain(key) end
  return key and "an address that " .. key
end

return hint
