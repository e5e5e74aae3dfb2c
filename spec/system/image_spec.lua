--- What the image of deploy/Containerfile.lambda starts, with the zip's files in another folder.
local containerfile = require "spec.support.containerfile"
local system = require "spec.support.system"
local zip = require "spec.support.zip"

describe("the image for Lambda", function()
  local image = containerfile.image("deploy/Containerfile.lambda")
  local folder, env

  setup(function()
    folder = zip.unpack("build", "rules/antenna.lua")
    env = system.vhost({ "normal" })
    for name, value in pairs(image.environment) do env[name] = (value:gsub("^/var/task", folder)) end
  end)

  teardown(function()
    zip.remove(folder)
    system.drop(env)
  end)

  -- Lambda's handler may come as the argument alone.
  for _, command in ipairs { {}, { "env", "-u", "_HANDLER" } } do
    it("is the function " .. (command[1] and "without" or "with") .. " _HANDLER", function()
      local words = { table.unpack(command) }
      for _, list in ipairs { image.entrypoint, image.cmd } do
        for _, word in ipairs(list) do words[#words + 1] = (word:gsub("^/var/task", folder)) end
      end
      local outcome = system.invoke({ env = env, command = words,
        events = { system.event(system.key(system.id(1)), system.key(system.id(2, "0"))) } })
      assert.same({ "null" }, outcome.answers)
      assert.same({ system.id(2, "0") }, system.consume(env)) -- antenna.lua accepts the second alone
    end)
  end
end)
