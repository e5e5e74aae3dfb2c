--- bin/build/check-binary once more, with programs for arm64.
local gates = require "spec.support.gates"
local system = require "spec.support.system"

describe("check-binary, of programs for arm64,", function()
  gates(it, assert, "aarch64-linux-gnu-gcc --sysroot=" .. system.run("readlink -f build/arm64/sysroot"):gsub("\n", ""))
end)
