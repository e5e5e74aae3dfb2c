--- bin/build/package: the zip that goes to Lambda.
local system = require "spec.support.system"
local tls = require "spec.support.tls"
local zip = require "spec.support.zip"

local quote, id, key = system.quote, system.id, system.key

zip.refused(it, assert, "build", {
  ["make package"] = "The zip is built on Debian 12, or\nsetup: in a container, with Docker or Podman:\n",
})

zip.only(describe)("the zip", function()
  local folder
  setup(function() folder = zip.unpack("build", "rules/antenna.lua") end)
  teardown(function() zip.remove(folder) end)

  it("holds the program, what is in it, and the rules, nothing else, and has less than 4 MB", function()
    assert.equal("644 LICENSES\n755 bootstrap\n644 rules.lua\n644 sbom.cdx.json\n",
      system.run(("cd %s && stat -c '%%a %%n' *"):format(folder)))
    assert.equal(system.read("rules/antenna.lua"), system.read(folder .. "/rules.lua"))
    assert.is_true(zip.size(folder) < 4 * 1024 * 1024)
  end)

  it("runs where it is unpacked, by its own rules, with nothing else around", function()
    local env = system.vhost({ "normal" })
    -- antenna.lua accepts the second alone, rules.lua the first
    local outcome = zip.invoke(folder, env, { system.event(key(id(1)), key(id(2, "0"))) })
    assert.same({ "null" }, outcome.answers)
    assert.same({ id(2, "0") }, system.consume(env))
    system.drop(env)
  end)

  it("finds the system's CAs there, and a file of one's own beside it", function()
    tls.start()
    tls.certificate("good", "IP:127.0.0.1")
    local plain = system.vhost({ "normal" })
    local function publish(ca_file)
      local env = { PIGEON_TLS = "on", PIGEON_PORT = tls.listen("good"), PIGEON_TLS_CA_FILE = ca_file }
      for name, value in pairs(plain) do env[name] = env[name] or value end
      return zip.invoke(folder, env, { system.event(key(id(3, "0"))) }).answers[1]
    end
    assert.matches('unknown issuer: \\"CN=Spec CA\\" is not among the CAs of /etc/', publish(), 1, true)
    system.run(("cp %s %s/ca.pem"):format(tls.path("ca.pem"), folder))
    assert.equal("null", publish(folder .. "/ca.pem"))
    assert.same({ id(3, "0") }, system.consume(plain))
    system.drop(plain)
    tls.stop()
  end)

  it("leaves what gdb needs in build/bootstrap.debug", function()
    assert.matches("bootstrap.debug", system.run(("readelf -p .gnu_debuglink %s/bootstrap"):format(folder)), 1, true)
    assert.matches(" .debug_info ", system.run("objdump -h build/bootstrap.debug"), 1, true)
  end)

  it("is the same, byte for byte, built again by another one, in another folder, time and language", function()
    local copy = system.run("mktemp -d"):gsub("\n", "")
    -- without spec/ and host/tools, which the zip does not need; with curl, which takes minutes
    system.run(([[umask 077 && mkdir %s/build && cp -rp Makefile LICENSE bin host lua rules %s &&
      cp -rp build/curl %s/build && cd %s && rm -r host/tools &&
      env -i PATH="$PATH" HOME=/nonexistent LC_ALL=C.UTF-8 TZ=Asia/Tokyo ZIPOPT=-1 USER=other \
        make -j1 package RULES=rules/antenna.lua >build/log 2>&1 || { cat build/log >&2; false; }]]):format(
      copy, copy, copy, copy))
    assert.is_true(system.read(copy .. "/build/pigeon.zip") == system.read(folder .. ".zip"))
    os.execute("rm -rf " .. quote(copy))
  end)

  it("is not made where the rules have a finding, and the finding is shown", function()
    local rules, made, said = os.tmpname(), os.tmpname(), os.tmpname()
    system.write(rules, "return function(object)\n  return accept(object.key, { queue })\nend\n")
    local _, _, status = os.execute(("BUILD=build bin/build/package %s %s 2>%s"):format(rules, made, said))
    assert.equal(1, status)
    assert.matches(":2: [^\n]*queue", system.read(said))
    assert.is_nil(io.open(made))
    os.remove(rules)
    os.remove(said)
  end)

  it("is made with a warning, but not where QUEUES has the function's queues", function()
    local rules, made, said = os.tmpname(), os.tmpname() .. ".zip", os.tmpname()
    system.write(rules, [[
return function(object)
  local id, unused = crash_id(object.key), 1
  if not id then return ignore("not a crash id") end
  return accept(id, { "nightly" })
end
]])
    local function package(variables)
      os.remove(made)
      local _, _, status = os.execute(("env -u PIGEON_QUEUE SOURCE_DATE_EPOCH=0 BUILD=build %s bin/build/package %s %s "
        .. ">/dev/null 2>%s"):format(variables, rules, made, said))
      return status, system.read(said), os.execute("test -s " .. made)
    end
    local status, text, there = package ""
    assert.equal(0, status, text)
    assert.is_true(there)
    assert.matches("^    queues that the script names were not checked: PIGEON_QUEUE is not set; QUEUES=[^\n]*\n"
      .. '    [^\n]*:2: warning: nothing reads the local "unused"[^\n]*\n$', text)
    for _, variables in ipairs {
      "QUEUES=normal,15:submitter", "PIGEON_QUEUE=normal,15:submitter",
      "PIGEON_QUEUE=nightly QUEUES=normal,15:submitter",
    } do
      status, text, there = package(variables)
      assert.equal(1, status)
      assert.is_nil(there)
      assert.matches(':4: warning: PIGEON_QUEUE has no queue "nightly": it has normal, submitter\n', text, 1, true)
      assert.matches("made no zip; fix [^\n]* first %(the queues are normal,15:submitter%)\n", text)
    end
    status, text, there = package "PIGEON_QUEUE=nightly QUEUES="
    assert.equal(2, status)
    assert.is_nil(there)
    assert.equal("bin/build/package: QUEUES is empty; name the function's queues, such as QUEUES=normal,15:submitter, "
      .. "or leave it out\n", text)
    os.remove(rules)
    os.remove(made)
    os.remove(said)
  end)
end)

