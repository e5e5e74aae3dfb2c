-- bin/notify with an aws that keeps one bucket's notification in a file, and replaces it at each put as S3 does.
package.path = "spec/support/?.lua;" .. package.path
local cjson = require "cjson"
local cloudformation = require "cloudformation"

local template = cloudformation.load("deploy/template.yaml")

local OTHERS = {
  TopicConfigurations = { { Id = "thumbnails", TopicArn = "arn:aws:sns:r:1:t", Events = { "s3:ObjectCreated:*" } } },
  QueueConfigurations = {
    { Id = "audit", QueueArn = "arn:aws:sqs:r:1:pigeon-Queue", Events = { "s3:ObjectRemoved:*" } },
  },
}

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = io.open(path)
  return file and file:read("a")
end

-- The output Notification of a stack "pigeon" with that source.
local function added(source)
  local values = { Source = source, ["AWS::StackName"] = "pigeon", ["Queue.Arn"] = "arn:aws:sqs:r:1:pigeon-events" }
  return cloudformation.render(template, template.Outputs.Notification.Value, values)
end

local folder

local function stack(source)
  write(folder .. "/stack", cjson.encode { Stacks = { { Outputs = {
    { OutputKey = "BucketName", OutputValue = "crashes" }, { OutputKey = "Notification", OutputValue = added(source) },
  } } } })
end

local function bucket(notification)
  write(folder .. "/bucket", notification and cjson.encode(notification) or "")
end

local function now()
  return cjson.decode(read(folder .. "/bucket"))
end

-- Runs notify -> its status and all that it printed.
local function notify(arguments, answer)
  local command = ("printf '%%s\n' '%s' | FAKE=%s PATH=%s:$PATH bin/notify %s 2>&1; echo $?"):format(
    answer or "", folder, folder, arguments)
  local pipe = assert(io.popen(command))
  local output, status = pipe:read("a"):match("^(.-)(%d+)\n$")
  pipe:close()
  return tonumber(status), output
end

local function puts()
  local _, count = (read(folder .. "/calls") or ""):gsub("put%-bucket", "")
  return count
end

