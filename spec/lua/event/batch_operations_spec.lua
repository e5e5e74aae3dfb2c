local cjson = require "cjson"
local envelope = require "pigeon.event.envelope"

local ARN = "arn:aws:s3:::crashes"

local function event(tasks, changes)
  local made = { invocationSchemaVersion = "1.0", invocationId = "i", job = { id = "j" }, tasks = tasks }
  for name, value in pairs(changes or {}) do made[name] = value or nil end
  return cjson.encode(made)
end

local function read(...)
  return assert(envelope.read(event(...)))
end

local function task(changes)
  local made = { taskId = "t", s3Key = "k", s3BucketArn = ARN }
  for name, value in pairs(changes or {}) do made[name] = value or nil end
  return made
end

describe("an event of S3 Batch Operations", function()
  it("has what the answer repeats, and the id of each task", function()
    local batch = read({ task(), task { taskId = "u", s3Key = "l" } })
    assert.same({ version = "1.0", invocation = "i" }, batch.job)
    local ids, keys = {}, {}
    for i, entry in ipairs(batch.entries) do ids[i], keys[i] = entry.task, entry.object.key end
    assert.same({ { "t", "u" }, { "k", "l" } }, { ids, keys })
  end)

  it("may have no task", function()
    local batch = assert(envelope.read((event({ 1 }):gsub("%[1%]", "[]"))))
    assert.same({ {}, "i" }, { batch.entries, batch.job.invocation })
  end)

  for arn, bucket in pairs {
    [ARN] = "crashes",
    ["arn:aws-cn:s3:::b.2"] = "b.2",
    ["arn:aws:s3:us-east-1:0123456788:examplebucket"] = "examplebucket",
  } do
    it("names the bucket by " .. arn, function()
      assert.equal(bucket, read({ task { s3BucketArn = arn } }).entries[1].object.bucket)
    end)
  end

  it("has no time, size, region and sequencer, and a version only where there is one", function()
    assert.same({ bucket = "crashes", key = "k", event_name = "ObjectCreated:Put", source = "aws:s3" },
      read({ task { s3VersionId = cjson.null } }).entries[1].object)
    assert.equal("v", read({ task { s3VersionId = "v" } }).entries[1].object.version_id)
  end)

  for encoded, key in pairs { ["a+b"] = "a b", ["a%2Bb"] = "a+b", ["%C3%A9/%2F"] = "é//", ["100%zz"] = "100%zz" } do
    it("has form-encoded keys: " .. encoded, function()
      assert.equal(key, read({ task { s3Key = encoded } }).entries[1].object.key)
    end)
  end

  -- What is wrong with one task, of which the other one knows nothing.
  for problem, case in pairs {
    ["tasks[1].s3Key is missing"] = { { s3Key = false } },
    ["tasks[1].s3Key is empty"] = { { s3Key = "" } },
    ["tasks[1].s3Key is null, but must be a string"] = { { s3Key = cjson.null } },
    ["tasks[1].s3BucketArn is missing"] = { { s3BucketArn = false } },
    ['tasks[1].s3BucketArn is "crashes", which is not the ARN of a bucket'] = { { s3BucketArn = "crashes" } },
    ['tasks[1].s3BucketArn is "arn:aws:s3:::", which is not the ARN of a bucket'] =
      { { s3BucketArn = "arn:aws:s3:::" } },
    ["tasks[1].s3Bucket is missing"] = { {}, "2.0" },
    ["tasks[1].s3Bucket is a number, but must be a string"] = { { s3Bucket = 7 }, "2.0" },
    ["tasks[1].s3VersionId is a number, but must be a string"] = { { s3VersionId = 7 } },
    ['invocationSchemaVersion is "3.0", but Pigeon reads only 1.x and 2.x'] = { {}, "3.0" },
  } do
    it("may have a task that fails alone, with its id: " .. problem, function()
      local other = task { taskId = "other", s3Bucket = "crashes" }
      local batch = read({ other, task(case[1]) }, { invocationSchemaVersion = case[2] })
      assert.equal(case[2] == "3.0", batch.entries[1].object == nil)
      local entry = batch.entries[2]
      assert.same({ "tasks[1]", problem, "t" }, { entry.label, entry.problem, entry.task })
    end)
  end

  it("may have tasks that the answer cannot name: a hundred of them are told one by one", function()
    local bad = { 7, { s3Key = "k", s3BucketArn = ARN }, task { taskId = 7 }, task { taskId = "" } }
    for i = 5, 250 do bad[i] = 7 end
    bad[251] = task()
    local entries = read(bad).entries
    assert.equal(102, #entries)
    local problems = {}
    for i = 1, 4 do
      assert.is_nil(entries[i].task)
      problems[i] = entries[i].problem
    end
    assert.same({ "tasks[0] is a number, but must be an object", "tasks[1].taskId is missing",
      "tasks[2].taskId is a number, but must be a string", "tasks[3].taskId is empty" }, problems)
    assert.equal("k", entries[101].object.key)
    assert.equal("150 more entries of tasks cannot be read", entries[102].problem)
  end)

  it("has each task that can be named, however many are wrong", function()
    local bad = {}
    for i = 1, 300 do bad[i] = i > 150 and { taskId = "t" .. i } or 7 end
    local entries = read(bad).entries
    assert.equal(251, #entries)
    for i = 1, 100 do assert.is_nil(entries[i].task) end
    for i = 151, 300 do assert.equal("t" .. i, entries[i - 50].task) end
    assert.equal("50 more entries of tasks cannot be read", entries[251].problem)
  end)

  it("has no id that is not UTF-8", function()
    local batch = assert(envelope.read((event({ task { taskId = "TASK" } }):gsub("TASK", "\xFF"))))
    assert.is_nil(batch.entries[1].task)
    assert.equal("k", batch.entries[1].object.key)
  end)

  for problem, changes in pairs {
    ["invocationId is missing"] = { invocationId = false },
    ["invocationId is a number, but must be a string"] = { invocationId = 7 },
    ["invocationSchemaVersion is a number, but must be a string"] = { invocationSchemaVersion = 1 },
    ["tasks is an object, but must be a list"] = { tasks = { a = 1 } },
    ["tasks is a string, but must be a list"] = { tasks = "a" },
    ["tasks is null, but must be a list"] = { tasks = cjson.null },
    ["the event has no Records, and is not another event of S3"] = { tasks = false },
  } do
    it("that cannot be answered is wrong as a whole: " .. problem, function()
      local batch, found = envelope.read(event({ task() }, changes))
      assert.is_nil(batch)
      assert.equal(problem, found)
    end)
  end

  it("in another envelope has its objects, and no task to answer", function()
    local batch = assert(envelope.read(cjson.encode { Records = { { eventSource = "aws:sqs", messageId = "m",
      eventSourceARN = "arn:aws:sqs:us-west-2:1:q", body = event({ task(), task { s3Key = false } }) } } }))
    assert.is_nil(batch.job)
    assert.same({ "k", "m" }, { batch.entries[1].object.key, batch.entries[1].message })
    assert.equal("Records[0].body.tasks[1].s3Key is missing", batch.entries[2].problem)
    assert.is_nil(batch.entries[1].task or batch.entries[2].task)
  end)
end)
