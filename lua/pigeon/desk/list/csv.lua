--- Rows of CSV: S3 Inventory, a manifest or a report of S3 Batch, what other programs export.
--
-- S3 writes no names above: the bucket is first and the key second, form-encoded; in an inventory of
-- all versions two columns of true and false follow the version. A manifest or a line of names may
-- say otherwise; where another program wrote names above, its keys are not encoded.
local checked = require "pigeon.event.checked"
local objects = require "pigeon.desk.list.objects"
local refused = require "pigeon.desk.list.refused"
local s3 = require "pigeon.event.s3"
local text = require "pigeon.text"

local byte, find, gsub, lower = string.byte, string.find, string.gsub, string.lower
local match, sub = string.match, string.sub

local csv = {}

local QUOTE <const>, COMMA <const> = 34, 44

-- A row -> its fields, or nil and what is wrong.
local function split(row)
  local fields, at = {}, 1
  repeat
    local stop
    if byte(row, at) == QUOTE then
      local close = find(row, '"', at + 1, true)
      while close and byte(row, close + 1) == QUOTE do close = find(row, '"', close + 2, true) end
      if not close then return nil, "a quote that begins a field must end it" end
      fields[#fields + 1] = gsub(sub(row, at + 1, close - 1), '""', '"')
      stop = close + 1
      if stop <= #row and byte(row, stop) ~= COMMA then return nil, "a quote must be followed by a comma" end
    else
      stop = find(row, ",", at, true) or #row + 1
      fields[#fields + 1] = sub(row, at, stop - 1)
    end
    at = stop + 1
  until at > #row + 1
  return fields
end

-- Names of columns, in the order of the row -> which has what, {key, bucket, latest, marker, count}; or
-- nil: no column is the key.
local function columns_of(names)
  local place = {}
  for i, name in ipairs(names) do place[gsub(lower(name), "[ _]", "")] = i end
  if not place.key then return nil end
  return { key = place.key, bucket = place.bucket, latest = place.islatest, marker = place.isdeletemarker,
    count = #names }
end

-- Whether a row has names in place of values.
local function are_names(fields)
  for _, field in ipairs(fields) do
    if not find(field, "^%a[%w_ ]*$") then return false end
  end
  return true
end

local function is_true(field)
  return lower(field) == "true"
end

local FLAGS = { ["true"] = true, ["false"] = true }

-- The columns that S3 writes, where no manifest tells: bucket, key, and the fourth and fifth.
local function add_usual(list, row, bucket, key, latest, marker)
  if find(bucket, "/", 1, true) then bucket, key = "-", bucket end
  if not key or key == "" then return objects.fail(list, row, "a row with no key: S3 writes bucket, key, ...") end
  latest, marker = latest and lower(latest), marker and lower(marker)
  if FLAGS[latest] and FLAGS[marker] then
    if latest == "false" or marker == "true" then return objects.pass(list) end
  elseif key == list.row_key and bucket == list.row_bucket then
    return objects.pass(list) -- another version, in a manifest of S3 Batch
  end
  list.row_bucket, list.row_key = bucket, key
  objects.add_key(list, bucket, s3.form_decode(key))
end

local function read_by(list, row, fields, columns)
  if #fields ~= columns.count then
    return objects.fail(list, row, "has %d columns, but %s has %d", #fields, columns.name, columns.count)
  end
  if columns.latest and not is_true(fields[columns.latest]) or columns.marker and is_true(fields[columns.marker]) then
    return objects.pass(list)
  end
  local key = fields[columns.key]
  if key == "" then return objects.fail(list, row, "a row with no key") end
  objects.add_key(list, columns.bucket and fields[columns.bucket] or "-",
    columns.encoded and s3.form_decode(key) or key)
end

--- Whether a line is a row of CSV, where no manifest says so.
function csv.is_row(list, line)
  return find(line, '^"[^"]*",') or find(line, "^[%l%d][%l%d.%-]+,.")
    or list.objects == 0 and find(line, "^%a[%w_ ]*,%a[%w_ ,]*$")
end

-- A row of a manifest of S3 Batch: bucket, key, version. Sorted, the versions of an object stand
-- together, and count once; to find them in any order takes memory for each.
local function add_version(list, row, second, third)
  local last = list.row
  list.row = row
  if last and row < last and find(row, "%D", third + 1) then
    return objects.fail(list, row, "rows with versions must be sorted: LC_ALL=C sort FILE; else an object counts twice")
  end
  add_usual(list, row, sub(row, 1, second - 1), sub(row, second + 1, third - 1))
end

--- A row -> its object.
function csv.read(list, row)
  if not list.columns and list.objects + list.passed > 0 and not find(row, '"', 1, true) then
    local second = find(row, ",", 1, true)
    local third = second and find(row, ",", second + 1, true) or #row + 1
    if second and not find(row, ",", third + 1, true) then return add_version(list, row, second, third) end
  end
  local fields, problem = split(row)
  if not fields then return objects.fail(list, row, "a row of CSV is wrong: %s", problem) end
  if list.columns then return read_by(list, row, fields, list.columns) end
  local columns = list.objects + list.passed == 0 and are_names(fields) and columns_of(fields)
  list.row = row
  if not columns then return add_usual(list, row, fields[1], fields[2], fields[4], fields[5]) end
  columns.name = "the line of names"
  list.columns = columns
end

--- A row as S3 writes an inventory, all in quotes, where no line of names can be -> true; false: it is
-- something else. Most rows need no more than their first fields.
function csv.read_quoted(list, row)
  if list.objects + list.passed == 0 then return false end
  local second = find(row, '","', 2, true)
  local stop = second and find(row, '"', second + 3, true)
  if not stop or byte(row, stop + 1) == QUOTE or find(row, '"', 2, true) ~= second then return false end
  local third = find(row, '"', stop + 3, true) -- the end of the third field
  local latest, marker
  if third then latest, marker = match(row, '^,"(%a+)","(%a+)"', third + 1) end
  add_usual(list, row, sub(row, 2, second - 1), sub(row, second + 3, stop - 1), latest, marker)
  return true
end

local function read_manifest(manifest, columns)
  local content = checked.object(checked.decode(manifest.text, "--manifest " .. manifest.name), manifest.name)
  local format = content.fileFormat
  local command = type(format) == "string" and refused.columns[format:upper()]
  if command then
    checked.fail("fileFormat is %s; give its files as CSV, without --manifest: %s", format, command)
  end
  local schema, names = checked.string(content.fileSchema, "fileSchema"), {}
  for name in schema:gmatch("[^,]+") do names[#names + 1] = text.trim(name) end
  local found = columns_of(names)
  if not found then checked.fail('fileSchema has no column Key: "%s"', text.clean(schema, 200)) end
  for name, place in pairs(found) do columns[name] = place end
  columns.name, columns.encoded = manifest.name, true
end

--- A manifest {name, text} -> its columns; or nil and what is wrong with it.
function csv.columns(manifest)
  local columns = {}
  local ok, problem = checked.attempt(read_manifest, manifest, columns)
  if ok then return columns end
  if problem:sub(1, 2) ~= "--" then problem = ("--manifest %s: %s"):format(manifest.name, problem) end
  return nil, problem
end

return csv
