--- pigeon diff --html and pigeon simulate --html: the file, and what a browser makes of it.
local chromium = require "spec.support.chromium"
local system = require "spec.support.system"

local quote = system.quote
local PIGEON = ('env -i PATH="$PATH" PIGEON_QUEUE=normal,15:submitter %s '):format(system.build .. "/bootstrap")
local DIFF = "diff rules/bucket.lua rules/antenna.lua"
local HOSTILE = "\u{202E}\u{2066}\u{200B}<script>parent.hacked=1</script><img src=x onerror=parent.hacked=1>"
local SHOWN = "\\u{202E}\\u{2066}\\u{200B}<script>parent.hacked=1</script><img src=x onerror=parent.hacked=1>"
local ID = "00007bd0-2d1c-4865-af09-80bc00180313"

local folder, page

before_each(function()
  folder = system.run("mktemp -d"):gsub("\n", "")
  page = folder .. "/page.html"
end)
after_each(function() os.execute("rm -rf " .. quote(folder)) end)

-- Runs it in a shell, where `before` comes first: status, stdout, stderr.
local function run(arguments, before)
  local _, _, status = os.execute(("%s %s%s >%s/out 2>%s/err"):format(before or "", PIGEON, arguments, folder, folder))
  return status, system.read(folder .. "/out"), system.read(folder .. "/err")
end

local function write(name, text)
  system.write(folder .. "/" .. name, text)
  return quote(folder .. "/" .. name)
end

local function files()
  return system.run("ls -A " .. quote(folder)):gsub("\n", " ")
end

-- rules.lua with 0 for accept.
local function changed()
  return write("new.lua", (system.read("rules/rules.lua"):gsub('%["0"%] = "defer"', '["0"] = "accept"')))
end

local function simulate(keys, more)
  return ("simulate --rules rules/rules.lua --against %s --html %s %s <%s"):format(changed(), quote(page), more or "",
    write("keys", keys))
end

-- ------------------------------------------------------------------------ the file

