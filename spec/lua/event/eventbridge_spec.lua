local checked = require "pigeon.event.checked"
local eventbridge = require "pigeon.event.eventbridge"
local fixtures = require "spec.support.fixtures"

local function event_with(change)
  local event = fixtures.event("eventbridge")
  change(event, event.detail)
  return event
end

local function read(change)
  return eventbridge.read(event_with(change))
end

describe("eventbridge.read", function()
  for _, key in ipairs { "a+b c", "100%25", "a%2Fb", "é\n" } do
    it(("leaves the key %q as it is"):format(key), function()
      assert.equal(key, read(function(_, detail) detail.object.key = key end).key)
    end)
  end

  -- detail-type, reason and deletion-type, and what rules see
  for _, case in ipairs {
    { "Object Created", "PutObject", nil, "ObjectCreated:Put" },
    { "Object Created", "POST Object", nil, "ObjectCreated:Post" },
    { "Object Created", "PostObject", nil, "ObjectCreated:Post" },
    { "Object Created", "CopyObject", nil, "ObjectCreated:Copy" },
    { "Object Created", "CompleteMultipartUpload", nil, "ObjectCreated:CompleteMultipartUpload" },
    { "Object Created", "Something New", nil, "ObjectCreated:Something New" },
    { "Object Deleted", "DeleteObject", "Permanently Deleted", "ObjectRemoved:Delete" },
    { "Object Deleted", "DeleteObject", "Delete Marker Created", "ObjectRemoved:DeleteMarkerCreated" },
    { "Object Deleted", "DeleteObject", nil, "ObjectRemoved:Delete" },
    { "Object Deleted", "Lifecycle Expiration", "Permanently Deleted", "LifecycleExpiration:Delete" },
    { "Object Deleted", "PutObject", nil, "ObjectRemoved:PutObject" },
    { "Object Tags Added", nil, nil, "Object Tags Added" },
  } do
    it(("calls %s, %s, %s %s"):format(case[1], case[2], case[3], case[4]), function()
      assert.equal(case[4], read(function(event, detail)
        event["detail-type"], detail.reason, detail["deletion-type"] = case[1], case[2], case[3]
      end).event_name)
    end)
  end

  it("takes a deletion, which has no size", function()
    assert.is_nil(read(function(_, detail) detail.object.size = nil end).size)
  end)

  for _, case in ipairs {
    { "a missing detail", "detail is missing", function(e) e.detail = nil end },
    { "a missing bucket", "detail.bucket is missing", function(_, d) d.bucket = nil end },
    { "a missing key", "detail.object.key is missing", function(_, d) d.object.key = nil end },
    { "a string as size", "detail.object.size is a string, but must be a number",
      function(_, d) d.object.size = "1" end },
    { "no reason", "detail.reason is missing", function(_, d) d.reason = nil end },
  } do
    it("says where there is " .. case[1], function()
      local ok, problem = checked.attempt(eventbridge.read, event_with(case[3]))
      assert.is_false(ok)
      assert.equal("." .. case[2], problem)
    end)
  end
end)
