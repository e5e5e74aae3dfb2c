--- deploy/Containerfile.lambda: that it fits the zip, the program and Lambda's system. What its command does is tried
-- in spec/system/image_spec.lua.
local containerfile = require "spec.support.containerfile"

local PATH = "deploy/Containerfile.lambda"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

describe(PATH, function()
  local image = containerfile.image(PATH)

  it("is the system whose glibc the program is checked against, Amazon Linux 2023's", function()
    assert.equal("amazonlinux:2023", image.base)
    assert.matches("Amazon Linux 2023", read("bin/build/check-binary"))
  end)

  it("has the zip's files where its command and the program look for them", function()
    assert.same({ "task", "/task", "/var/task" }, image.copied)
    assert.same({ "/var/task/bootstrap" }, image.entrypoint)
    assert.same({ "rules.lua" }, image.cmd)
    assert.equal("/var/task", image.environment.LAMBDA_TASK_ROOT)
    assert.equal("/var/task", image.folder)
    assert.matches("\nCOPY $ZIP /pigeon.zip\nRUN unzip -q /pigeon.zip -d /task\n", read(PATH), 1, true)
  end)

  it("takes the zips that make package makes", function()
    for _, zip in ipairs { "build/pigeon.zip", "build/pigeon-arm64.zip" } do
      assert.matches("ZIP=" .. zip, read(PATH), 1, true)
      assert.matches("default=" .. zip, read("bin/build/package"), 1, true)
    end
  end)
end)
