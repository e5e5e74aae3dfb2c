local lists = require "pigeon.desk.lists"

local ID = "00007bd0-2d1c-4865-af09-80bc01180313"
local KEY = "v2/raw_crash/000/20180313/" .. ID
local OTHER = "v2/raw_crash/000/20180313/00007bd1-2d1c-4865-af09-80bc00180313"
local ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'
local EVENT = '{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Copy",'
  .. '"s3":{"bucket":{"name":"crashes"},"object":{"key":"a+b"}}}]}'

local function read_file(name)
  local file <close> = assert(io.open("spec/fixtures/lists/" .. name, "rb"))
  return file:read("a")
end

-- As the host hands over a document of several lines.
local function document(text)
  return (text:gsub("\n", "\r"):gsub("\r$", "\n"))
end

-- What becomes of a list: "BUCKET KEY" or "LINE: what is wrong" for each object; or what is wrong
-- with the whole list.
local function outcome(input, settings)
  settings = settings or {}
  settings.command = "simulate"
  local reader = assert(lists.open(settings))
  local batch, problem = reader.read(input, 1)
  if not batch then return problem end
  local found = {}
  for i, entry in ipairs(batch.entries) do
    found[i] = entry.object and entry.object.bucket .. " " .. entry.object.key
      or ("%d: %s"):format(entry.line, entry.problem)
  end
  return found
end

local function manifest(schema, format)
  return { manifest = { name = "manifest.json",
    text = ('{"fileFormat":"%s","fileSchema":"%s","files":[]}'):format(format or "CSV", schema) } }
end

local IDS, BOTH = { ids = "v2/raw_crash" }, { "- " .. KEY, "- " .. OTHER }
local VERSIONS = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size"
local ODD = "v2/odd key, with+plus: and %25 ü"
local LISTED = { "- " .. KEY, "- " .. OTHER, "- v2/dump_names/" .. ID, "- " .. ODD }

