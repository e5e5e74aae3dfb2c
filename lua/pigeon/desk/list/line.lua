--- One line of a list: what it is, by its first bytes and its shape.
local aws = require "pigeon.desk.list.aws"
local csv = require "pigeon.desk.list.csv"
local documents = require "pigeon.desk.list.documents"
local objects = require "pigeon.desk.list.objects"

local byte, find = string.byte, string.find

local line = {}

local BRACE <const>, BRACKET <const>, QUOTE <const>, BAR <const>, PLUS <const> = 123, 91, 34, 124, 43

-- The last part of `aws s3api ... 2>&1`, and the like.
local function is_error(text)
  return find(text, "^An error occurred %(") or find(text, "^fatal error: ")
end

-- A line that begins with a small letter and has no blanks: a key, an address or a row.
local function read_word(list, text)
  if find(text, ",", 1, true) and csv.is_row(list, text) then return csv.read(list, text) end
  if list.objects == 0 and text == "key" then return end -- a name above keys
  objects.add_value(list, text)
end

local function read_others(list, text)
  if find(text, "\t", 1, true) then return aws.read_tabs(list, text) end
  if aws.read_ls(list, text) or aws.read_ls_other(list, text) or aws.read_yaml(list, text) then return end
  if find(text, ",", 1, true) and csv.is_row(list, text) then return csv.read(list, text) end
  if is_error(text) then return objects.fail(list, text, "an error of the AWS CLI, not a key") end
  if list.objects == 0 and text == "Key" then return end
  objects.add_value(list, text)
end

--- A line without blanks around it -> its objects.
function line.read(list, text)
  if list.columns then return csv.read(list, text) end
  if list.yaml and aws.read_yaml(list, text) then return end
  if objects.took_id(list, text) then return end
  if find(text, "^%l%g*$") then return read_word(list, text) end
  local first = byte(text)
  if first == BRACE or first == BRACKET then return documents.read(list, text) end
  if first == BAR or first == PLUS or find(text, "^%-%-%-%-") then return aws.read_table(list, text) end
  if first == QUOTE then
    if csv.read_quoted(list, text) or documents.read_plain_string(list, text) then return end
    if csv.is_row(list, text) and not find(text, '^"[^"]*",$') then return csv.read(list, text) end
    return documents.read_string(list, text)
  end
  read_others(list, text)
end

return line
