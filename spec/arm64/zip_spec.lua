--- The zip for arm64, unpacked into an empty folder, under qemu, without a broker. The programs
-- of both processors must print the same.
local system = require "spec.support.system"
local zip = require "spec.support.zip"

local id, key = system.id, system.key

zip.refused(it, assert, "build/arm64")
zip.only(describe)("the zip for arm64", function()
  local folder, emulator
  setup(function()
    folder = zip.unpack("build/arm64", "rules/rules.lua")
    emulator = {}
    local words = system.run("echo $(command -v qemu-aarch64-static) -L $(readlink -f build/arm64/sysroot)")
    for word in words:gmatch("%S+") do
      emulator[#emulator + 1] = word
    end
  end)
  teardown(function() zip.remove(folder) end)

  it("holds a program for arm64, and has less than 4 MB", function()
    assert.matches("Machine: +AArch64", system.run(("readelf -h %s/bootstrap"):format(folder)))
    assert.is_true(zip.size(folder) < 4 * 1024 * 1024)
  end)

  -- Runs a command with both programs, each with the rules of the zip.
  local function both(arguments)
    local env = "env -i PATH=\"$PATH\" SOURCE_DATE_EPOCH=0 PIGEON_QUEUE=normal,15:submitter "
    arguments = arguments .. " 2>&1"
    return system.run(env .. table.concat(emulator, " ") .. " " .. folder .. "/bootstrap " .. arguments),
      system.run(env .. "build/bootstrap " .. arguments)
  end

  it("explains keys by the rules beside it", function()
    local said, expected = both(("explain %s %s junk"):format(key(id(1)), key(id(2, "0"))))
    assert.matches("accept " .. id(1), said, 1, true)
    assert.equal(expected, said)
  end)

  it("checks its rules", function()
    local said, expected = both("check")
    assert.matches("nothing found", said)
    assert.equal(expected, said)
  end)

  it("samples as the other does", function()
    local keys = os.tmpname()
    local lines = {}
    for i = 1, 2000 do lines[i] = key(id(i)) end
    system.write(keys, table.concat(lines, "\n"))
    local said, expected = both("simulate <" .. keys)
    os.remove(keys)
    assert.matches("submitter +%d+ ", said)
    assert.equal(expected, said)
  end)

  local env = {
    PIGEON_HOST = "127.0.0.1", PIGEON_PORT = "1", PIGEON_VIRTUAL_HOST = "/", PIGEON_USER = "pigeon",
    PIGEON_PASSWORD = "hunter2", PIGEON_QUEUE = "normal", PIGEON_AWS_REGION = "us-west-2",
  }

  it("answers Lambda: what needs no broker, and that there is none", function()
    local outcome = zip.invoke(folder, env, { system.event(key(id(1, "0"))), system.event(key(id(1))) }, emulator)
    assert.equal("null", outcome.answers[1])
    assert.matches("refused", outcome.decoded[2].errorMessage)
    assert.matches(id(1), outcome.decoded[2].errorMessage, 1, true)
    assert.matches("rules rules.lua", outcome.log, 1, true)
  end)
end)
