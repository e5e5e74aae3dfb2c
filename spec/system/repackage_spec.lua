--- pigeon package and make package FROM=: another script into a zip, without a compiler.
local system = require "spec.support.system"
local zip = require "spec.support.zip"

local quote = system.quote
local SHADOW = 'return function() return ignore("all") end\n'

zip.only(describe)("pigeon package", function()
  local old, folder, here

  setup(function()
    here = system.run("pwd"):gsub("\n", "")
    old = zip.unpack("build", "rules/rules.lua")
  end)

  teardown(function() zip.remove(old) end)

  before_each(function()
    folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("cp %s.zip %s/old.zip"):format(old, folder))
    system.write(folder .. "/candidate.lua", SHADOW)
    system.write(folder .. "/mine.lua", system.read("rules/antenna.lua"))
  end)

  after_each(function() os.execute("rm -rf " .. quote(folder)) end)

  -- Runs it in the folder, or with another program, at a time when that was new; returns the status, and all that it
  -- wrote.
  local function package(arguments, program)
    local path = os.tmpname()
    local command = "unset PIGEON_QUEUE; export SOURCE_DATE_EPOCH=0; cd %s && %s package %s >%s 2>&1"
    local _, _, status = os.execute(command:format(quote(folder), program or here .. "/build/bootstrap", arguments,
      path))
    local said = system.read(path)
    os.remove(path)
    return status, said
  end

  local function names()
    return system.run("ls -A " .. quote(folder))
  end

  -- The bytes that make package makes.
  local function made(rules, shadow)
    local path = folder .. "/wanted.zip"
    system.run(("SHADOW=%s BUILD=build bin/build/package %s %s"):format(quote(shadow or ""), quote(rules), path))
    local bytes = system.read(path)
    os.remove(path)
    return bytes
  end

  it("makes the zip of make package, byte for byte", function()
    local status, said = package("mine.lua --from old.zip -o new.zip")
    assert.equal(0, status, said)
    assert.matches("^    queues that the script names were not checked: PIGEON_QUEUE is not set; %-%-queues [^\n]*\n"
      .. "new%.zip: %d+ bytes, the program of old%.zip %(pigeon %d+%.%d+%.%d+%), rules%.lua is mine%.lua\n$", said)
    assert.equal("candidate.lua\nmine.lua\nnew.zip\nold.zip\n", names())
    assert.is_true(made("rules/antenna.lua") == system.read(folder .. "/new.zip"))
  end)

  it("leaves nothing behind after ^C", function()
    os.execute("mkdir " .. quote(folder .. "/bin"))
    system.write(folder .. "/bin/zip", "#!/bin/sh\ntouch " .. quote(folder .. "/started") .. "\nsleep 100\n")
    os.execute(("chmod 755 %s/bin/zip; cd %s && PATH=%s/bin:$PATH setsid %s/build/bootstrap package "
      .. "mine.lua --from old.zip -o new.zip >said 2>&1 & echo $! >%s/pid"):format(quote(folder), quote(folder),
      quote(folder), quote(here), quote(folder)))
    local waited = os.execute(("cd %s; for i in $(seq 600); do [ -e started ] && exit 0; sleep 0.1; done; exit 1")
      :format(quote(folder)))
    assert.is_true(waited)
    assert.matches("%.pigeon%-package%.", names())
    local ended = os.execute(("cd %s; pid=$(cat pid); kill -INT -$pid; for i in $(seq 600); do "
      .. "[ -s said ] && exit 0; sleep 0.1; done; kill -9 -$pid; exit 1"):format(quote(folder)))
    assert.is_true(ended)
    assert.equal("bin\ncandidate.lua\nmine.lua\nold.zip\npid\nsaid\nstarted\n", names())
    assert.equal("pigeon package: stopped by a signal; made no zip\n", system.read(folder .. "/said"))
  end)

  it("does so whatever the folder, the time zone, the umask and zip's own variable", function()
    local status, said = package("mine.lua --from old.zip -o new.zip",
      "umask 077 && env TZ=Asia/Tokyo LC_ALL=C.UTF-8 ZIPOPT=-1 " .. here .. "/build/bootstrap")
    assert.equal(0, status, said)
    assert.is_true(made("rules/antenna.lua") == system.read(folder .. "/new.zip"))
  end)

  it("adds a script to try in shadow, and leaves it out again", function()
    local status, said = package("mine.lua --shadow candidate.lua --from old.zip -o both.zip")
    assert.equal(0, status, said)
    assert.is_true(made("rules/antenna.lua", folder .. "/candidate.lua") == system.read(folder .. "/both.zip"))
    status, said = package("mine.lua --from both.zip -o one.zip")
    assert.equal(0, status, said)
    assert.matches("\nwithout candidate.lua, which was in both.zip\n$", said)
    assert.is_true(made("rules/antenna.lua") == system.read(folder .. "/one.zip"))
  end)

  it("keeps every other file of the zip", function()
    system.run(("cd %s && mkdir papers && echo CA >ca.pem && echo L >'papers/a b.txt' && zip -qr old.zip papers ca.pem")
      :format(folder))
    local status, said = package("mine.lua --from old.zip -o new.zip")
    assert.equal(0, status, said)
    assert.equal("bootstrap\nrules.lua\nLICENSES\nsbom.cdx.json\npapers/a b.txt\nca.pem\n",
      system.run(("unzip -Z1 %s/new.zip"):format(folder)))
    assert.equal("CA\n", system.run(("unzip -p %s/new.zip ca.pem"):format(folder)))
  end)

  it("needs no zip but its own, where it was unpacked", function()
    local status, said = package("mine.lua -o new.zip", old .. "/bootstrap")
    assert.equal(0, status, said)
    assert.is_true(made("rules/antenna.lua") == system.read(folder .. "/new.zip"))
  end)

  it("takes no program that was unpacked alone: its zip would lack the rest", function()
    system.run(("cd %s && mkdir alone && unzip -q old.zip bootstrap rules.lua -d alone"):format(folder))
    local status, said = package("mine.lua -o new.zip", folder .. "/alone/bootstrap")
    assert.equal(1, status)
    assert.matches("%-%-from OLD.zip is missing, and there is no LICENSES beside [^\n]*/alone/bootstrap", said)
    assert.equal("", system.run(("ls %s | grep '^new' || true"):format(folder)))
  end)

  it("is done so in the image of deploy/Containerfile, and check and test, by the lines of rules/README.md", function()
    -- As in the image: the program and its zip in one folder, the rules in another beside it.
    system.run(("cd %s && mkdir pigeon rules && unzip -q old.zip bootstrap -d pigeon && mv old.zip pigeon/pigeon.zip")
      :format(folder))
    system.write(folder .. "/rules/rules.lua", system.read("rules/antenna.lua"))
    local function image(words)
      local path = os.tmpname()
      local _, _, status = os.execute(("unset PIGEON_QUEUE; export SOURCE_DATE_EPOCH=0; cd %s/rules && "
        .. "../pigeon/bootstrap %s >%s 2>&1"):format(
        folder, words:gsub("/pigeon/", "../pigeon/"), path))
      local said = system.read(path)
      os.remove(path)
      assert.equal(0, status, said)
      return said
    end
    image("test --init .")
    local lines = {}
    for words in system.read("rules/README.md"):gmatch('\n    docker run %-%-rm %-v "${PWD}:/rules" pigeon ([^\n]*)') do
      lines[#lines + 1] = image(words)
    end
    assert.matches("^pigeon check: [^\n]*\nrules%.lua: %d+ objects decided, nothing found\n$", lines[1])
    assert.matches("3 successes", lines[2])
    assert.matches("new.zip: %d+ bytes, the program of ../pigeon/pigeon.zip %(pigeon [%d.]+%), "
      .. "rules.lua is rules.lua\n$", lines[3])
    assert.is_true(made("rules/antenna.lua") == system.read(folder .. "/rules/new.zip"))
  end)

  it("by make package FROM= builds nothing, and runs the zip's own program", function()
    local status, said = package("", ("env BUILD=nosuch FROM=old.zip sh -c '%s/bin/build/package mine.lua new.zip'")
      :format(here))
    assert.equal(0, status, said)
    assert.matches("the program of old.zip", said)
    assert.is_true(made("rules/antenna.lua") == system.read(folder .. "/new.zip"))
    said = system.run("env -u MAKEFLAGS -u MAKELEVEL make -n package BUILD=nosuch FROM=old.zip")
    assert.matches('^[^\n]*FROM="old.zip" [^\n]*bin/build/package "rules/rules.lua"\n$', said)
  end)

  it("has the check print warnings, and be strict where the function's queues are named", function()
    system.write(folder .. "/mine.lua", [[
return function(object)
  local id, unused = crash_id(object.key), 1
  return id and accept(id, { "nightly" }) or ignore("not a crash id")
end
]])
    local status, said = package("mine.lua --from old.zip -o new.zip")
    assert.equal(0, status, said)
    assert.matches('\n    mine.lua:2: warning: nothing reads the local "unused"[^\n]*\nnew%.zip: %d+ bytes', said)
    local nightly = ':3: warning: PIGEON_QUEUE has no queue "nightly": it has normal, submitter\n'
    for _, how in ipairs {
      { "mine.lua --from old.zip -o strict.zip --queues normal,15:submitter" },
      { "mine.lua --from old.zip -o strict.zip",
        "env PIGEON_QUEUE=normal,15:submitter " .. here .. "/build/bootstrap" },
      { "mine.lua --from old.zip -o strict.zip --queues normal,15:submitter",
        "env PIGEON_QUEUE=nightly " .. here .. "/build/bootstrap" },
      { "", ("env PIGEON_QUEUE=normal,15:submitter FROM=old.zip sh -c '%s/bin/build/package mine.lua strict.zip'")
        :format(here) },
      { "", ("env QUEUES=normal,15:submitter FROM=old.zip sh -c '%s/bin/build/package mine.lua strict.zip'")
        :format(here) },
    } do
      status, said = package(table.unpack(how))
      assert.equal(1, status, said)
      assert.matches(nightly, said, 1, true)
      assert.matches("made no zip; fix [^\n]* first %(the queues are normal,15:submitter%)\n", said)
      assert.is_nil(said:find("is not set", 1, true))
      assert.equal("candidate.lua\nmine.lua\nnew.zip\nold.zip\n", names())
    end
  end)

  describe("makes nothing, leaves nothing, and says why:", function()
    -- Fails with these words, and what is in the folder stays.
    local function refuses(words, arguments, program, status_of_it)
      local before = names()
      local status, said = package(arguments, program)
      assert.equal(status_of_it or 1, status, said)
      assert.matches(words, said, 1, true)
      assert.equal(before, names())
    end

    for what, case in pairs {
      ["no script"] = { "RULES is missing", "--from old.zip -o new.zip", 2 },
      ["no zip to make"] = { "-o NEW.zip is missing", "mine.lua --from old.zip", 2 },
      ["an option that there is not"] = { "unknown option: --form", "mine.lua --form old.zip -o new.zip", 2 },
      ["an option without a value"] = { "-o has no value", "mine.lua --from old.zip -o", 2 },
      ["two scripts"] = { "one script too many: candidate.lua", "mine.lua candidate.lua --from old.zip -o n.zip", 2 },
      ["a script that is not there"] = {
        "RULES is nosuch.lua; there is no such file that can be read. The one in a zip: unzip OLD.zip rules.lua",
        "nosuch.lua --from old.zip -o new.zip" },
      ["a folder"] = { "RULES is ., a folder; name the script in it", ". --from old.zip -o new.zip" },
      ["a shadow script named rules.lua"] = { "in the zip it needs another name than rules.lua",
        "mine.lua --shadow ./sub/rules.lua --from old.zip -o new.zip" },
      ["an old zip that is not there"] = { "--from is nosuch.zip; there is no such file: it is the zip",
        "mine.lua --from nosuch.zip -o new.zip" },
      ["what is not a zip"] = { "mine.lua is not a zip, or it is damaged", "mine.lua --from mine.lua -o new.zip" },
      ["a zip that is there already"] = { "old.zip exists; remove it, or name another zip",
        "mine.lua --from old.zip -o old.zip" },
      ["a folder that is not there"] = { "nosuch/new.zip: mktemp: ", "mine.lua --from old.zip -o nosuch/new.zip" },
      ["a program that was not unpacked from a zip"] = { "--from OLD.zip is missing, and there is no rules.lua beside",
        "mine.lua -o new.zip" },
    } do
      it(what, function()
        system.run(("mkdir %s/sub && cp rules/rules.lua %s/sub"):format(folder, folder))
        refuses(case[1], case[2], nil, case[3])
      end)
    end

    it("a zip without a program", function()
      system.run(("cd %s && zip -q other.zip mine.lua"):format(folder))
      refuses("other.zip has no file bootstrap", "mine.lua --from other.zip -o new.zip")
    end)

    it("a zip with another program", function()
      system.run(("cd %s && printf '#!/bin/sh\\necho hello \"$1\"\\n' >bootstrap && chmod 755 bootstrap && "
        .. "zip -q other.zip bootstrap && rm bootstrap"):format(folder))
      refuses("the program of other.zip is not Pigeon, so it cannot check the rules: its --version is "
        .. '"hello --version"; take the zip that was deployed', "mine.lua --from other.zip -o new.zip")
    end)

    it("a script, or a shadow script, with a finding", function()
      system.write(folder .. "/bad.lua", "\nreturn function(object) return acept(object.key, {}) end\n")
      refuses("made no zip; fix bad.lua first\n", "bad.lua --from old.zip -o new.zip")
      refuses('bad.lua:2: there is no word "acept"', "mine.lua --shadow bad.lua --from old.zip -o new.zip")
    end)

    it("a program for another processor", function()
      local here_is = system.run("uname -m"):gsub("\n", "")
      local byte, name = "267", "arm64"
      if here_is == "aarch64" then byte, name = "076", "x86_64" end
      system.run(([[cd %s && cp %s/bootstrap . && printf '\%s' | dd of=bootstrap bs=1 seek=18 conv=notrunc 2>&1 &&
        zip -q other.zip bootstrap && rm bootstrap]]):format(folder, old, byte))
      refuses(("the program of other.zip is for %s and does not run on this machine (%s), so it cannot check"):format(
        name, here_is), "mine.lua --from other.zip -o new.zip")
    end)

    -- Runs it with a program `zip` that is this script.
    local function with_zip(script)
      local programs = folder .. "/programs"
      os.execute("mkdir " .. quote(programs))
      system.write(programs .. "/zip", script)
      os.execute("chmod +x " .. quote(programs .. "/zip"))
      return ("PATH=%s:$PATH %s/build/bootstrap"):format(quote(programs), here)
    end

    it("a disk that is full", function()
      refuses("zip I/O error: No space left on device", "mine.lua --from old.zip -o new.zip",
        with_zip("#!/bin/sh\nfor last in \"$@\"; do case $last in *.zip) echo half >\"$last\" ;; esac; done\n"
          .. "echo 'zip I/O error: No space left on device'\nexit 14\n"))
    end)

    it("a zip that came out damaged", function()
      refuses("the new zip: ", "mine.lua --from old.zip -o new.zip",
        with_zip("#!/bin/sh\nfor last in \"$@\"; do case $last in *.zip) echo half >\"$last\" ;; esac; done\n"))
    end)

    it("a machine without zip", function()
      local programs = system.run("mktemp -d"):gsub("\n", "")
      system.run(("cd %s && for name in sh env unzip mktemp dirname rm; do ln -s $(command -v $name) $name; done")
        :format(programs))
      refuses("the program zip is not installed; apt-get install zip (Amazon Linux: dnf install zip)",
        "mine.lua --from old.zip -o new.zip", ("PATH=%s %s/build/bootstrap"):format(programs, here))
      os.execute("rm -rf " .. quote(programs))
    end)
  end)
end)

describe("the rules' specs", function()
  it("run by busted alone, where nothing is built", function()
    local copy = system.run("mktemp -d"):gsub("\n", "")
    system.run("cp -r .busted lua rules spec " .. quote(copy))
    local said = system.run(('cd %s && env -i PATH="$PATH" HOME=/nonexistent busted --output TAP spec/rules')
      :format(copy))
    assert.matches("ok 1 ", said)
    assert.is_nil(said:find("not ok", 1, true))
    os.execute("rm -rf " .. quote(copy))
  end)
end)
