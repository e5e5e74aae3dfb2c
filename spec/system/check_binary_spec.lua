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

  it("fails where it cannot look", function()
    assert.is_nil(os.execute("bin/build/check-binary README.md >/dev/null 2>&1"))
    assert.is_nil(os.execute("bin/build/check-binary build/bootstrap /nonexistent.a >/dev/null 2>&1"))
  end)
end)
