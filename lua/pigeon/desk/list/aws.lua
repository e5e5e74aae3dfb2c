--- What the AWS CLI prints: `aws s3 ls`, and `aws s3api list-objects-v2` as text, as a table and as
-- YAML. (documents.lua has its JSON.) Lines are trimmed. Keys are as they are in the bucket.
local objects = require "pigeon.desk.list.objects"
local text = require "pigeon.text"

local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub

local aws = {}

local NO_DELIMITER = "leave --delimiter out"

-- The members of an answer.
local NAMES = {}
for name in ([[ChecksumAlgorithm ChecksumType CommonPrefixes Contents ContinuationToken DeleteMarkers Delimiter
  DisplayName ETag EncodingType ID IsLatest IsRestoreInProgress IsTruncated Key KeyCount LastModified ListObjects
  ListObjectsV2 ListObjectVersions Marker MaxKeys Name NextContinuationToken NextMarker Owner Prefix RequestCharged
  RestoreExpiryDate RestoreStatus Size StartAfter StorageClass VersionId Versions]]):gmatch("%S+") do
  NAMES[name] = true
end

local OF_VERSIONS = { IsLatest = true, VersionId = true, DeleteMarkers = true }

local function fail_versions(list, line)
  objects.fail(list, line, "a list of versions in this form cannot be read; use --output json")
end

-- ------------------------------------------------------------------------ aws s3 ls

--- A line of `aws s3 ls` -> true; false: it is something else.
function aws.read_ls(list, line)
  local at = match(line, "^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d +()")
  if not at then return false end
  local start = match(line, "^%d+ Bytes? ()", at) or match(line, "^%d+ ()", at)
    or match(line, "^[%d.]+ [KMGTPE]iB ()", at)
  local key = start and sub(line, start)
  if not key then
    objects.fail(list, line, "a bucket, not an object; list what is in it: aws s3 ls --recursive s3://BUCKET/")
  elseif find(key, "/", 1, true) then
    list.recursive = true
    objects.add_key(list, "-", key)
  elseif list.recursive or list.ids then
    objects.add_key(list, "-", key)
  else
    objects.fail(list, line, "has only the last part of a key; list with aws s3 ls --recursive, or make keys of "
      .. "crash ids with --ids PREFIX")
  end
  return true
end

--- The other lines of `aws s3 ls` -> true; false: it is something else.
function aws.read_ls_other(list, line)
  local folder = match(line, "^PRE (.+/)$")
  if folder then objects.fail_folder(list, folder, "aws s3 ls --recursive") end
  return folder or find(line, "^Total Objects: %d+$") or find(line, "^Total Size: [%d.]+") and true
end

-- ------------------------------------------------------------------------ text

-- The columns are in the alphabetical order of their names: ..., ETag, IsLatest, Key, LastModified, ...
local function read_contents(list, line)
  local start = find(line, '"\t', 1, true)
  local stop = start and find(line, "\t", start + 2, true)
  if not stop then return objects.fail(list, line, "a line of --output text without an ETag; use --output json") end
  local key = sub(line, start + 2, stop - 1)
  if key == "False" then return objects.pass(list) end
  if key == "True" then key = match(line, "^[^\t]*", stop + 1) end
  objects.add_key(list, "-", key)
end

--- A line with tabs: --output text, or keys with or without other values.
function aws.read_tabs(list, line)
  local word, at = match(line, "^(%u%u+)\t()")
  if word == "CONTENTS" or word == "VERSIONS" then return read_contents(list, line) end
  if word == "COMMONPREFIXES" then return objects.fail_folder(list, sub(line, at), NO_DELIMITER) end
  if word == "DELETEMARKERS" then return objects.pass(list) end
  if word == "CHECKSUMALGORITHM" or word == "OWNER" or word == "RESTORESTATUS" then return end
  -- of the answer: EncodingType, IsTruncated, KeyCount, MaxKeys, ...; or Prefix and RequestCharged
  if find(line, "^[%a\t]-%f[%a]%u%l+e\t%d+\t%d+\t") then return end
  if find(line, "^None\t[^\t]*\tNone") or find(line, "^[^\t]*\tNone$") then return end
  objects.push_fields(list, line)
end

-- ------------------------------------------------------------------------ table

