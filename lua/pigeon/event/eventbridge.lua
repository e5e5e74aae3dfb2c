--- S3's event from EventBridge -> the object that it reports. The key is not encoded there, and
-- EventBridge has its own names for what happened.
-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
local checked = require "pigeon.event.checked"

local find = string.find

local eventbridge = {}

--- detail-type, reason, and S3's own event name; where two rows have the same event name, the
-- first is the one that AWS documents.
eventbridge.names = {
  { "Object Created", "PutObject", "ObjectCreated:Put" },
  { "Object Created", "POST Object", "ObjectCreated:Post" },
  { "Object Created", "PostObject", "ObjectCreated:Post" }, -- LocalStack's
  { "Object Created", "CopyObject", "ObjectCreated:Copy" },
  { "Object Created", "CompleteMultipartUpload", "ObjectCreated:CompleteMultipartUpload" },
  { "Object Deleted", "DeleteObject", "ObjectRemoved:Delete" },
  { "Object Deleted", "Lifecycle Expiration", "LifecycleExpiration:Delete" },
}

-- For a reason that is not in the list, so that rules for all creations still match.
local FAMILIES = { ["Object Created"] = "ObjectCreated:", ["Object Deleted"] = "ObjectRemoved:" }

local function event_name(event, detail)
  local kind = event["detail-type"]
  if not FAMILIES[kind] then return kind end -- not a creation or deletion
  local reason = checked.string(detail.reason, ".detail.reason")
  for _, row in ipairs(eventbridge.names) do
    if row[1] == kind and row[2] == reason then
      -- a delete marker hides the object and removes nothing
      return detail["deletion-type"] == "Delete Marker Created" and row[3] .. "MarkerCreated" or row[3]
    end
  end
  return FAMILIES[kind] .. reason
end

--- Whether a table is an event from EventBridge, of S3 or of others.
function eventbridge.knows(event)
  return type(event.source) == "string" and type(event["detail-type"]) == "string"
end

--- An event -> nil where it is about an object, or why it is not.
function eventbridge.why_not(event)
  if event.source ~= "aws.s3" then return "an event from EventBridge of another source" end
  if not find(event["detail-type"], "^Object ") then -- such as "AWS API Call via CloudTrail"
    return 'an event from EventBridge that is not one of S3\'s "Object ..." events'
  end
end

--- An event of S3 -> the object {bucket, key, event_name, ...}. Raises what is wrong, by checked.fail().
function eventbridge.read(event)
  local detail = checked.object(event.detail, ".detail")
  local bucket = checked.object(detail.bucket, ".detail.bucket")
  local object = checked.object(detail.object, ".detail.object")
  return {
    bucket = checked.string(bucket.name, ".detail.bucket.name"),
    key = checked.string(object.key, ".detail.object.key"),
    event_name = event_name(event, detail),
    time = checked.optional(event.time, ".time", "string"),
    size = checked.whole(object.size, ".detail.object.size"),
    region = checked.optional(event.region, ".region", "string"),
    version_id = checked.optional(object["version-id"], ".detail.object.version-id", "string"),
    sequencer = checked.optional(object.sequencer, ".detail.object.sequencer", "string"),
    source = "aws:s3",
  }
end

return eventbridge
