--- bin/setup, with a system that is made up: its programs, its /etc/os-release, its policy.
local system = require "spec.support.system"

describe("bin/setup", function()
  local folder
  before_each(function()
    folder = system.run("mktemp -d"):gsub("\n", "")
    local script = system.read("bin/setup"):gsub("/etc/os%-release", folder .. "/os-release")
      :gsub("/usr/sbin/policy%-rc%.d", folder .. "/policy")
    system.run(([[mkdir %s/programs %s/bin
      for p in awk dirname sed rm chmod cat; do ln -s $(command -v $p) %s/programs; done]])
      :format(folder, folder, folder))
    system.write(folder .. "/bin/setup", script)
    system.write(folder .. "/os-release", 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n')
  end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  -- Makes a program of the system: a shell script.
  local function program(name, text)
    system.write(folder .. "/programs/" .. name, "#!/bin/sh\n" .. text .. "\n")
    system.run(("chmod +x %s/programs/%s"):format(folder, name))
  end

  -- Runs it as this user on x86_64, where no package is installed but these.
  local function setup(user, arguments, installed)
    program("id", "echo " .. user)
    program("uname", "echo x86_64")
    program("dpkg-query", ([[case $2 in
      *Size*) cat %s/sizes 2>/dev/null || echo installed 1000 ;;
      *) shift 2; for p; do case " %s " in *" $p "* | " all ") printf '%%s=installed ' $p ;; esac; done ;;
    esac]]):format(folder, installed or ""))
    local _, _, status = os.execute(("cd / && env -i PATH=%s/programs /bin/sh %s/bin/setup %s >%s/out 2>&1")
      :format(folder, folder, arguments, folder))
    return status, system.read(folder .. "/out")
  end

  -- The packages that it would install for a purpose, as a set.
  local function missing(purpose)
    local _, output = setup(1000, purpose)
    local set = {}
    for name in output:match("missing on [^:]*:([^\n]*)"):gmatch("%S+") do set[name] = true end
    return set
  end

  it("is silent where nothing is missing, with -q, as make calls it", function()
    local status, output = setup(1000, "-q check", "all")
    assert.equal("", output)
    assert.equal(0, status)
  end)

  for version, found in pairs { ["12"] = "Debian 12", ["13"] = "Debian 13" } do
    it("says which Debian it found: " .. version, function()
      system.write(folder .. "/os-release", ('ID=debian\nVERSION_ID="%s"\nPRETTY_NAME="%s"\n'):format(version, found))
      local status, output = setup(1000, "run", "all")
      assert.equal("setup: " .. found .. " has all packages for run\n", output)
      assert.equal(0, status)
      status, output = setup(1000, "-q rules")
      assert.matches("^setup: missing on " .. found .. ": lua5.4 lua%-busted lua%-cjson\n", output)
      assert.equal(1, status)
    end)
  end

  it("installs the same packages on Debian 13", function()
    local run, specs = missing("run"), missing("specs")
    system.write(folder .. "/os-release", 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian 13"\n')
    assert.same(run, missing("run"))
    assert.same(specs, missing("specs"))
  end)

  it("refuses what is for the zip alone on Debian 13, with what to do", function()
    system.write(folder .. "/os-release", 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian 13"\n')
    local status, output = setup(0, "-q package", "all")
    assert.equal(1, status)
    assert.matches("^setup: no zip for Lambda can be built on Debian 13: ", output)
    assert.matches("built on Debian 12, or\nsetup: in a container, ", output, 1, true)
    assert.matches("docker build -f deploy/Containerfile", output, 1, true)
    assert.matches("make package FROM=live.zip", output, 1, true)
  end)

  it("has for each purpose the packages of the one before, and some of its own", function()
    local own = { { "package", "gcc", "zip" }, { "run", "rabbitmq-server", "libmicrohttpd-dev" },
      { "specs", "libcmocka-dev", "jq" }, { "check", "debootstrap", "shellcheck" } }
    local before = {}
    for _, row in ipairs(own) do
      local set = missing(row[1])
      for name in pairs(before) do assert.is_true(set[name], row[1] .. " " .. name) end
      assert.is_nil(before[row[2]])
      assert.is_true(set[row[2]] and set[row[3]], row[1])
      before = set
    end
  end)

  it("needs three packages for specs of rules, which run has too", function()
    local rules, run = missing("rules"), missing("run")
    assert.same({ ["lua5.4"] = true, ["lua-busted"] = true, ["lua-cjson"] = true }, rules)
    assert.is_true(run["lua5.4"] and run["lua-busted"] and run["lua-cjson"])
  end)

  it("without root and sudo names itself, and no apt-get", function()
    local status, output = setup(1000, "package")
    assert.equal(1, status)
    assert.matches("run as root: " .. folder .. "/bin/setup package\n$", output)
    assert.not_matches("apt", output, 1, true)
  end)

  it("uses sudo where the user is not root", function()
    program("sudo", 'echo "sudo $*"')
    for _, words in ipairs { "run arm64", "-q run arm64" } do
      local _, output = setup(1000, words)
      assert.equal("sudo " .. folder .. "/bin/setup " .. words .. "\n", output)
    end
  end)

  for system_name, text in pairs {
    ["Debian 14"] = 'ID=debian\nVERSION_ID="14"\nPRETTY_NAME="Debian 14"\n',
    ["Fedora 42"] = 'ID=fedora\nVERSION_ID=42\nPRETTY_NAME="Fedora 42"\n',
    unknown = "",
  } do
    it("says first that a system is " .. system_name .. ", and how the zip is built there", function()
      system.write(folder .. "/os-release", text)
      local status, output = setup(0, "package")
      assert.equal(1, status)
      assert.matches("^setup: Pigeon is built on Debian 12, and but for the zip on 13; this system is "
        .. system_name, output)
      assert.matches("To work on rules here: rules/README.md", output, 1, true)
      assert.matches("docker build -f deploy/Containerfile", output, 1, true)
    end)
  end

  it("installs while services are held back, and says how many MB", function()
    program("apt-get", ([[echo "$*" >>%s/calls; sh %s/policy; echo policy $? >>%s/calls
      printf 'installed 1000\ninstalled 2000\nconfig-files 7000\ninstalled 3000\n' >%s/sizes]])
      :format(folder, folder, folder, folder))
    program("sh", 'exec /bin/sh "$@"')
    local status, output = setup(0, "rules", "lua5.4")
    assert.equal("setup: installing on Debian 12: lua-busted lua-cjson\n"
      .. "setup: installed 2 packages, 5 MB, for rules\n", output)
    assert.equal(0, status)
    local calls = system.read(folder .. "/calls")
    assert.matches("update\npolicy 101\n", calls, 1, true)
    assert.matches("install --no-install-recommends lua-busted lua-cjson\npolicy 101\n", calls, 1, true)
    assert.is_nil(io.open(folder .. "/policy"))
  end)

  it("does not build for a processor that it cannot build for", function()
    local status, output = setup(1000, "package mips")
    assert.equal(2, status)
    assert.matches("ARCH=mips cannot be built here", output)
  end)
end)

describe("make asks bin/setup for the least that its goals need:", function()
  for goals, purpose in pairs {
    ["build/spec/host/amqp/broker_spec"] = "specs", ["specs build/simulation"] = "specs", build = "run",
    ["build test-rules"] = "run", ["build build/spec/host/amqp/broker_spec"] = "specs", ["test-rules"] = "rules",
    package = "package", test = "check", soak = "check", ["coverage build"] = "coverage", fuzz = "fuzz",
  } do
    it(goals, function()
      local printed = system.run("env -u MAKEFLAGS -u MAKELEVEL make -n " .. goals .. " 2>&1")
      assert.equal(purpose, printed:match "bin/setup %-q (%a+)")
    end)
  end
end)