-- With the blanks around them: of most rows only one cell is needed.
local function cells_of(line)
  local cells, at = {}, find(line, "[^|]")
  while at do
    local stop = find(line, "|", at, true) or #line + 1
    cells[#cells + 1] = sub(line, at, stop - 1)
    at = find(line, "[^|]", stop)
  end
  return cells
end

local function trim_all(cells)
  for i, cell in ipairs(cells) do cells[i] = text.trim(cell) end
end

local function are_names(cells)
  for _, cell in ipairs(cells) do
    if not NAMES[cell] then return false end
  end
  return true
end

-- Where the key is in a row of names, or nil.
local function key_column(cells)
  for i, cell in ipairs(cells) do
    if cell == "Key" then return i end
  end
  return nil
end

-- A table's title, or the names of its columns.
local function read_names(list, line, cells)
  for _, cell in ipairs(cells) do
    if OF_VERSIONS[cell] then return fail_versions(list, line) end
  end
  if #cells > 1 or cells[1] == "Key" or cells[1] == "Prefix" then
    list.column, list.width = key_column(cells), #cells
  else
    list.title, list.column, list.width = cells[1], nil, nil
  end
end

--- A line of a table.
function aws.read_table(list, line)
  if find(line, "^[-+|]+$") then return end -- a rule
  local cells = cells_of(line)
  if list.column and list.width == #cells and not NAMES[text.trim(cells[1])] then
    return objects.add_key(list, "-", text.trim(cells[list.column]))
  end
  trim_all(cells)
  if are_names(cells) then return read_names(list, line, cells) end
  if list.title == "CommonPrefixes" then
    return objects.fail_folder(list, cells[#cells], NO_DELIMITER)
  elseif list.width == #cells then
    if list.column then objects.add_key(list, "-", cells[list.column]) end
  elseif #cells == 2 and NAMES[cells[1]] then
    if OF_VERSIONS[cells[1]] then return fail_versions(list, line) end
    if cells[1] == "Key" then objects.add_key(list, "-", cells[2]) end
  elseif list.title == "ChecksumAlgorithm" or list.title == "Owner" then
    return
  elseif list.width then
    objects.fail(list, line, "has %d columns, but the names above are %d; use --output json", #cells, list.width)
  elseif #cells == 1 then
    objects.add_value(list, cells[1])
  else
    objects.push(list, cells, objects.add_value)
  end
end

-- ------------------------------------------------------------------------ YAML

-- A scalar -> its text, or nil: it goes on in the next line.
local function scalar(value)
  local first = sub(value, 1, 1)
  if first == "'" then
    local inner = match(value, "^'(.*)'$")
    return inner and gsub(inner, "''", "'")
  elseif first == '"' then
    local inner = match(value, '^"(.*)"$')
    return inner and gsub(inner, "\\(.)", "%1")
  elseif first == "|" or first == ">" then
    return nil
  end
  return value
end

local function fail_several(list, line)
  objects.fail(list, line, "a value over more than one line; use --output json")
end

local function read_member(list, line, name, value)
  list.section = value == "" and name or nil
  if OF_VERSIONS[name] then return fail_versions(list, line) end
  if name ~= "Key" then return end
  local key = scalar(value)
  if not key then return fail_several(list, line) end
  objects.add_key(list, "-", key)
end

-- Those members whose value is never a list.
local SINGLE = { ChecksumType = true, ETag = true, Key = true, LastModified = true, Size = true, StorageClass = true }

--- In YAML: input and where a line begins -> where the next one begins; nil or false: it needs a closer
-- look. Most lines need no more than their name.
function aws.take_yaml(list, input, at)
  if list.section == "ChecksumAlgorithm" then
    local after = match(input, "^ *%- %w+\n()", at)
    if after then return after end
  end
  local name, start = match(input, "^[ -]*(%u%a+): ()", at)
  local stop = SINGLE[name] and find(input, "\n", start, true)
  if not stop then return false end
  if name == "Key" then
    if not find(input, "^%a%g*\n", start) then return false end
    objects.add_key(list, "-", sub(input, start, stop - 1))
  end
  list.section = nil
  return stop + 1
end

--- A line of YAML -> true; false: it is something else. In YAML, list.yaml is true from then on.
function aws.read_yaml(list, line)
  local at = 1
  while find(line, "^%- ", at) do at = find(line, "[^ ]", at + 1) end
  local rest, is_item = sub(line, at), at > 1
  local name, value = match(rest, "^(%u%a+):%s*(.*)$")
  if name and NAMES[name] then
    list.yaml = true
    if list.section == "CommonPrefixes" and name == "Prefix" and is_item then
      objects.fail_folder(list, value, NO_DELIMITER)
    else
      read_member(list, line, name, value)
    end
    return true
  end
  if is_item then
    list.yaml = true
    if list.section then return true end -- such as ChecksumAlgorithm
    local item = scalar(rest)
    if item then objects.add_value(list, item) else fail_several(list, line) end
    return true
  end
  if not list.yaml then return false end
  if line ~= "---" and line ~= "..." then fail_several(list, line) end
  return true
end

return aws
