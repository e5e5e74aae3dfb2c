--- Lists in JSON: events, answers of `aws s3api list-objects-v2`, lists of keys, a key a line. The host
-- hands over a document of several lines as one.
local checked = require "pigeon.event.checked"
local envelope = require "pigeon.event.envelope"
local objects = require "pigeon.desk.list.objects"

local pcall, type = pcall, type
local find, sub = string.find, string.sub

local documents = {}

local read_value

local function flag(value)
  return value == true or type(value) == "string" and value:lower() == "true"
end

local function text_of(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "string" and value ~= "" then return value end
  end
  return nil
end

-- {Key, Bucket, ...} in any of the ways in which programs write it.
local function read_object(list, object, i, place)
  local where = place and ("%s[%d]"):format(place, i - 1) or "the line"
  if type(object) ~= "table" then return objects.fail(list, where, "%s is not an object", where) end
  local key = text_of(object.Key, object.key)
  if not key then return objects.fail(list, where, "%s.Key is missing", where) end
  local latest, marker = object.IsLatest, object.IsDeleteMarker
  if latest == nil then latest = object.is_latest end
  if marker == nil then marker = object.is_delete_marker end
  if latest ~= nil and not flag(latest) or flag(marker) then return objects.pass(list) end
  local bucket = text_of(object.Bucket, object.bucket)
  if bucket then return objects.add_key(list, bucket, key) end
  objects.add_name(list, key)
end

local function read_folder(list, folder)
  objects.fail_folder(list, type(folder) == "table" and text_of(folder.Prefix) or "?", "leave --delimiter out")
end

local function is_list(value)
  return type(value) == "table" and value[1] ~= nil
end

local function is_listing(value)
  return type(value.Contents or value.Versions or value.DeleteMarkers or value.CommonPrefixes) == "table"
    or value.RequestCharged ~= nil or value.KeyCount ~= nil or value.IsTruncated ~= nil
end

local function read_listing(list, listing)
  if is_list(listing.Versions) then objects.push(list, listing.Versions, read_object, "Versions") end
  if is_list(listing.DeleteMarkers) then list.passed = list.passed + #listing.DeleteMarkers end
  if is_list(listing.Contents) then objects.push(list, listing.Contents, read_object, "Contents") end
  if is_list(listing.CommonPrefixes) then objects.push(list, listing.CommonPrefixes, read_folder) end
end

local function add_event(list, entry)
  objects.add(list, entry)
end

local function read_event(list, event, line)
  local batch, problem = envelope.of(event)
  if not batch then return objects.fail(list, line, "%s", problem) end
  if #batch.entries == 1 then return objects.add(list, batch.entries[1]) end
  objects.push(list, batch.entries, add_event)
end

local function read_list(list, values, line)
  line = line:sub(1, 1024) -- to show; the whole of it may be 64 MB
  local first = values[1]
  if type(first) ~= "table" or is_list(first) or is_listing(first) then
    return objects.push(list, values, read_value, line)
  end
  if text_of(first.Key, first.key) then return objects.push(list, values, read_object, "") end
  read_event(list, values, line)
end

function read_value(list, value, _, line)
  if type(value) == "string" then return objects.add_value(list, value) end
  if type(value) ~= "table" or next(value) == nil then return end -- a size, or an empty answer
  if value.Records then return read_event(list, value, line) end
  if text_of(value.Key, value.key) then return read_object(list, value) end
  if is_list(value) then return read_list(list, value, line) end
  if is_listing(value) then return read_listing(list, value) end
  if value.fileSchema and value.files then
    return objects.fail(list, line, "the manifest.json of an inventory: give it with --manifest, and as the list the "
      .. "files that it names, unpacked with gzip -dc")
  end
  read_event(list, value, line)
end

--- A line that begins as JSON does -> its objects.
function documents.read(list, line)
  local ok, value = pcall(checked.decode, line, "the line")
  if ok then return read_value(list, value, nil, line) end
  objects.fail(list, line, "%s; jq -c . FILE makes a line of each document", checked.problem(value))
end

--- A string in JSON without escapes, or one with a comma behind it -> true; false: it is something else.
function documents.read_plain_string(list, line)
  local close = find(line, '"', 2, true)
  if not close or close < #line - 1 or close < #line and sub(line, -1) ~= "," or find(line, "\\", 1, true) then
    return false
  end
  objects.add_value(list, sub(line, 2, close - 1))
  return true
end

--- The same where it may have escapes -> its object.
function documents.read_string(list, line)
  local quoted = line:match('^(".*"),?$')
  local ok, value = pcall(checked.decode, quoted and "[" .. quoted .. "]" or "", "")
  if ok then return objects.add_value(list, value[1]) end
  checked.problem(value)
  objects.fail(list, line, "a quote that begins a field must end it")
end

return documents
