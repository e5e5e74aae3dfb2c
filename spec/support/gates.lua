--- The cases of bin/build/check-binary, for any compiler: programs that each break one gate.
local system = require "spec.support.system"

-- Copies what may be too long into a buffer on the stack.
local SOURCE = [[
  #include <stdio.h>
  #include <stdlib.h>
  #include <string.h>
  int main(int argc, char **argv)
  {
      char copy[16];
      strcpy(copy, argv[argc - 1]);
      return puts(copy) == NUMBER;
  }]]

local HARDENED = "-O2 -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=3 -fstack-clash-protection "
  .. "-ftrivial-auto-var-init=zero -frecord-gcc-switches "
local GOOD = HARDENED .. "-pie -Wl,-z,relro,-z,now -s "

-- As `bootstrap --version` has it.
local VERSION = [[-D'NUMBER=puts("  librabbitmq-dev %s\n  libssl-dev 3.0.1\n")']]

-- What is broken, and how: flags after the good ones, the last of a kind counts. Then the only
-- message.
local CASES = {
  { "needs a library that is not glibc's", "-Wl,--no-as-needed -lcmocka", "libraries: libcmocka.so.0 " },
  { "needs a function of glibc 2.36", "-D'NUMBER=arc4random()'", "symbols: arc4random@GLIBC_2.36 " },
  { "has no RELRO", "-Wl,-z,norelro", "RELRO: no segment" },
  { "has RELRO for a part", "-Wl,-z,lazy", "RELRO: only a part" },
  { "has a fixed address", "-no-pie", "PIE: " },
  { "has no stack protector", "-fno-stack-protector", "stack protector: none in " },
  { "has no FORTIFY", "-U_FORTIFY_SOURCE", "FORTIFY: none in " },
  { "has a rabbitmq-c with faults", VERSION:format("0.11.0-1+deb12u1"), "rabbitmq-c: 0.11.0-1+deb12u1 has faults " },
  { "touches no page of a large frame", "-fno-stack-clash-protection", "stack clash: none in " },
  { "leaves variables as they are", "-ftrivial-auto-var-init=uninitialized", "zeroed variables: none in " },
}

-- The same of an archive that was linked into a good program.
local OF_ARCHIVES = {
  { "has no stack protector", "-fno-stack-protector", "stack protector: none in " },
  { "has no FORTIFY", "-U_FORTIFY_SOURCE", "FORTIFY: none in " },
  { "has FORTIFY of level 2", "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2", "FORTIFY: less than level 3 in " },
  { "has an object that touches no page of a large frame", "-fno-stack-clash-protection", "stack clash: none in " },
  { "has an object that leaves variables as they are", "-ftrivial-auto-var-init=uninitialized",
    "zeroed variables: none in " },
}

-- Compiles SOURCE with these flags; returns the status and the output of check-binary.
local function check(compiler, flags)
  local folder = system.run("mktemp -d"):gsub("\n", "")
  system.write(folder .. "/source.c", SOURCE)
  if not flags:find("NUMBER", 1, true) then flags = flags .. " -DNUMBER=0" end
  system.run(("cd %s && %s source.c %s -o program"):format(folder, compiler, flags))
  local _, _, status = os.execute(("bin/build/check-binary --stripped %s/program 2>%s/said"):format(folder, folder))
  local said = system.read(folder .. "/said")
  os.execute("rm -rf " .. system.quote(folder))
  return status, said
end

-- A good program, and an archive of SOURCE compiled with these flags, and of host/base/hardening.c.
local function check_archive(compiler, flags)
  local folder = system.run("mktemp -d"):gsub("\n", "")
  system.write(folder .. "/source.c", SOURCE)
  system.write(folder .. "/hardening.c", system.read("host/base/hardening.c"))
  local compile = ("%s %s -DNUMBER=0"):format(compiler, HARDENED)
  system.run(([[cd %s && %s %s source.c -pie -Wl,-z,relro,-z,now -s -o program && %s %s -c source.c hardening.c &&
    ar rc ours.a hardening.o source.o]]):format(folder, compile, "", compile, flags))
  local _, _, status = os.execute(("bin/build/check-binary --stripped %s/program %s/ours.a 2>%s/said")
    :format(folder, folder, folder))
  local said = system.read(folder .. "/said")
  os.execute("rm -rf " .. system.quote(folder))
  return status, said
end

--- Calls it(name, test) for each case, with what this compiler makes. HARDENED: the flags of all gates
-- that look at compiled code.
local function gates(_, it, assert, compiler)
  it("lets a good program through", function()
    for _, flags in ipairs({ "", VERSION:format("0.11.0-1+deb12u2"), VERSION:format("0.15.0-1") }) do
      local status, said = check(compiler, GOOD .. flags)
      assert.equal("", said)
      assert.equal(0, status)
    end
  end)

  for _, case in ipairs(CASES) do
    it("names the gate of a program that " .. case[1], function()
      local status, said = check(compiler, GOOD .. case[2])
      assert.equal(1, status)
      assert.matches("^[^\n]*program must not go to Lambda:\n    [^\n]*\n$", said)
      assert.matches("\n    " .. case[3], said, 1, true)
    end)
  end

  it("lets a good archive through", function()
    local status, said = check_archive(compiler, "")
    assert.equal("", said)
    assert.equal(0, status)
  end)

  for _, case in ipairs(OF_ARCHIVES) do
    it("names the gate of an archive that " .. case[1], function()
      local status, said = check_archive(compiler, case[2])
      assert.equal(1, status)
      assert.matches("^[^\n]*program must not go to Lambda:\n    [^\n]*ours%.a[^\n]*\n$", said)
      assert.matches("\n    " .. case[3], said, 1, true)
    end)
  end

  it("names what is left of debug info, or of a symbol table", function()
    for flags, found in pairs({ ["-g"] = ".debug_info ", [""] = ".symtab" }) do
      local status, said = check(compiler, GOOD:gsub("%-s ", "") .. flags)
      assert.equal(1, status)
      assert.matches("\n    debug info: there is ", said, 1, true)
      assert.matches(found, said, 1, true)
    end
  end)
end

return setmetatable({ HARDENED = HARDENED }, { __call = gates })