-- The form, the list, what becomes of it (a list of objects; a text: part of what is wrong with the
-- list, or with its line), and the command's options.
local FORMS = {
  -- one key a line, whatever wrote the file
  { "a key", KEY, { "- " .. KEY } },
  { "keys", KEY .. "\n" .. OTHER .. "\n", BOTH },
  { "keys with empty lines", "\n" .. KEY .. "\n\n \n" .. OTHER .. "\n\n", BOTH },
  { "keys from Windows", KEY .. "\r\n" .. OTHER .. "\r\n", BOTH },
  { "keys after a byte order mark", "\xEF\xBB\xBF" .. KEY .. "\r\n" .. OTHER, BOTH },
  { "keys with blanks around them", "  " .. KEY .. "  \n" .. OTHER .. "\t\n", BOTH },
  { "a key with blanks, signs and letters in it", ODD, { "- " .. ODD } },
  { "a key that looks encoded is not decoded", "v2/raw_crash/a+b%20c", { "- v2/raw_crash/a+b%20c" } },
  { "a key of the longest", ("k"):rep(1024), { "- " .. ("k"):rep(1024) } },
  { "a line that is too long", ("k"):rep(1025), "1: .*has 1025 bytes; a key has at most 1024" },
  { "a line that is not UTF-8", KEY .. "\n\xFF", "2: not UTF%-8 .*iconv" },
  { "a line with a zero byte", "a\0b/c", "1: .*control character.* at byte 2" },
  { "keys as JSON strings", ('"%s"\n"%s",\n'):format(KEY, OTHER), BOTH },

  -- tabs
  { "keys that tabs separate", KEY .. "\t" .. OTHER .. "\n", BOTH },
  { "keys with size and time", KEY .. "\t1024\t2018-03-13T12:34:56.000Z\t" .. ETAG .. "\tSTANDARD", { "- " .. KEY } },
  { "only sizes", "1024\t7", {} },

  -- aws s3api list-objects-v2
  { "--output text, an empty answer", "None\n", {} },
  { "--output json, an empty answer", "null\n", {} },
  { "--output json, an answer without objects", document '{\n    "RequestCharged": null,\n    "Prefix": ""\n}\n', {} },
  { "--output text with folders", "\tNone\nCOMMONPREFIXES\tv2/raw_crash/\n", "2: .*a folder.*%-%-delimiter" },
  { "--output yaml with folders", "CommonPrefixes:\n- Prefix: v2/\nContents:\n", "2: .*a folder.*%-%-delimiter" },
  { "--output json with folders", '{"CommonPrefixes":[{"Prefix":"v2/"}]}', "1: .*a folder.*%-%-delimiter" },
  { "--output table with folders", "||  CommonPrefixes  ||\n||  Prefix ||\n||  v2/ ||\n",
    "3: .*a folder.*%-%-delimiter" },
  { "yaml, a key of several lines after a whole object", "Contents:\n- ChecksumAlgorithm:\n  - CRC64NVME\n"
    .. "  ETag: '\"e\"'\n  Key: a\n  Size: 1\n- Key: a long\n    key\n", "8: .*more than one line" },
  { "yaml, a key of several lines", "Contents:\n- Key: a long\n    key\n", "3: .*more than one line.*%-%-output json" },
  { "list-object-versions", '{"Versions":[{"Key":"a","IsLatest":true},{"Key":"a","IsLatest":false}],'
    .. '"DeleteMarkers":[{"Key":"b","IsLatest":true}]}', { "- a" } },
  { "list-object-versions as text", ("VERSIONS\t%s\tTrue\t%s\t2018-03-13T12:34:56.000Z\t1\tSTANDARD\tnull\n"
    .. "VERSIONS\t%s\tFalse\t%s\t2018-03-13T12:34:56.000Z\t1\tSTANDARD\tx\nDELETEMARKERS\tTrue\tb\t2018\tnull\n")
    :format(ETAG, KEY, ETAG, KEY), { "- " .. KEY } },

  -- JSON
  { "a JSON list of keys", '["a/1","s3://crashes/a/2"]', { "- a/1", "crashes a/2" } },
  { "a JSON list of objects", '[{"Key":"a","Size":1},{"Bucket":"crashes","Key":"b"}]', { "- a", "crashes b" } },
  { "a JSON object a line", '{"Key":"a"}\n{"bucket":"crashes","key":"b","is_latest":false}\n{"Key":"c"}',
    { "- a", "- c" } },
  { "pages in a list", '[{"Contents":[{"Key":"a"}]},{"Contents":[{"Key":"b"}]},["c"]]', { "- a", "- b", "- c" } },
  { "an entry without a key", '{"Contents":[{"Size":1},{"Key":"b"}]}', "1: Contents%[0%].Key is missing" },
  { "an inventory's manifest", document(('{"version":"1","fileSchema":"%s",\n"files":[]}\n'):format(VERSIONS)),
    "1: .*manifest%.json.*%-%-manifest" },
  { "JSON that is cut", '{"Records":[{', "1: .*not JSON" },
  { "JSON that is nothing of these", '{"a":1}', "1: .*has no Records" },

  -- aws s3 ls
  { "aws s3 ls --recursive", "2016-09-18 12:34:56       1024 " .. KEY .. "\n2016-09-18 12:34:56          0 a b/c\n",
    { "- " .. KEY, "- a b/c" } },
  { "aws s3 ls --recursive --human-readable --summarize", "2016-09-18 12:34:56    1.0 KiB " .. KEY
    .. "\n2016-09-18 12:34:56   10 Bytes " .. OTHER .. "\n\nTotal Objects: 2\n   Total Size: 1.0 KiB\n", BOTH },
  { "aws s3 ls --recursive with an object in no folder", "2016-09-18 12:34:56 1 a/b\n2016-09-18 12:34:56 1 index.html",
    { "- a/b", "- index.html" } },
  { "aws s3 ls without --recursive", "2016-09-18 12:34:56       1024 " .. ID, "1: .*%-%-recursive.*%-%-ids" },
  { "aws s3 ls of another object", "2016-09-18 12:34:56       1024 README", "1: .*%-%-recursive" },
  { "a folder of aws s3 ls", "                           PRE de1/", "1: .*a folder.*%-%-recursive" },
  { "aws s3 ls of buckets", "2016-09-18 12:34:56 crashes", "1: .*a bucket.*aws s3 ls %-%-recursive s3://BUCKET/" },
  { "aws s3 ls without --recursive, with --ids", "2016-09-18 12:34:56 1 " .. ID .. "\n", { "- " .. KEY }, IDS },

  -- addresses
  { "an address", "s3://crashes/" .. KEY, { "crashes " .. KEY } },
  { "an address of Hadoop", "s3a://crashes/a b", { "crashes a b" } },
  { "an ARN", "arn:aws:s3:::crashes/a b", { "crashes a b" } },
  { "an ARN in another partition", "arn:aws-cn:s3:::crashes/a", { "crashes a" } },
  { "an ARN of an access point", "arn:aws:s3:us-west-2:123456789012:accesspoint/mine/object/a/b", { "mine a/b" } },
  { "an address without a key", "s3://crashes/", "1: .*names no object" },
  { "a URL", "https://crashes.s3.amazonaws.com/a", "1: .*URL.*s3://BUCKET/KEY" },

  -- S3 Inventory and S3 Batch
  { "an inventory", '"crashes","a+b%2Fc"', { "crashes a b/c" } },
  { "an inventory with sizes", '"crashes","k","12","2018-03-13T00:00:00.000Z","etag","STANDARD"', { "crashes k" } },
  { "an inventory with versions", '"crashes","k","v2","true","false","12"\n"crashes","k","v1","false","false","1"\n'
    .. '"crashes","gone","v2","TRUE","TRUE",""\n"crashes","gone","v1","false","false","12"\n', { "crashes k" } },
  { "an inventory by its manifest", '"k","crashes","true","false"\n"l","crashes","false","false"', { "crashes k" },
    manifest "Key, Bucket, IsLatest, IsDeleteMarker" },
  { "an inventory with more columns than its manifest", '"crashes","k"', "1: .*2 columns.*manifest%.json has 6",
    manifest(VERSIONS) },
  { "a row that does not end", '"crashes","k', "1: .*quote" },
  { "an inventory with names above", '"bucket","key","version_id","is_latest","is_delete_marker"\n'
    .. '"crashes","a+b","x","true","false"\n"crashes","c","x","false","false"\n', { "crashes a+b" } },
  { "CSV with names above, and no bucket", 'Key,Size\n"a,b",1\nc,2\n', { "- a,b", "- c" } },
  { "CSV without quotes", "crashes,a%20b", { "crashes a b" } },
  { "a Batch manifest with versions", "crashes,a%20b,v1\ncrashes,a%20b,v2\ncrashes,c,v1",
    { "crashes a b", "crashes c" } },
  { "a Batch manifest with versions that are not sorted", "crashes,a,v1\ncrashes,c,v1\ncrashes,a,v2",
    "3: .*LC_ALL=C sort FILE" },
  { "a Batch manifest with versions that are sorted", "bu,a%20b,v1\nbu,a%20b,v2\nbu,a,v1\nbu,a,v2",
    { "bu a b", "bu a" } },
  { "CSV without versions, which is not sorted", "bu,c\nbu,a\nbu,d,12\nbu,b,7", { "bu c", "bu a", "bu d", "bu b" } },
  { "a Batch report", 'crashes,a,,failed,AccessDenied,403,"no, not allowed"', { "crashes a" } },
  { "CSV whose second field is empty", '"crashes",""', "1: .*no key" },

  -- events
  { "an event", EVENT, { "crashes a b" } },
  { "events, one a line", EVENT .. "\n" .. EVENT .. "\r\n", { "crashes a b", "crashes a b" } },
  { "events, each over several lines", document(EVENT:gsub(",", ",\n")) .. "\n" .. document(EVENT:gsub("%[", "[\n")),
    { "crashes a b", "crashes a b" } },
  { "a list of EventBridge's events", '[{"source":"aws.s3","detail-type":"Object Created",'
    .. '"detail":{"reason":"PutObject","bucket":{"name":"crashes"},"object":{"key":"a+b"}}}]', { "crashes a+b" } },
  { "a line of a log", "[INFO] started", "1: .*not JSON" },

  -- bare ids
  { "a crash id", ID, "1: .*a crash id alone.*%-%-ids" },
  { "a crash id in a list", KEY .. "\n" .. ID, "2: .*a crash id alone.*%-%-ids" },
  { "crash ids with --ids", ID .. "\n" .. OTHER, BOTH, IDS },
  { "crash ids with --ids, of version 1", ID, { "- v1/raw_crash/20180313/" .. ID }, { ids = "v1/raw_crash/" } },
  { "crash ids with --ids, in a folder", ID, { "- mine/20180313/" .. ID }, { ids = "mine/20180313" } },
  { "crash ids in a JSON list", ('["%s"]'):format(ID), { "- " .. KEY }, IDS },
  { "crash ids that tabs separate", ID .. "\t" .. ID, { "- " .. KEY, "- " .. KEY }, IDS },

  -- refused by name
  { "gzip", "\x1F\x8B\8\0\n", "compressed with gzip.*gzip %-dc FILE | bin/pigeon simulate" },
  { "zstd", "\x28\xB5\x2F\xFD\n", "compressed with zstd.*zstd %-dc FILE" },
  { "bzip2", "BZh91AY&SY\n", "compressed with bzip2.*bzip2 %-dc FILE" },
  { "xz", "\xFD7zXZ\0\n", "compressed with xz.*xz %-dc FILE" },
  { "zip", "PK\3\4\n", "a zip file.*unzip %-p FILE" },
  { "Parquet", "PAR1\x15\n", "Parquet.*pyarrow.parquet.*FILE" },
  { "ORC", "ORC\x08\n", "ORC.*pyarrow.orc.*FILE" },
  { "UTF-16", "\xFF\xFEv\0002\0\r\0\n", "UTF%-16.*iconv %-f UTF%-16 %-t UTF%-8 FILE" },
  { "UTF-16, the other order", "\xFE\xFF\0v\0002", "UTF%-16.*iconv %-f UTF%-16 %-t UTF%-8 FILE" },
  { "UTF-16 without a mark", "v\0002\0/\0", "UTF%-16.*iconv %-f UTF%-16LE %-t UTF%-8 FILE" },
  { "XML", '<?xml version="1.0"?>\n<ListBucketResult>', "XML.*aws s3api list%-objects%-v2" },
  { "an error of the AWS CLI", "\nAn error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: x\n",
    "2: .*error of the AWS CLI" },
}

