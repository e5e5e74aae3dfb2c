--- A record of S3's own notification -> the object that it speaks of. MinIO and LocalStack
-- write the same.
-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
local document = require "pigeon.document"
local text = require "pigeon.text"

local char, find, gsub = string.char, string.find, string.gsub

local notification = {}

local function unescape(digits)
  return char(tonumber(digits, 16))
end

--- A key as S3 writes it, application/x-www-form-urlencoded -> the key; a bad escape stays as
-- it is.
function notification.form_decode(key)
  if not find(key, "[+%%]") then return key end
  return (gsub(gsub(key, "%+", " "), "%%(%x%x)", unescape))
end

-- Within a major version members are only added.
local function check_version(record, place)
  local version = document.optional(record, "eventVersion", place, "string")
  if version and not find(version, "^2%.") then
    document.fail('%s.eventVersion is "%s", and Pigeon reads 2.x', place, text.clean(version, 20))
  end
end

--- Raises where and how the record is wrong.
function notification.read(record, place)
  check_version(record, place)
  local s3, at = document.object(record, "s3", place), place .. ".s3"
  local bucket, object = document.object(s3, "bucket", at), document.object(s3, "object", at)
  local at_object = at .. ".object"
  return {
    bucket = document.string(bucket, "name", at .. ".bucket"),
    key = notification.form_decode(document.string(object, "key", at_object)),
    event_name = gsub(document.string(record, "eventName", place), "^s3:", "", 1), -- MinIO's
    time = document.optional(record, "eventTime", place, "string"),
    size = document.whole(object, "size", at_object),
    region = document.optional(record, "awsRegion", place, "string"),
    version_id = document.optional(object, "versionId", at_object, "string"),
    sequencer = document.optional(object, "sequencer", at_object, "string"),
    source = "aws:s3",
  }
end

return notification