describe("--html FILE", function()
  it("writes the same bytes for the same input, and the report says where", function()
    local status, said, complained = run(DIFF .. " --html " .. quote(page))
    assert.are.same({ 1, "" }, { status, complained })
    assert.matches("\npage: " .. page:gsub("%p", "%%%0") .. "\n$", said)
    local first = system.read(page)
    assert.matches("^<!DOCTYPE html>\n.*</html>\n$", first)
    run(DIFF .. " --html " .. quote(page))
    assert.are.equal(first, system.read(page))
    assert.are.equal("err out page.html ", files())
  end)

  it("leaves the rest of the report as it is, and JSON is JSON", function()
    for _, arguments in ipairs { DIFF, DIFF .. " --json" } do
      local _, without = run(arguments)
      local _, with = run(arguments .. " --html " .. quote(page))
      assert.are.equal(without, (with:gsub("page: [^\n]*\n$", "")))
      assert.are.equal(arguments == DIFF, without ~= with)
    end
  end)

  it("has a new file's mode by umask, and keeps that of an old one and a link", function()
    run(DIFF .. " --html " .. quote(page), "umask 027;")
    assert.are.equal("640\n", system.run("stat -c %a " .. quote(page)))
    system.run(("chmod 604 %s; ln -s page.html %s"):format(quote(page), quote(folder .. "/link.html")))
    run("diff rules/rules.lua rules/rules.lua --html " .. quote(folder .. "/link.html"))
    assert.are.equal("604\n", system.run("stat -c %a " .. quote(page)))
    assert.matches("No difference", system.read(page))
    assert.are.equal("page.html\n", system.run("readlink " .. quote(folder .. "/link.html")))
  end)


  local function refuses(what, status, said)
    assert.are.equal(status, said:match("status (%d)"), said)
    assert.matches(what, said, 1, true)
  end

  -- Runs it where no file may be longer than 2 KB: status and all that it says.
  local function run_full(arguments)
    return system.run(("(trap '' XFSZ; ulimit -f 4; %s%s 2>&1; echo status $?) | cat"):format(PIGEON, arguments))
  end

  it("is an error where the disk is full: the old page stays, and nothing else", function()
    system.write(page, "the old one")
    refuses("pigeon diff: --html " .. page .. ": the page could not be written: File too large\n", "2",
      run_full(DIFF .. " --html " .. quote(page)))
    local said = run_full(simulate("v2/raw_crash/000/20180313/" .. ID .. "\n"))
    refuses("pigeon simulate: --html " .. page .. ": the page could not be written: File too large\n", "1", said)
    assert.matches("^[^\n]*\n[^\n]*\n1 objects, by verdict", said) -- the report is there
    assert.is_nil(said:find("page: ", 1, true))
    assert.are.equal("the old one", system.read(page))
    assert.are.equal("keys new.lua page.html ", files())
  end)

  -- Runs it as somebody who is not root.
  local function run_as_nobody(arguments)
    local somebody = system.run("id -u") == "0\n" and "setpriv --reuid 65534 --regid 65534 --clear-groups" or ""
    system.run(("cp %s rules/rules.lua %s"):format(system.build .. "/bootstrap", quote(folder)))
    return system.run(("cd %s && { %s ./bootstrap diff rules.lua rules.lua --html %s 2>&1; echo status $?; }")
      :format(quote(folder), somebody, arguments))
  end

  it("is an error before any work where the file or its folder is read only", function()
    system.write(page, "the old one")
    system.run(("chmod 444 %s; chmod 777 %s"):format(quote(page), quote(folder)))
    refuses("pigeon diff: --html page.html: Permission denied\n\nUsage: ", "2", run_as_nobody("page.html"))
    system.run(("chmod 555 %s"):format(quote(folder)))
    refuses("pigeon diff: --html new.html: no file can be made in its folder: Permission denied\n", "2",
      run_as_nobody("new.html"))
    system.run(("chmod 755 %s"):format(quote(folder)))
    assert.are.equal("the old one", system.read(page))
    assert.are.equal("bootstrap page.html rules.lua ", files())
  end)

  it("takes only what is a file, by a name that ends in .html", function()
    system.run("mkdir " .. quote(page))
    local status, _, complained = run(DIFF .. " --html " .. quote(page))
    assert.are.equal(2, status)
    assert.matches(page .. ": is not a file that can be replaced\n\n", complained, 1, true)
    complained = select(3, run(DIFF .. " --html rules/antenna.lua"))
    assert.matches("pigeon diff: --html is rules/antenna.lua, but must be a file's name that ends in .html\n",
      complained, 1, true)
  end)

  it("is not written where the list was not read", function()
    local status, _, complained = run(simulate("\x1F\x8B"))
    assert.are.equal(1, status)
    assert.matches("; no page was written\n$", complained)
    assert.are.equal("err keys new.lua out ", files())
  end)
end)

-- ------------------------------------------------------------------------ the browser

