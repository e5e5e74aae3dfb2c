local cjson = require "cjson"
local checked = require "pigeon.event.checked"
local fixtures = require "spec.support.fixtures"
local s3 = require "pigeon.event.s3"

-- A good record, changed by `change`.
local function record_with(change)
  local record = fixtures.event("s3_put").Records[1]
  change(record)
  return record
end

local function read(change)
  return s3.read(record_with(change))
end

describe("s3.read", function()
  it("gives a size as an integer", function()
    assert.equal("integer", math.type(read(function() end).size))
  end)

  it("takes a deletion, which has no size", function()
    local object = s3.read(fixtures.event("s3_deleted").Records[1])
    assert.equal("ObjectRemoved:Delete", object.event_name)
    assert.is_nil(object.size)
  end)

  it("drops the prefix s3: of an event name", function()
    assert.equal("ObjectCreated:Put", read(function(r) r.eventName = "s3:ObjectCreated:Put" end).event_name)
  end)

  it("takes null and what is empty for missing, where it may be", function()
    local object = read(function(record)
      record.eventTime, record.awsRegion = cjson.null, ""
      record.s3.object.versionId, record.s3.object.size = cjson.null, cjson.null
    end)
    assert.is_nil(object.version_id)
    assert.is_nil(object.size)
    assert.is_nil(object.time)
    assert.is_nil(object.region)
  end)

  for encoded, key in pairs {
    ["plain/key"] = "plain/key",
    ["a+b"] = "a b",
    ["my+file%2B1%C3%A9.txt"] = "my file+1é.txt",
    ["v2%2Fraw_crash%2fx"] = "v2/raw_crash/x",
    ["a%20b%2Bc"] = "a b+c",
    ["100%zz"] = "100%zz",
    ["100%"] = "100%",
    ["100%4"] = "100%4",
    ["%25%32%35"] = "%25",
    ["a%0Ab%00c"] = "a\nb\0c",
    ["%FF%FE"] = "\xff\xfe",
  } do
    it(("decodes the key %s"):format(encoded), function()
      assert.equal(key, read(function(record) record.s3.object.key = encoded end).key)
    end)
  end

  for _, version in ipairs { "2.0", "2.1", "2.6", "2.10" } do
    it("takes eventVersion " .. version, function()
      assert.equal("crashes", read(function(record) record.eventVersion = version end).bucket)
    end)
  end

  for _, case in ipairs {
    { "a missing key", "s3.object.key is missing", function(r) r.s3.object.key = nil end },
    { "a key of null", "s3.object.key is null, but must be a string",
      function(r) r.s3.object.key = cjson.null end },
    { "an empty key", "s3.object.key is empty", function(r) r.s3.object.key = "" end },
    { "a number as key", "s3.object.key is a number, but must be a string",
      function(r) r.s3.object.key = 7 end },
    { "a list as object", "s3.object.key is missing", function(r) r.s3.object = { "x" } end },
    { "a string as object", "s3.object is a string, but must be an object",
      function(r) r.s3.object = "x" end },
    { "a missing object", "s3.object is missing", function(r) r.s3.object = nil end },
    { "a missing bucket", "s3.bucket is missing", function(r) r.s3.bucket = nil end },
    { "a bucket without a name", "s3.bucket.name is missing", function(r) r.s3.bucket.name = nil end },
    { "an object as bucket's name", "s3.bucket.name is an object, but must be a string",
      function(r) r.s3.bucket.name = { a = 1 } end },
    { "a missing s3", "s3 is missing", function(r) r.s3 = nil end },
    { "s3 of null", "s3 is null, but must be an object", function(r) r.s3 = cjson.null end },
    { "a missing event name", "eventName is missing", function(r) r.eventName = nil end },
    { "a boolean as event name", "eventName is a boolean, but must be a string",
      function(r) r.eventName = true end },
    { "a string as size", "s3.object.size is a string, but must be a number",
      function(r) r.s3.object.size = "1" end },
    { "half a byte as size", "s3.object.size is 0.5, but must be a whole number",
      function(r) r.s3.object.size = 0.5 end },
    { "a list as time", "eventTime is a list, but must be a string", function(r) r.eventTime = { 1 } end },
    { "a number as version", "s3.object.versionId is a number, but must be a string",
      function(r) r.s3.object.versionId = 1 end },
    { "another major version", 'eventVersion is "3.0", but Pigeon reads only 2.x',
      function(r) r.eventVersion = "3.0" end },
    { "a version that only begins alike", 'eventVersion is "20.1", but Pigeon reads only 2.x',
      function(r) r.eventVersion = "20.1" end },
    { "a number as eventVersion", "eventVersion is a number, but must be a string",
      function(r) r.eventVersion = 2.1 end },
  } do
    it("says where there is " .. case[1], function()
      local ok, problem = checked.attempt(s3.read, record_with(case[3]))
      assert.is_false(ok)
      assert.equal("." .. case[2], problem)
    end)
  end
end)
