--- bin/build/check-binary: each gate, with a program that breaks it alone.
local gates = require "spec.support.gates"
local system = require "spec.support.system"

describe("check-binary", function()
  gates(it, assert, "gcc")

  it("looks at our own code too, which a hardened library would hide", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.write(folder .. "/bare.c", "#include <string.h>\nvoid bare(char *to, char *from) { strcpy(to, from); }\n")
    system.run(("cd %s && gcc -c bare.c && ar rc bare.a bare.o"):format(folder))
    local _, _, status = os.execute(("bin/build/check-binary build/bootstrap %s/bare.a 2>%s/said")
      :format(folder, folder))
    local said = system.read(folder .. "/said")
    assert.equal(1, status)
    assert.matches("stack protector: none in [^\n]*bare.a ", said)
    assert.matches("FORTIFY: none in [^\n]*bare.a ", said)
    os.execute("rm -rf " .. system.quote(folder))
  end)

  it("of a program that was just built only prints the newer symbols, and fails for all else", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.write(folder .. "/new.c", "#include <stdlib.h>\nint main(int argc, char **argv)\n"
      .. "{ char copy[64]; realpath(argv[argc - 1], copy); return (int)arc4random() + copy[0]; }\n")
    for flags, row in pairs { ["-pie"] = { 0 }, ["-no-pie"] = { 1, "PIE: always at the same address" } } do
      system.run(("cd %s && gcc %s -w -Wl,-z,relro,-z,now %s new.c -o new"):format(folder, gates.HARDENED, flags))
      local _, _, status = os.execute(("bin/build/check-binary --built %s/new >%s/said 2>&1"):format(folder, folder))
      local said = system.read(folder .. "/said")
      assert.equal(row[1], status)
      assert.matches("/new runs here, but not on Lambda: it needs arc4random@GLIBC_2.36 \n", said, 1, true)
      assert.is_nil(said:find("symbols:", 1, true))
      if row[2] then assert.matches(row[2], said, 1, true) end
    end
    os.execute("rm -rf " .. system.quote(folder))
  end)

  it("fails where it cannot look", function()
    assert.is_nil(os.execute("bin/build/check-binary README.md >/dev/null 2>&1"))
    assert.is_nil(os.execute("bin/build/check-binary build/bootstrap /nonexistent.a >/dev/null 2>&1"))
  end)
end)