describe("make", function()
  -- Runs make with these words; returns its status and all that it wrote.
  local function make(words)
    local out = os.tmpname()
    local _, _, status = os.execute(("env -u MAKEFLAGS -u MAKELEVEL make %s >%s 2>&1"):format(words, out))
    local said = system.read(out)
    os.remove(out)
    return status, said
  end

  for words, name in pairs {
    ["package RULE=rules/antenna.lua"] = "RULE", ["RULES=rules/antenna.lua SHADOWS=x package"] = "SHADOWS",
    ["help V=1"] = "V",
  } do
    it("refuses a variable that it does not know: " .. words, function()
      local status, said = make("-n " .. words)
      assert.equal(2, status)
      assert.matches("*** " .. name .. " is not a variable of this Makefile; there are ARCH BUILD ", said, 1, true)
      assert.matches(" RULES ", said, 1, true)
    end)
  end

  it("takes those that it has, whatever their values", function()
    local status, said = make("-n help ARCH=arm64 BUILD=x Q= RULES='a b=c RULE=d' SHADOW=x SECONDS=1 SEED=2 SEEDS=3 "
      .. "CHANGES='3 7' SANITIZE= CC=gcc")
    assert.equal(0, status, said)
    status, said = make("help")
    assert.equal(0, status, said)
    assert.matches("^Pigeon%. ", said)
  end)

  zip.only(it)("refuses QUEUES where it is empty, and leaves it out where it is not given", function()
    local status, said = make('package QUEUES=""')
    assert.equal(2, status)
    assert.matches("bin/build/package: QUEUES is empty; name the function's queues, ", said, 1, true)
    status, said = make("-n package FROM=x.zip")
    assert.equal(0, status, said)
    assert.is_nil(said:find("QUEUES", 1, true))
  end)

  for rules, what in pairs {
    nosuch = "RULES is nosuch; there is no such file",
    ["nosuch/rules.lua"] = "RULES is nosuch/rules.lua; there is no such file",
    [""] = "RULES is empty; name a rules script, such as rules/rules.lua",
    rules = "RULES is rules, a folder; name the script in it",
  } do
    zip.only(it)(("makes no zip with RULES=%s, and says why"):format(rules), function()
      local status, said = make("package RULES=" .. rules)
      assert.equal(2, status)
      assert.matches("bin/build/package: " .. what .. "\n", said, 1, true)
    end)
  end
end)