describe("bin/notify", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    assert(os.execute("cp spec/support/aws_bucket.sh " .. folder .. "/aws"))
    stack "SQS"
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  it("keeps what others have there", function()
    bucket(OTHERS)
    local status, output = notify("pigeon", "y")
    assert.equal(0, status, output)
    local after = now()
    assert.same(OTHERS.TopicConfigurations, after.TopicConfigurations)
    assert.same(OTHERS.QueueConfigurations[1], after.QueueConfigurations[1])
    assert.same(cjson.decode(added "SQS").QueueConfigurations[1], after.QueueConfigurations[2])
    assert.equal(2, #after.QueueConfigurations)
  end)

  it("shows the difference before it asks", function()
    bucket(OTHERS)
    local _, output = notify("pigeon", "y")
    local shown, asked = output:find('\n%+ *"Id": "pigeon"'), output:find("Put this on bucket crashes?", 1, true)
    assert.truthy(shown and asked and shown < asked, output)
    assert.not_matches("\n%- ", output)
  end)

  for _, answer in ipairs { "n", "", "no" } do
    it(("changes nothing at the answer %q"):format(answer), function()
      bucket(OTHERS)
      local status, output = notify("pigeon", answer)
      assert.equal(1, status)
      assert.matches("nothing was changed", output)
      assert.equal(0, puts())
    end)
  end

  it("sets up a bucket that had none, without a question", function()
    bucket(nil)
    local status, output = notify "--yes pigeon"
    assert.equal(0, status, output)
    assert.same(cjson.decode(added "SQS"), now())
  end)

  it("has nothing to do the second time", function()
    bucket(OTHERS)
    notify "--yes pigeon"
    local status, output = notify "pigeon"
    assert.equal(0, status)
    assert.matches("nothing was changed", output)
    assert.equal(1, puts())
  end)

  it("turns EventBridge on, and takes the stack's own entry away", function()
    bucket(OTHERS)
    notify "--yes pigeon"
    stack "EventBridge"
    local status, output = notify "--yes pigeon"
    assert.equal(0, status, output)
    local after = now()
    assert.same({}, after.EventBridgeConfiguration)
    assert.same({ OTHERS.QueueConfigurations, OTHERS.TopicConfigurations },
      { after.QueueConfigurations, after.TopicConfigurations })
  end)

  it("leaves no empty list behind", function()
    bucket(nil)
    notify "--yes pigeon"
    stack "EventBridge"
    notify "--yes pigeon"
    assert.same({ EventBridgeConfiguration = {} }, now())
  end)

  it("leaves EventBridge on where others use it", function()
    bucket { EventBridgeConfiguration = {} }
    notify "--yes pigeon"
    assert.same({}, now().EventBridgeConfiguration)
  end)

  it("takes the entry for a queue that CloudFormation named away", function()
    bucket { QueueConfigurations = {
      { Id = "x", QueueArn = "arn:aws:sqs:r:1:pigeon-Queue-1ABC", Events = { "s3:ObjectCreated:Put" } },
      { Id = "y", QueueArn = "arn:aws:sqs:r:1:other-pigeon-Queue-1ABC", Events = { "s3:ObjectRemoved:*" } } } }
    notify "--yes pigeon"
    local ids = {}
    for i, entry in ipairs(now().QueueConfigurations) do ids[i] = entry.Id end
    assert.same({ "y", "pigeon" }, ids)
  end)

  it("replaces an entry for the stack's queue or function that somebody put there by hand", function()
    -- S3 refuses two entries that overlap.
    bucket { QueueConfigurations = { { Id = "x", QueueArn = "arn:aws:sqs:r:1:pigeon-events" } },
      LambdaFunctionConfigurations = {
        { Id = "y", LambdaFunctionArn = "arn:aws:lambda:r:1:function:pigeon-Function-1ABC:live" },
        { Id = "z", LambdaFunctionArn = "arn:aws:lambda:r:1:function:pigeon-Function-1ABC" } } }
    notify "--yes pigeon"
    local after = now()
    assert.same({ "pigeon", nil }, { after.QueueConfigurations[1].Id, after.QueueConfigurations[2] })
    assert.same({ "z", nil },
      { after.LambdaFunctionConfigurations[1].Id, after.LambdaFunctionConfigurations[2] })
  end)

  it("gives the function itself the events where Source is S3", function()
    stack "S3"
    bucket(OTHERS)
    notify "--yes pigeon"
    assert.equal("pigeon", now().LambdaFunctionConfigurations[1].Id)
  end)

  it("puts nothing where somebody else did meanwhile", function()
    bucket(OTHERS)
    write(folder .. "/meanwhile", "{}")
    local status, output = notify("pigeon", "y")
    assert.equal(1, status)
    assert.matches("somebody changed the notification of bucket crashes meanwhile", output)
    assert.equal(0, puts())
  end)

  it("puts nothing where it could not read", function()
    write(folder .. "/refused", "")
    local status, output = notify "--yes pigeon"
    assert.equal(1, status)
    assert.matches("the notification of bucket crashes could not be read; nothing was changed", output)
    assert.equal(0, puts())
  end)

  it("names the output that a stack does not have", function()
    write(folder .. "/stack", '{"Stacks":[{"Outputs":[]}]}')
    local status, output = notify "pigeon"
    assert.equal(1, status)
    assert.matches("stack pigeon has no output BucketName", output)
  end)

  for _, arguments in ipairs { "", "a b", "--no pigeon", "--yes" } do
    it(("is misused with %q"):format(arguments), function()
      local status, output = notify(arguments)
      assert.equal(2, status)
      assert.matches("^Usage: notify", output)
    end)
  end
end)
