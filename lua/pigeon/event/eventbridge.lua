--- An event of S3 from EventBridge -> the object that it speaks of. Its key stands there
-- verbatim, and it names what happened in its own words.
-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
local document = require "pigeon.event.checked"
local text = require "pigeon.text"

local eventbridge = {}

--- detail-type, reason, and S3's own name for that; the first of a name is the one that AWS
-- documents.
eventbridge.names = {
  { "Object Created", "PutObject", "ObjectCreated:Put" },
  { "Object Created", "POST Object", "ObjectCreated:Post" },
  { "Object Created", "PostObject", "ObjectCreated:Post" }, -- LocalStack's
  { "Object Created", "CopyObject", "ObjectCreated:Copy" },
  { "Object Created", "CompleteMultipartUpload", "ObjectCreated:CompleteMultipartUpload" },
  { "Object Deleted", "DeleteObject", "ObjectRemoved:Delete" },
  { "Object Deleted", "Lifecycle Expiration", "LifecycleExpiration:Delete" },
}

-- A reason that is not in the list is kept, so that rules for all creations see it.
local FAMILIES = { ["Object Created"] = "ObjectCreated:", ["Object Deleted"] = "ObjectRemoved:" }

local function event_name(event, detail)
  local kind = event["detail-type"]
  if not FAMILIES[kind] then return kind end -- no creation, whatever it is
  local reason = document.string(detail.reason, ".detail.reason")
  for _, row in ipairs(eventbridge.names) do
    if row[1] == kind and row[2] == reason then
      -- a version was not removed but hidden
      return detail["deletion-type"] == "Delete Marker Created" and row[3] .. "MarkerCreated" or row[3]
    end
  end
  return FAMILIES[kind] .. reason
end

--- Whether a table is an event from EventBridge, of S3 or of others.
function eventbridge.knows(event)
  return type(event.source) == "string" and type(event["detail-type"]) == "string"
end

--- Raises where within the event what is wrong.
function eventbridge.read(event)
  if event.source ~= "aws.s3" then
    document.fail('.source is "%s", and should be aws.s3', text.clean(event.source, 100))
  end
  local detail = document.object(event.detail, ".detail")
  local bucket = document.object(detail.bucket, ".detail.bucket")
  local object = document.object(detail.object, ".detail.object")
  return {
    bucket = document.string(bucket.name, ".detail.bucket.name"),
    key = document.string(object.key, ".detail.object.key"),
    event_name = event_name(event, detail),
    time = document.optional(event.time, ".time", "string"),
    size = document.whole(object.size, ".detail.object.size"),
    region = document.optional(event.region, ".region", "string"),
    version_id = document.optional(object["version-id"], ".detail.object.version-id", "string"),
    sequencer = document.optional(object.sequencer, ".detail.object.sequencer", "string"),
    source = "aws:s3",
  }
end

return eventbridge
