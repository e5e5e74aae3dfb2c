--- A task of S3 Batch Operations, which invokes the function for the keys of a manifest -> the object
-- that it names, as if that had just been put. Schema 1.0 names the bucket by its ARN, 2.0 by its
-- name; keys are encoded as S3's notifications encode them.
-- https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
-- https://docs.aws.amazon.com/lambda/latest/dg/services-s3-batch.html
local checked = require "pigeon.event.checked"
local s3 = require "pigeon.event.s3"
local text = require "pigeon.text"

local match, type = string.match, type

local batch_operations = {}

local function echoed(value, place)
  if not utf8.len(checked.string(value, place)) then checked.fail("%s is not UTF-8", place) end
  return value
end

--- An event and its place -> its tasks, and what the answer has to repeat: {version, invocation}.
-- Raises what is wrong, by checked.fail(), where no task could be answered.
function batch_operations.open(event, place)
  local list = checked.member(place, "tasks")
  local tasks = event.tasks
  if type(tasks) ~= "table" or tasks[1] == nil and next(tasks) then checked.wrong(tasks, list, "a list") end
  return tasks, {
    version = echoed(event.invocationSchemaVersion, checked.member(place, "invocationSchemaVersion")),
    invocation = echoed(event.invocationId, checked.member(place, "invocationId")),
  }
end

--- A task -> its id, or nil where the answer cannot name it.
function batch_operations.id(task)
  local id = type(task) == "table" and task.taskId
  return type(id) == "string" and id ~= "" and utf8.len(id) and id or nil
end

-- Any general purpose bucket: arn:aws:s3:::NAME, in some examples with region and account.
local function bucket_of(task, version)
  if not checked.is_missing(task.s3Bucket) or match(version, "^2") then
    return checked.string(task.s3Bucket, ".s3Bucket")
  end
  local arn = checked.string(task.s3BucketArn, ".s3BucketArn")
  return match(arn, "^arn:.*:([^:]+)$")
    or checked.fail('.s3BucketArn is "%s", which is not the ARN of a bucket', text.clean(arn, 100))
end

--- A task, and the version of its schema -> the object {bucket, key, event_name, ...}. Raises what is
-- wrong, by checked.fail().
function batch_operations.read(task, version)
  if not match(version, "^[12]%.") then
    checked.fail('invocationSchemaVersion is "%s", but Pigeon reads only 1.x and 2.x', text.clean(version, 20))
  end
  checked.string(task.taskId, ".taskId")
  return {
    bucket = bucket_of(task, version),
    key = s3.form_decode(checked.string(task.s3Key, ".s3Key")),
    event_name = "ObjectCreated:Put",
    version_id = checked.optional(task.s3VersionId, ".s3VersionId", "string"),
    source = "aws:s3",
  }
end

return batch_operations
