--- Files that are not lists of lines: recognized by their first bytes, and refused with the command
-- that makes lines of them.
local refused = {}

-- pyarrow's name of the format -> the command that writes the file as CSV with names above.
local function csv_from(format)
  return ("python3 -c 'import sys, pyarrow.csv, pyarrow.%s as f; pyarrow.csv.write_csv(f.read_table(sys.argv[1]), "
    .. "sys.stdout.buffer)' FILE"):format(format)
end

--- A file format that has columns, in capitals -> the command that writes the file as CSV.
refused.columns = { ORC = csv_from("orc"), PARQUET = csv_from("parquet") }

-- First bytes, what they are, and the command that prints the list.
local FORMS = {
  { "\x1F\x8B", "compressed with gzip", "gzip -dc FILE" },
  { "\x28\xB5\x2F\xFD", "compressed with zstd", "zstd -dc FILE" },
  { "BZh", "compressed with bzip2", "bzip2 -dc FILE" },
  { "\xFD7zXZ", "compressed with xz", "xz -dc FILE" },
  { "PK\3\4", "a zip file", "unzip -p FILE" },
  { "PAR1", "a Parquet file", refused.columns.PARQUET },
  { "ORC", "an ORC file", refused.columns.ORC },
  { "\xFF\xFE", "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE" },
  { "\xFE\xFF", "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE" },
  { "<?xml", "XML", "aws s3api list-objects-v2 --bucket BUCKET" },
  { "<ListBucketResult", "XML", "aws s3api list-objects-v2 --bucket BUCKET" },
}

-- "ORC" may begin a key.
local function begins_with(input, form)
  if form == "ORC" then return input:find("^ORC[\0-\x1F\x80-\xFF]") end
  return input:sub(1, #form) == form
end

local function words(what, command, name)
  return ("the list is %s; do: %s | bin/pigeon %s"):format(what, command, name)
end

--- The first bytes of a list, and the command's name -> why it is refused, or nil.
function refused.problem(input, name)
  for _, form in ipairs(FORMS) do
    if begins_with(input, form[1]) then return words(form[2], form[3], name) end
  end
  local before, after = input:match("^(%z?)[\1-\x7F](%z?)")
  if before == "\0" then return words("UTF-16", "iconv -f UTF-16BE -t UTF-8 FILE", name) end
  if after == "\0" and input:find("^.%z[\1-\x7F]%z") then
    return words("UTF-16", "iconv -f UTF-16LE -t UTF-8 FILE", name)
  end
  return nil
end

return refused