describe("a list of the form", function()
  for _, case in ipairs(FORMS) do
    local name, input, expected, settings = table.unpack(case, 1, 4)
    it(name, function()
      local found = outcome(input, settings and { ids = settings.ids, manifest = settings.manifest })
      if type(expected) == "table" then return assert.same(expected, found) end
      if type(found) == "table" then found = table.concat(found, "\n") end
      assert.matches(expected, found)
    end)
  end
end)

describe("the output of the AWS CLI", function()
  for _, case in ipairs {
    { "aws1.json" }, { "aws1.text" }, { "aws1.table" }, { "aws1.page.text", 2 }, { "aws1.page.table", 2 },
    { "aws1.none.text", 0 }, { "aws2.json" }, { "aws2.text" }, { "aws2.table" }, { "aws2.yaml" },
    { "aws2.yaml-stream" }, { "aws2.keys.json" }, { "aws2.keys.text" }, { "aws2.keys.table" }, { "aws2.keys.yaml" },
    { "aws2.keys.yaml-stream" }, { "aws2.pairs.json" }, { "aws2.pairs.text" }, { "aws2.pairs.table" },
    { "aws2.pairs.yaml" }, { "aws2.pairs.yaml-stream" }, { "aws2.dicts.json" }, { "aws2.dicts.text" },
    { "aws2.dicts.table" }, { "aws2.dicts.yaml" }, { "aws2.dicts.yaml-stream" },
  } do
    it("is understood: " .. case[1], function()
      local text = read_file(case[1])
      local expected = table.move(LISTED, 1, case[2] or 4, 1, {})
      if case[1]:find("json$") then return assert.same(expected, outcome(document(text))) end
      assert.same(expected, outcome(text))
      assert.same(expected, outcome((text:gsub("\n", "\r\n"))))
    end)
  end
end)