describe("the browser of these specs", function()
  it("sees what is wrong with a page", function()
    local seen = chromium.look("<!DOCTYPE html><p style='width:500px;color:#888' onclick='1'>x<table></table>"
      .. "<th><script>console.error('no');parent.hacked=1;throw 1</script><p style='color:#888'>text", 400)
    assert.are.equal(2, #seen.console)
    assert.is_true(seen.scroll > seen.client and seen.right > 400 and seen.contrast < 4 and seen.hacked)
    assert.are.same({ 1, 1, 0, 1 }, { seen.active, seen.handlers, seen.captions, seen.tables })
    system.write(page, "<!DOCTYPE html><script>console.error('no')</script>")
    assert.are.equal(1, #chromium.console(page))
  end)
end)

-- The page of the last run, at both widths, light and dark.
local function look_at(bytes)
  local views = {}
  for i = 1, 4 do
    local width, dark = i <= 2 and 400 or 1400, i % 2 == 0
    local seen = chromium.look(bytes, width, dark)
    assert.are.same({}, seen.console)
    assert.are.equal(seen.client, seen.scroll, width)
    assert.is_true(seen.right <= seen.client, width)
    assert.is_true(seen.contrast >= 4.5, seen.contrast)
    assert.are.equal(dark, seen.paper[1] < 50)
    views[i] = seen
  end
  return views
end

-- For screen readers, and against scripts.
local function assert_plain(seen)
  assert.are.equal("en", seen.language)
  assert.are.same({ 1, 2, 2, 2 }, seen.headings)
  assert.are.same({ seen.tables, 0, 0, 0, false },
    { seen.captions, seen.unscoped, seen.active, seen.handlers, seen.hacked })
  assert.is_true(seen.hidden)
end

describe("the page", function()
  it("of pigeon diff shows both scripts, each kind of change and the lines", function()
    assert.are.equal(1, (run(DIFF .. " --html " .. quote(page))))
    local seen = look_at(system.read(page))[4]
    assert_plain(seen)
    assert.matches("^pigeon diff: [%d,]+ of [%d,]+ objects change, in %d+ kinds$", seen.title)
    for _, words in ipairs { "old: bucket.lua", "new: antenna.lua", "not one of our buckets", "(usually crashes)",
      "lines removed", "return function(object)", "it proves nothing about any other" } do
      assert.matches(words, seen.text, 1, true)
    end
    assert.are.same({}, chromium.console(page))
  end)

  it("opens its details on paper", function()
    run(DIFF .. " --html " .. quote(page))
    local closed = folder .. "/closed.html"
    system.write(closed, (system.read(page):gsub("details:not%(%[open%]%)::details%-content", "details.none")))
    assert.is_true(chromium.print(page) > chromium.print(closed) + 3)
  end)

  it("of a million keys has bars on one scale", function()
    local _, _, status = os.execute(([[awk 'BEGIN { for (i = 0; i < 1000000; i++)
      printf "v2/raw_crash/%%03x/20180313/%%08x-2d1c-4865-af09-80bc0%%d180313\n", i %% 4096, i, i %% 4 }' |
      %ssimulate --rules rules/rules.lua --against %s --html %s >%s/out]])
      :format(PIGEON, changed(), quote(page), folder))
    assert.are.equal(0, status)
    local views = look_at(system.read(page))
    for i, seen in ipairs(views) do
      assert_plain(seen)
      assert.matches("250,000 of 1,000,000 objects would change", seen.text, 1, true)
      local accept_old, accept_new, defer_old, defer_new = table.unpack(seen.bars)
      assert.is_true(accept_old > (i > 2 and 100 or 20))
      assert.are.same({ accept_old, 0 }, { defer_old, defer_new })
      assert.is_true(math.abs(accept_new - 2 * accept_old) <= 2)
    end
    assert.are.same({}, chromium.console(page))
  end)

  it("shows hostile keys as they are, and runs nothing", function()
    local keys = { HOSTILE .. "/" .. ID, ("\u{5D0}"):rep(480) .. "/1/" .. ID, ("W"):rep(974) .. "/" .. ID,
      ("&lt;'\""):rep(140) .. "/" .. ID, "\u{E0041}\u{FEFF}" .. ("\u{FFFD}"):rep(300) .. "/" .. ID,
      ("\xFF"):rep(1024), "\1\2" .. ID }
    for i = 1, 5 do keys[i] = "v2/raw_crash/" .. keys[i] end
    assert.are.equal(1, (run(simulate(table.concat(keys, "\n") .. "\n", "--examples 9"))))
    local seen = look_at(system.read(page))[1]
    assert_plain(seen)
    assert.matches(SHOWN, seen.text, 1, true)
    assert.matches(keys[2], seen.text, 1, true)
    assert.matches(keys[3], seen.text, 1, true)
    assert.matches(keys[4], seen.text, 1, true)
    assert.matches("\\u{E0041}\\u{FEFF}\u{FFFD}", seen.text, 1, true)
    assert.is_nil(seen.text:find("\u{202E}", 1, true))
  end)

  it("shows hostile scripts and their names as they are", function()
    local new = write("<b>new.lua", ("-- %s\nreturn function() return ignore(%q) end\n"):format(
      HOSTILE .. "\xFF\r", HOSTILE:sub(1, 190)))
    assert.are.equal(1, (run(("diff rules/rules.lua %s --html %s"):format(new, quote(page)))))
    local seen = look_at(system.read(page))[1]
    assert_plain(seen)
    assert.matches("<b>new.lua", seen.text, 1, true)
    assert.matches("-- " .. SHOWN .. "\\xFF\\r", seen.text, 1, true)
  end)
end)
