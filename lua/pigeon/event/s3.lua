--- A record of S3's own notification -> the object that it reports. MinIO and LocalStack write
-- the same form.
-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
local checked = require "pigeon.event.checked"
local text = require "pigeon.text"

local char, find, gsub = string.char, string.find, string.gsub

local object_of, string_of, optional, whole = checked.object, checked.string, checked.optional, checked.whole

local s3 = {}

local function unescape(digits)
  return char(tonumber(digits, 16))
end

--- A key as S3 writes it, application/x-www-form-urlencoded -> the decoded key; a bad escape is
-- kept as it is.
function s3.form_decode(key)
  if not (find(key, "+", 1, true) or find(key, "%", 1, true)) then return key end
  return (gsub(gsub(key, "%+", " "), "%%(%x%x)", unescape))
end

-- Within a major version, AWS only adds members.
local function check_version(version)
  version = optional(version, ".eventVersion", "string")
  if version and not find(version, "^2%.") then
    checked.fail('.eventVersion is "%s", but Pigeon reads only 2.x', text.clean(version, 20))
  end
end

--- A record -> the object {bucket, key, event_name, ...}. Raises what is wrong, by checked.fail().
function s3.read(record)
  if record.eventVersion ~= "2.1" then check_version(record.eventVersion) end -- S3's current version
  local content = object_of(record.s3, ".s3")
  local bucket, object = object_of(content.bucket, ".s3.bucket"), object_of(content.object, ".s3.object")
  return {
    bucket = string_of(bucket.name, ".s3.bucket.name"),
    key = s3.form_decode(string_of(object.key, ".s3.object.key")),
    event_name = gsub(string_of(record.eventName, ".eventName"), "^s3:", "", 1), -- MinIO writes the prefix
    time = optional(record.eventTime, ".eventTime", "string"),
    size = whole(object.size, ".s3.object.size"),
    region = optional(record.awsRegion, ".awsRegion", "string"),
    version_id = optional(object.versionId, ".s3.object.versionId", "string"),
    sequencer = optional(object.sequencer, ".s3.object.sequencer", "string"),
    source = "aws:s3",
  }
end

return s3