describe("the reader", function()
  local function labels(batch)
    local list = {}
    for i, entry in ipairs(batch.entries) do list[i] = entry.number .. ":" .. entry.label end
    return table.concat(list, " ")
  end

  it("makes objects that were put of keys", function()
    local entry = lists.open({}).read("k", 7).entries[1]
    assert.same({ bucket = "-", key = "k", event_name = "ObjectCreated:Put", source = "aws:s3" }, entry.object)
    assert.same({ "k", 7, 1 }, { entry.label, entry.line, entry.number })
  end)

  it("counts lines from the number that is given, and objects over all batches", function()
    local reader = lists.open {}
    assert.equal("1:a 2:b", labels(reader.read("a\n\nb\n", 1)))
    local batch = reader.read('\n["c",\r"d"]\ne\n', 4)
    assert.equal("3:c 4:d 5:e", labels(batch))
    assert.same({ 5, 5, 7 }, { batch.entries[1].line, batch.entries[2].line, batch.entries[3].line })
  end)

  it("hands over no more objects at once than it is asked for", function()
    local reader = lists.open {}
    assert.equal("1:a 2:b", labels(reader.read('["a","b","c","d","e"]\nf\n', 1, 2)))
    assert.equal("3:c 4:d", labels(reader.read(nil, nil, 2)))
    assert.equal("5:e 6:f", labels(reader.read(nil, nil, 2)))
    assert.equal("", labels(reader.read(nil, nil, 2)))
    assert.equal("7:g", labels(reader.read("g\n", 3, 2)))
  end)

  it("begins with an object, whatever form it came in", function()
    local reader = lists.open { from = 4 }
    assert.equal("4:d 5:e", labels(reader.read('a\tb\n["c","d"]\ne\n', 1, 2)))
    reader = lists.open { from = 3 }
    assert.equal("3:a b 4:k", labels(reader.read(EVENT .. "\n" .. EVENT .. "\n" .. EVENT .. "\nk", 1)))
  end)

  it("keeps what it knows of a list from batch to batch", function()
    local reader = lists.open {}
    reader.read("Contents:\n- ChecksumAlgorithm:\n", 1)
    assert.equal("1:a", labels(reader.read("  - CRC64NVME\n  Key: a\n", 3)))
    reader = lists.open {}
    reader.read("bucket,key,is_latest\n", 1)
    assert.equal("1:b", labels(reader.read("crashes,a,false\ncrashes,b,true\n", 2)))
    assert.equal(1, reader.passed)
  end)

  it("knows the list's first line", function()
    local reader = lists.open {}
    assert.is_nil(reader.first)
    reader.read("\n\n  some words \nmore\n", 1)
    assert.same({ line = 3, text = "some words" }, reader.first)
  end)

  it("never raises, whatever is in a list, and counts each object once", function()
    math.randomseed(20)
    local pieces = { "\t", "\n", "\r", '"', ",", "|", "- ", "Key: ", "{", "}", "[", "]", ":", "\0", "\xFF", "s3://",
      "arn:" }
    for _ = 1, 3000 do
      local case = FORMS[math.random(#FORMS)]
      local input = case[2]
      for _ = 1, math.random(4) do
        local at = math.random(#input + 1)
        input = input:sub(1, at - 1) .. pieces[math.random(#pieces)] .. input:sub(at + math.random(0, 3))
      end
      local reader = lists.open { ids = case[4] and case[4].ids, manifest = case[4] and case[4].manifest }
      local number, most = 0, math.random(3)
      local batch = reader.read(input, math.random(2), most)
      while batch and #batch.entries > 0 do
        assert.is_true(#batch.entries <= most)
        for _, entry in ipairs(batch.entries) do
          number = number + 1
          assert.equal(number, entry.number)
          assert.is_truthy(entry.label and (entry.object and entry.object.key or entry.problem or entry.skipped))
        end
        batch = reader.read(nil, nil, most)
      end
      assert.is_true(not batch or reader.objects == number)
    end
  end)

  for name, case in pairs {
    ["not JSON"] = { "{", "^%-%-manifest m.json is not JSON" },
    ["a list"] = { "[1]", "^%-%-manifest m.json: fileSchema is missing" },
    ["without a schema"] = { "{}", "^%-%-manifest m.json: fileSchema is missing" },
    ["without a key"] = { '{"fileSchema":"Bucket, Size"}', "m.json: fileSchema has no column Key: \"Bucket, Size\"" },
    ["of an inventory in ORC"] = { '{"fileFormat":"ORC","fileSchema":"x"}', "m.json: .*ORC.*pyarrow.orc" },
  } do
    it("refuses a manifest that is " .. name, function()
      local reader, problem = lists.open { manifest = { name = "m.json", text = case[1] }, command = "simulate" }
      assert.is_nil(reader)
      assert.matches(case[2], problem)
    end)
  end
end)

describe("a key that was typed", function()
  for name, key in pairs {
    ["an event"] = '{"Records":[]}', ["a list"] = "[1]", ["a row of an inventory"] = '"crashes","k"',
    ["two lines"] = "a\nb\n", ["nothing"] = "", ["a key"] = "v2/raw_crash/a+b%20c", ["junk"] = "\xFF\r",
  } do
    it("is a key, also where it looks like " .. name, function()
      local entries = lists.keys("before\0" .. key .. "\0after\0").entries
      assert.equal(3, #entries)
      assert.equal(key, entries[2].label)
      assert.same({ bucket = "-", key = key, event_name = "ObjectCreated:Put", source = "aws:s3" }, entries[2].object)
    end)
  end

  it("may be none", function()
    assert.same({}, lists.keys("").entries)
  end)
end)
