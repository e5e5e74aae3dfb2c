--- bin/test and bin/run_circle.sh with programs that are made up: what is counted, and when they fail.
local system = require "spec.support.system"

describe("bin/test debian13", function()
  local folder
  before_each(function()
    folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("mkdir -p %s/bin %s/spec/debian13 && cp bin/test %s/bin && ln -s /bin/true %s/bin/rabbitmq")
      :format(folder, folder, folder, folder))
  end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  -- Runs it with this script as enter; returns the status and what it printed.
  local function run(script)
    system.write(folder .. "/spec/debian13/enter", "#!/bin/sh\n" .. script .. "\n")
    system.run(("chmod +x %s/spec/debian13/enter"):format(folder))
    local _, _, status = os.execute(("BUILD= %s/bin/test debian13 >%s/said 2>&1"):format(folder, folder))
    return status, system.read(folder .. "/said")
  end

  it("shows what the run there prints, and counts its cases", function()
    local status, said = run([[printf '    3 passed             a\n3 passed, 0 failed\n']])
    assert.equal("      3 passed             a\n3 passed, 0 failed\n", said)
    assert.equal(0, status)
    status, said = run(
      [[printf '    3 passed     2 FAILED a\n    | # said FAILED\n3 passed, 2 failed\n'; exit 1]])
    assert.equal("      3 passed     2 FAILED a\n      | # said FAILED\n"
      .. "Failed, once more:\n    3 passed     2 FAILED a\n3 passed, 2 failed\n", said)
    assert.equal(1, status)
  end)

  for what, script in pairs {
    ["there is no root"] = "echo 'debian13: a chroot needs root' >&2; exit 1",
    ["it is killed"] = [[printf '    3 passed             a\n'; kill -KILL $$]],
    ["it ends without its last line"] = [[printf '3 passed, 0 failed\nrm: cannot remove\n'; exit 1]],
    ["it prints nothing"] = ":",
  } do
    it("fails where " .. what, function()
      local status, said = run(script)
      assert.equal(1, status)
      local line = "FAILED debian13: the run did not come to its end; its output is build/test/debian13.log\n"
      assert.matches(line .. "Failed, once more:\n" .. line .. "0 passed, 1 failed\n$", said)
    end)
  end

  it("needs root, and says so", function()
    local said = os.tmpname()
    local _, _, status = os.execute(("cp -r spec/debian13 %s/spec && chmod -R a+rX %s && cd %s && "
      .. "$([ $(id -u) -ne 0 ] || echo setpriv --reuid=65534 --clear-groups) spec/debian13/enter true >%s 2>&1")
      :format(folder, folder, folder, said))
    assert.equal(1, status)
    assert.equal("debian13: a chroot needs root: run this as root, or with sudo\n", system.read(said))
    os.remove(said)
  end)
end)

describe("bin/test rabbitmq-4.0 rabbitmq-newest", function()
  it("shows the output of both, and counts the cases of both", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("mkdir -p %s/bin %s/build && cp bin/test %s/bin && touch %s/build/bootstrap")
      :format(folder, folder, folder, folder))
    system.write(folder .. "/bin/rabbitmq", "#!/bin/sh\necho \"$1 $RABBITMQ\"\nfalse\n")
    system.run(("chmod +x %s/bin/rabbitmq"):format(folder))
    local _, _, status = os.execute(("BUILD= %s/bin/test rabbitmq-4.0 rabbitmq-newest >%s/said 2>&1")
      :format(folder, folder))
    local said = system.read(folder .. "/said")
    os.execute("rm -rf " .. folder)
    assert.equal(1, status)
    assert.equal("    | start 4.0\nFAILED RABBITMQ=4.0 bin/rabbitmq start\n"
      .. "    | start newest\nFAILED RABBITMQ=newest bin/rabbitmq start\n"
      .. "Failed, once more:\nFAILED RABBITMQ=4.0 bin/rabbitmq start\nFAILED RABBITMQ=newest bin/rabbitmq start\n"
      .. "0 passed, 2 failed\n", said)
  end)
end)

describe("bin/test", function()
  it("fails where a suite has no spec, though another has", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("mkdir -p %s/bin %s/spec/rules && cp bin/test %s/bin"):format(folder, folder, folder))
    system.write(folder .. "/spec/rules/a_spec.lua", "it('a', function() end)\n")
    local _, _, status = os.execute(("BUILD= %s/bin/test rules deploy >%s/said 2>&1"):format(folder, folder))
    local said = system.read(folder .. "/said")
    os.execute("rm -rf " .. folder)
    assert.equal(1, status)
    assert.matches("FAILED spec/deploy has no file that ends in _spec.lua\n1 passed, 1 failed\n$", said)
  end)
end)

describe("bin/run_circle.sh", function()
  -- With a make that prints this for `check`, and ends with these; the status, and the last lines.
  local function run(said, check, bench)
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("mkdir %s/bin && cp bin/run_circle.sh %s/bin"):format(folder, folder))
    system.write(folder .. "/make", ([[#!/bin/sh
      case $1 in
      check) printf '%s'; exit %d ;;
      bench) echo measured; exit %d ;;
      esac]]):format(said, check, bench))
    local _, _, status = os.execute(("chmod +x %s/make && PATH=%s:$PATH %s/bin/run_circle.sh >%s/said 2>&1")
      :format(folder, folder, folder, folder))
    local printed = system.read(folder .. "/said")
    os.execute("rm -rf " .. folder)
    return status, printed:match("measured\n(.*)$")
  end

  it("has the total last, in which make bench counts where it failed", function()
    local failed = "Failed, once more:\nFAILED a\n3 passed, 1 failed\n"
    assert.same({ 0, "3 passed, 0 failed\n" }, { run("3 passed, 0 failed\\n", 0, 0) })
    assert.same({ 2, failed }, { run((failed:gsub("\n", "\\n")), 2, 0) })
    assert.same({ 1, "Failed, once more:\nFAILED make bench\n3 passed, 1 failed\n" },
      { run("3 passed, 0 failed\\n", 0, 2) })
    assert.same({ 1, "Failed, once more:\nFAILED a\nFAILED make bench\n3 passed, 2 failed\n" },
      { run((failed:gsub("\n", "\\n")), 2, 2) })
    assert.same({ 2, "0 passed, 1 failed\n" }, { run("cc1: error\\n", 2, 0) })
  end)
end)
