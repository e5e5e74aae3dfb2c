--- bin/pigeon COMMAND: what people run on their desk.
local cjson = require "cjson"
local system = require "spec.support.system"

local quote = system.quote
local PIGEON = system.build .. "/bootstrap "
local KEY = "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313"

-- Runs the program without a configuration but these variables, at a time when its libraries were new: status,
-- stdout (or where it goes), stderr.
local function run(arguments, env, to)
  local out, err, words = os.tmpname(), os.tmpname(), {}
  for name, value in pairs(env or { PIGEON_QUEUE = "normal" }) do
    words[#words + 1] = name .. "=" .. quote(value)
  end
  local _, _, status = os.execute(("env -i PATH=\"$PATH\" SOURCE_DATE_EPOCH=0 %s %s%s >%s 2>%s"):format(
    table.concat(words, " "), PIGEON, arguments, to or out, err))
  local said, complained = system.read(out), system.read(err)
  os.remove(out)
  os.remove(err)
  return status, said, complained
end

local function file_of(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

local function json_lines(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = cjson.decode(line) end
  return lines
end

describe("pigeon", function()
  it("says on one screen what it can", function()
    local status, said = run("--help")
    assert.are.equal(0, status)
    assert.are.equal(said, select(2, run("--help explain")))
    local lines = select(2, said:gsub("\n", ""))
    assert.is_true(lines <= 24, lines .. " lines")
    for line in said:gmatch("[^\n]+") do
      assert.is_true(#line <= 80, line)
    end
  end)

  for _, command in ipairs { "explain", "check", "table", "diff", "simulate", "replay", "event", "test" } do
    it(command .. " says how it is used, wherever it is asked to", function()
      for _, arguments in ipairs { " --help", " --help x", " s3 --help", " --nonsense --help", " --rules --help" } do
        local status, said, complained = run(command .. arguments)
        assert.are.equal(0, status, arguments)
        assert.matches("^Usage: pigeon " .. command, said)
        assert.are.equal("", complained)
        for line in said:gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
      end
    end)
  end

  for _, arguments in ipairs {
    "explain --nonsense", "explain -h", "explain --rules", "explain --rules /nonsense k", "event", "event --nonsense",
    "nonsense", "test --nonsense", "test /nonsense_spec.lua", "check k", "replay k", "replay --rate 0",
    "replay --from x", "simulate k", "simulate --against /nonsense", "simulate --manifest /nonsense", "replay --ids",
    "table k", "table --rules /nonsense", "diff", "diff rules/rules.lua", "diff rules/rules.lua /nonsense",
    "diff rules/rules.lua rules", "diff --rules rules/rules.lua rules/rules.lua",
    "simulate --html", "simulate --html -", "simulate --html new.lua", "simulate --html .html", "table --html t.html",
    "simulate --html /nonsense/page.html", "diff rules/rules.lua rules/rules.lua --html /nonsense/page.html",
  } do
    it(arguments .. " is misuse", function()
      local status, said, complained = run(arguments .. " </dev/null")
      assert.are.equal(2, status)
      assert.are.equal("", said)
      assert.matches("^pigeon[^\n]*: [^\n]+\n\nUsage: pigeon", complained)
    end)
  end

  for _, arguments in ipairs {
    "--help", "--version", "explain --help", "explain k", "check", "event s3 --key k", "simulate", "simulate --help",
    "replay --help", "test --help", "table", "diff rules/rules.lua rules/rules.lua",
  } do
    it(arguments .. " fails where the disk is full, and ends quietly where nobody reads on", function()
      local status, _, complained = run(arguments .. " </dev/null", nil, "/dev/full")
      assert.are.equal(arguments:find("^diff") and 2 or 1, status)
      assert.matches("^pigeon[%a ]*: the output could not be written completely: No space left on device\n$",
        complained)
      local out = os.tmpname()
      system.run(("{ sleep 0.3; PIGEON_QUEUE=normal %s %s </dev/null 2>%s; } | true"):format(PIGEON, arguments, out))
      assert.are.equal("", system.read(out))
      os.remove(out)
    end)
  end

  -- Lua hashes with a seed of its own in each process, so what is listed by pairs() differs.
  it("writes the same bytes in every process", function()
    local keys = file_of((KEY .. "\nv2/dump/x\n" .. KEY .. "/\n" .. KEY:gsub("1(%d+)$", "0%1") .. "\n"
      .. KEY:gsub("1(%d+)$", "7%1") .. "\n"):rep(3))
    local right = "spec/fixtures/right/rules.lua"
    local changed = file_of((system.read(right):gsub('"not ', '"no '):gsub('"deferred', '"put off')))
    -- names that are not there, and state that grows
    local faulty = file_of("local a, b, c, d = {}, {}, {}, {}\nreturn function(object)\n"
      .. "a[#a + 1], b[object.key], c[object], d[#d + 1] = 1, 2, 3, 4\n"
      .. "if object.kee or object.sise or object.buket then return ignore(object.tine) end\n"
      .. "return accept(object.key, { 'nromal', 'submiter', 'ab' })\nend\n")
    for _, words in ipairs {
      "check " .. faulty, "table --rules rules/bucket.lua",
      "diff rules/bucket.lua " .. right, "explain --trace --rules rules/bucket.lua " .. KEY,
      "simulate --rules " .. right .. " --against " .. changed .. " <" .. keys,
    } do
      for _, arguments in ipairs { words:gsub("^%l+", "%0 --json"), words } do
        local queues = { PIGEON_QUEUE = "normal,15:submitter,0:a,100:b,50:c" }
        local status, first = run(arguments, queues)
        assert.is_true(#first > 100 and status < 2, arguments .. first)
        for _ = 1, 4 do assert.are.equal(first, select(2, run(arguments, queues)), arguments) end
      end
    end
    for _, path in ipairs { keys, changed, faulty } do os.remove(path) end
  end)

  for _, words in ipairs { "check --rules /nonsense", "simulate --against /nonsense" } do
    it(words .. " says which file, and why not", function()
      local _, _, complained = run(words .. " </dev/null")
      assert.matches("^pigeon %a+: %-%-%a+ /nonsense: No such file or directory\n", complained)
    end)
  end

  for _, words in ipairs { "explain --rules rules k", "simulate --against rules", "check --rules /tmp" } do
    it(words .. " says that it is a folder", function()
      local status, _, complained = run(words .. " </dev/null")
      assert.are.equal(2, status)
      assert.matches("^pigeon %a+: %-%-%a+ [/%a]+ is a folder; name the script in it\n\nUsage: ", complained)
    end)
  end

  it("says what is not a script, and speaks of no handler", function()
    local status, said, complained = run(("explain --rules %s k"):format(PIGEON))
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.are.equal(("pigeon explain: %sis a program, not a Lua script\n"):format(PIGEON), complained)
    local rules = file_of(("-"):rep(2 << 20))
    complained = select(3, run(("explain --rules %s k"):format(rules)))
    os.remove(rules)
    assert.matches("^pigeon explain: " .. rules .. ": longer than ", complained)
    assert.is_nil(complained:find("handler", 1, true))
  end)
end)

describe("pigeon explain", function()
  it("explains keys by the repository's rules, and assumes a queue", function()
    local status, said, complained = run("explain " .. KEY .. " junk", {})
    assert.are.equal(0, status)
    assert.matches("\n  accept 00007bd0%-[^\n]* %(rules%.lua:%d+%)\n  normal  sample ", said)
    assert.matches("\njunk\n  ignore: not a raw crash  %(rules%.lua:%d+%)\n$", said)
    assert.matches("PIGEON_QUEUE is not set", complained)
    local _, _, silence = run("explain " .. KEY)
    assert.are.equal("", silence)
  end)

  it("takes what was typed for keys, whatever they look like", function()
    local keys = { '{"Records":[]}', '["a"]', '"crashes","a"', "a\nb", "--json" }
    local words = {}
    for i, key in ipairs(keys) do words[i] = quote(key) end
    local status, said = run("explain --json -- " .. table.concat(words, " "))
    assert.are.equal(0, status)
    local told = {}
    for i, explained in ipairs(json_lines(said)) do told[i] = explained.key end
    keys[4] = "a b" -- shown on one line
    assert.are.same(keys, told)
  end)

  it("says what is missing where there is no key, and nothing on stdin", function()
    local status, said, complained = run("explain --trace </dev/null")
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.are.equal("pigeon explain: stdin is empty; name a key, or give an event\n", complained)
  end)

  it("explains an event, and what fails has status 1", function()
    local rules = file_of("return function(object) return ignore(object.reason) end")
    local status, said = run(("event sqs --key a | %s explain --rules %s"):format(PIGEON, rules))
    assert.are.equal(1, status)
    assert.matches('^a\n  fail: an object has no "reason": did you mean region%?  %(lua_%w+:1%)\n$', said)
    os.remove(rules)
  end)

  it("says on stderr what only the watchdog can end", function()
    local rules = file_of(
      'return function(object) return ignore(object.key:match("^(.-)/(.-)/(.-)/(.-)/([^/]+)$")) end')
    local status, said, complained = run(("explain --json --rules %s %s"):format(rules, ("/"):rep(1024)))
    os.remove(rules)
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.matches('^pigeon explain: lua_%w+:1 kept the processor for 1 s at key "////+": a pattern with '
      .. "several `%.%-` or `%.%*`%? anchor it; a text that grows in a loop%? use table.concat\n$", complained)
  end)

  it("takes the rules beside the program first", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    system.run(("cp %sbootstrap %s && cp rules/antenna.lua %s/rules.lua"):format(system.build .. "/", folder, folder))
    local said = system.run(("%s/bootstrap explain --json %s 2>/dev/null"):format(folder, KEY))
    assert.are.equal("defer", cjson.decode(said).verdict)
    os.execute("rm -rf " .. quote(folder))
  end)

  it("says what is wrong with the rules or a setting, and decides nothing", function()
    local rules = file_of("\nreturn funktion() end")
    local status, said, complained = run("explain k --rules " .. rules)
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.matches("^pigeon explain: lua_%w+:2: ", complained)
    os.remove(rules)
    status, said, complained = run("explain k", { PIGEON_QUEUE = "a,,b" })
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.matches('PIGEON_QUEUE: entry 2 of "a,,b" is empty', complained)
  end)
end)

describe("pigeon simulate", function()
  -- 2,500 lines: keys, then rows of an inventory, then an event of two objects.
  local function list()
    local lines = {}
    for i = 1, 1500 do lines[i] = system.key(system.id(i)) end
    for i = 1501, 2499 do lines[i] = ('"crashes","%s","","true"'):format(system.key(system.id(i))) end
    local event = system.run(PIGEON .. "event s3 --key x --key " .. system.key(system.id(2500)))
    lines[2500] = event:gsub("\n", "")
    return file_of(table.concat(lines, "\n"))
  end

  it("counts keys, rows of an inventory and events, over several batches", function()
    local keys = list()
    local status, said, complained = run("simulate <" .. keys)
    assert.are.equal(0, status)
    assert.matches("^2501 objects, by verdict\n  accept +2500  99.96 %% #", said)
    assert.matches("\n  ignore: not a raw crash +1 ", said)
    assert.matches("\n  normal +2500 ", said)
    assert.are.equal("", complained) -- no terminal
    os.remove(keys)
  end)

  it("compares with another script", function()
    local keys = file_of(KEY)
    local status, said = run("simulate --against rules/antenna.lua <" .. keys)
    os.remove(keys)
    assert.are.equal(0, status)
    local old, new = system.run("sha256sum rules/rules.lua rules/antenna.lua"):match("^(%x+)[^\n]*\n(%x+)")
    assert.matches(("old: rules.lua (%s)\nnew: antenna.lua (%s)\n1 objects, by verdict "):format(
      old:sub(1, 12), new:sub(1, 12)), said, 1, true)
    assert.matches("\n1 of 1 would change\n  1  accept: normal  %->  defer: deferred by the collector\n", said)
  end)

  it("has status 1 where only the other script fails", function()
    local keys, rules = file_of(KEY), file_of("return function() error('no') end")
    local status, said = run(("simulate --against %s --examples 1 <%s"):format(rules, keys))
    assert.are.equal(1, status)
    assert.matches("\n  fail +0 +1 +%+1\n", said)
    os.remove(rules)
    status, said = run("simulate --against /dev/null <" .. keys)
    os.remove(keys)
    assert.are.equal(1, status)
    assert.are.equal("", said) -- it does not load: there is nothing to compare
  end)

  it("prints at SIGINT what was counted so far, and makes no page of that", function()
    local fifo, out = system.run("mktemp -u"):gsub("\n", ""), os.tmpname()
    system.run("mkfifo " .. fifo)
    local writer = assert(io.open(fifo, "r+"))
    for i = 1, 1000 do writer:write(system.key(system.id(i)), "\n") end
    writer:flush()
    local pid = system.run(("PIGEON_QUEUE=normal %s simulate --html %s.html >%s 2>&1 <%s & echo $!"):format(PIGEON, out,
      out, fifo))
    pid = pid:gsub("\n", "")
    system.wait("it to sleep, with a handler for SIGINT, after a batch", function()
      local about = system.read(("/proc/%s/status"):format(pid))
      return about:find("State:%s*S") and tonumber(about:match("SigCgt:%s*(%x+)"), 16) >> 1 & 1 == 1
        and system.read(("/proc/%s/io"):format(pid)):match("rchar: (%d+)") + 0 > 60000
    end)
    system.run("kill -INT " .. pid)
    system.wait("its end", function() return not os.execute(("test -e /proc/%s/exe"):format(pid)) end)
    writer:close()
    assert.matches("^1000 objects, by verdict\n  accept   1000 100.00 .*\n"
      .. "pigeon simulate: stopped by a signal; no page was written\n$", system.read(out))
    assert.is_nil(io.open(out .. ".html"))
    os.remove(fifo)
    os.remove(out)
  end)

  it("shows how far it is on a terminal", function()
    local keys = list()
    local command = ("PIGEON_QUEUE=normal %s simulate <%s >/dev/null"):format(PIGEON, keys)
    local said = system.run(("script -qec '%s' /dev/null"):format(command))
    assert.matches("%[#+ *%] +%d+ %%  1000 objects, %d+/s", said)
    os.remove(keys)
  end)

  it("says what the input lacks", function()
    local status, _, complained = run("simulate </")
    assert.are.equal(1, status)
    assert.matches("^pigeon simulate: stdin: Is a directory", complained)
  end)
end)

describe("pigeon check", function()
  it("needs no broker and finds nothing in what ships", function()
    for _, rules in ipairs { "rules.lua", "antenna.lua", "bucket.lua" } do
      local status, said = run("check --rules rules/" .. rules)
      assert.are.equal(0, status, said)
      assert.matches("^" .. rules:gsub("%p", "%%%0") .. ": %d+ objects decided, nothing found\n$", said)
    end
  end)

  describe("finds what only the watchdog can end", function()
    local rules
    after_each(function() os.remove(rules) end)

    it("in a decision, and decides all the other objects", function()
      rules = file_of([[
return function(object)
  local a, b = object.key:match("^(.-)/(.-)/(.-)/(.-)/([^/]+)$")
  if object.size > 5000 then return ignore("large") end
  return ignore(a or "x")
end
]])
      local status, said = run("check --rules " .. rules)
      assert.are.equal(1, status)
      assert.matches("^lua_%w+:2: warning: [^\n]*\n", said) -- of the text, first
      assert.matches("\nlua_%w+:2: kept the processor for 1 s: a pattern with several `%.%-` or `%.%*`%? anchor it; "
        .. "a text that grows in a loop%? use table.concat "
        .. '%(key "[^\n]*/////%.%.%."[^\n]*%)\n', said)
      assert.matches("\nlua_%w+:3: [^\n]*nil[^\n]* %(key [^\n]*\n", said)
      assert.matches("\nlua_%w+: %d+ objects decided, %d errors, %d warnings\n$", said)
      status, said = run("check --json --rules " .. rules)
      assert.are.equal(1, status)
      local findings, stopped = json_lines(said), nil
      for _, finding in ipairs(findings) do
        if finding.what and finding.what:find("^kept the processor for 1 s: ") then stopped = finding end
      end
      assert.are.same({ findings[1].file, 2, "error" }, { stopped.file, stopped.line, stopped.level })
      assert.are.equal(1024, #stopped.key)
      assert.are.equal(#findings - 1, findings[#findings].summary.findings)
    end)

    it("in a decision alone", function()
      rules = file_of('local SLOW = ("^(.-)/(.-)/(.-)/(.-)/([^/]+)$"):lower()\n' -- the text does not show it
        .. 'return function(object) return ignore(object.key:match(SLOW) and "a" or "b") end')
      local status, said = run("check --json --rules " .. rules)
      assert.are.equal(1, status)
      assert.matches('"what":"kept the processor for 1 s: ', said)
    end)

    it("while the rules load", function()
      rules = file_of('local long = "////////////////"\nlong = long:gsub("/", long):gsub("/", "////")\n'
        .. 'long:match("^(.-)/(.-)/(.-)/(.-)/([^/]+)$")')
      local status, said = run("check --rules " .. rules)
      assert.are.equal(1, status)
      assert.matches('^lua_%w+:3: kept the processor for 1 s: .* %(key "%(loading%)"%)\n$', said)
      status, said = run("check --json --rules " .. rules)
      assert.are.equal(1, status)
      assert.are.equal("(loading)", json_lines(said)[1].key)
    end)
  end)

  it("needs no other program", function()
    local status, said = run("check", { PIGEON_QUEUE = "normal", PATH = "/nonsense" })
    assert.are.equal(0, status)
    assert.matches("^rules%.lua: %d+ objects decided, nothing found\n$", said)
  end)

  it("counts warnings with --strict, and judges literal queues where PIGEON_QUEUE is set", function()
    local rules = file_of("return function(object)\n  return accept(object.key:sub(-36), { 'nightly' })\nend\n")
    local name = rules:match("[^/]*$")
    local key = "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313"
    local warning = name .. ':2: warning: PIGEON_QUEUE has no queue "nightly": it has normal\n'
    local status, said = run("check --rules " .. rules)
    assert.matches(warning, said, 1, true)
    assert.is_nil(said:find("error:", 1, true), key)
    local strict, also = run("check --strict --rules " .. rules)
    assert.matches(warning, also, 1, true)
    assert.are.equal(1, strict)
    local _, unjudged = run("check --strict --rules " .. rules, {})
    assert.is_nil(unjudged:find("nightly", 1, true))
    os.remove(rules)
    assert.is_true(status <= strict)
  end)

  it("finds misspelt variables, a shadow script that is missing and a bad PIGEON_TLS, without a host", function()
    local env = { PIGEON_QUEUE = "normal", PIGEON_TLS = "yes", PIGEON_QUEUS = "a", PIGEON_USERNAME = "b",
      PIGEON_FOO = "c", PIGEON_SHADOW_RULES = "nosuch.lua" }
    local status, said = run("check", env)
    assert.are.equal(1, status)
    assert.matches('^PIGEON_TLS: "yes" is neither "on" nor "off"\n'
      .. 'PIGEON_SHADOW_RULES is "nosuch.lua", and there is no [^\n]*/nosuch.lua to read; [^\n]*\n', said)
    for line in pairs {
      ["PIGEON_QUEUS is set, but Pigeon has no such variable: did you mean PIGEON_QUEUE?\n"] = true,
      ["PIGEON_USERNAME is set, but Pigeon has no such variable: did you mean PIGEON_USER?\n"] = true,
      ["warning: PIGEON_FOO is set, but Pigeon has no such variable: unset it;"] = true,
    } do
      assert.matches(line, said, 1, true)
    end
    assert.matches("4 errors, 1 warning\n$", said)
    env = { PIGEON_QUEUE = "normal", PIGEON_EXTENSION = "no" }
    status, said = run("check", env)
    assert.are.equal(1, status)
    assert.matches('^PIGEON_EXTENSION: "no" is neither "on" nor "off"\n', said)
    env = { PIGEON_QUEUE = "normal", PIGEON_TLS = "on", PIGEON_SHADOW_RULES = "bucket.lua" }
    assert.are.equal(0, (run("check", env)))
  end)

  it("takes a file of any name", function()
    local folder = system.run("mktemp -d"):gsub("\n", "")
    local program = system.run("readlink -f " .. PIGEON):gsub("\n", "")
    local name = "-a 'b' \"c\" $(exit 9).lua"
    system.write(folder .. "/" .. name, "return function() local unused return ignore('x') end\n")
    local pipe = io.popen(("cd %s && %s check --rules %s 2>/dev/null"):format(folder, program, quote(name)))
    assert.matches(name .. ':1: warning: nothing reads the local "unused"', pipe:read("L"), 1, true)
    pipe:close()
    os.execute("rm -rf " .. quote(folder))
  end)

  it("says to a program what is wrong with the rules", function()
    local rules = file_of("return function(object)\n  return nonsense nonsense\nend")
    local status, said = run("check --json --rules " .. rules)
    os.remove(rules)
    assert.are.equal(1, status)
    local finding = json_lines(said)[1]
    assert.are.equal(rules:match("[^/]*$"), finding.file)
    assert.are.equal(2, finding.line)
    assert.are.equal("`end` is missing for the `function` of line 1, before `nonsense`", finding.what)
  end)

  it("looks at the other variables where any is set", function()
    local status, said = run("check", { PIGEON_QUEUE = "normal", PIGEON_HOST = "h" })
    assert.are.equal(1, status)
    assert.matches("^missing or empty: PIGEON_PORT, PIGEON_VIRTUAL_HOST", said)
    local env = { PIGEON_HOST = "h:x", PIGEON_PORT = "5672", PIGEON_VIRTUAL_HOST = "/", PIGEON_USER = "u",
      PIGEON_PASSWORD = "p", PIGEON_QUEUE = "normal", PIGEON_AWS_REGION = "r" }
    status, said = run("check", env)
    assert.are.equal(1, status)
    assert.matches("^PIGEON_HOST", said)
    env.PIGEON_HOST, env.PIGEON_QUEUE = "h", "a,,b"
    status, said = run("check", env)
    assert.are.equal(1, status)
    assert.are.equal('PIGEON_QUEUE: entry 2 of "a,,b" is empty; name a queue there, or drop the comma\n', said)
    env.PIGEON_QUEUE = "normal"
    assert.are.equal(0, (run("check", env)))
    assert.are.equal(1, (run("check --connect")))
  end)
end)

describe("pigeon table and pigeon diff", function()
  it("say what the rules can do, in one screen", function()
    local status, said, complained = run("table", { PIGEON_QUEUE = "normal,15:submitter" })
    assert.are.equal(0, status)
    assert.are.equal("", complained)
    assert.matches("^rules%.lua %(%x+%): %d+ objects, made from its constants; %d+ outcomes\n", said)
    assert.matches("\n +%d+  accept: normal, submitter\n", said)
    assert.is_true(select(2, said:gsub("\n", "")) <= 24)
    status, said = run("table --json --rules rules/bucket.lua")
    assert.are.equal(0, status)
    local rows = json_lines(said)
    assert.are.equal(rows[#rows].summary.outcomes, #rows - 1)
    assert.are.equal("crashes", rows[1].example.bucket)
  end)

  it("have the status 0 without a difference, 1 with one, 2 where they cannot know", function()
    local status, said, complained = run("diff rules/rules.lua rules/rules.lua")
    assert.are.equal(0, status)
    assert.matches("^old: rules/rules%.lua %(%x+%)\nnew: rules/rules%.lua %(%x+%): the same script as old\n"
      .. "no difference in %d+ objects", said)
    assert.are.equal("", complained)
    status, said = run("diff rules/rules.lua rules/antenna.lua")
    assert.are.equal(1, status)
    assert.matches("\n +%d+  accept: normal %-> defer: deferred by the collector\n +v2/raw_crash/", said)
    local broken = file_of("return function(object) return end end")
    status, said, complained = run("diff rules/rules.lua " .. broken)
    assert.are.equal(2, status)
    assert.are.equal("", said)
    assert.matches("^pigeon diff: lua_%w+:1: ", complained)
    assert.are.equal(2, (run(("diff %s rules/rules.lua"):format(broken))))
    os.remove(broken)
  end)

  it("go on where a script has to be stopped, and name the script", function()
    local stalls = file_of('return function(object) return ignore(object.key:match("^(.-)/(.-)/(.-)/(.-)/([^/]+)$") '
      .. 'and "a" or "b") end')
    local status, said = run("table --rules " .. stalls)
    assert.are.equal(1, status)
    assert.matches("\n +%d  fail: lua_%w+:1: kept the processor for 1 s: [^/]*/////[^\n]*\n", said)
    status, said = run("diff rules/rules.lua " .. stalls)
    assert.are.equal(1, status)
    assert.matches("\n +%d  ignore: [^\n]* %-> fail: lua_%w+:1: kept the processor", said)
    os.remove(stalls)
  end)
end)

describe("pigeon replay", function()
  local env, keys
  before_each(function() env = system.vhost { "normal" } end)
  after_each(function()
    system.drop(env)
    os.remove(keys)
  end)

  local function list(from, to)
    local lines = {}
    for i = from, to do lines[#lines + 1] = system.key(system.id(i)) end
    keys = file_of(table.concat(lines, "\n") .. "\n")
    return keys
  end

  local function ids(from, to)
    local expected = {}
    for i = from, to do expected[#expected + 1] = system.id(i) end
    return expected
  end

  it("publishes every line, in their order, over several batches", function()
    local status, said, complained = run("replay <" .. list(1, 2300), env)
    assert.are.equal(0, status)
    local host, port, vhost = complained:match(
      "^pigeon replay: broker ([^,]+), port (%d+), virtual host ([^,]+), queues normal; rules %S+rules%.lua %(%x+%)\n$")
    assert.are.same({ env.PIGEON_HOST, env.PIGEON_PORT, env.PIGEON_VIRTUAL_HOST }, { host, port, vhost })
    assert.are.equal("published 2300 messages: 2300 objects accepted\ndeferred 0, ignored 0\n"
      .. "done up to object 2300 (line 2300); --from 2301 continues after it\n", said)
    assert.are.same(ids(1, 2300), system.consume(env, { "normal" }))
  end)

  it("goes on from an object, and publishes nothing on a dry run", function()
    assert.are.equal(0, (run("replay --from 8 --dry-run <" .. list(1, 10), env)))
    assert.are.equal(0, system.count(env, "normal"))
    local status, said = run("replay --from 8 <" .. keys, env)
    assert.are.equal(0, status)
    assert.matches("\ndone up to object 10 ", said)
    assert.are.same(ids(8, 10), system.consume(env, { "normal" }))
  end)

  it("keeps to a rate", function()
    local before = os.time()
    assert.are.equal(0, (run("replay --rate 2 <" .. list(1, 7), env)))
    assert.is_true(os.time() - before >= 3) -- 6 of them take 3 s, of a clock of whole seconds
    assert.are.equal(7, system.count(env, "normal"))
  end)

  it("stops at a missing queue, and without a broker", function()
    env.PIGEON_QUEUE = "nosuch"
    local status, said = run("replay <" .. list(1, 1500), env)
    assert.are.equal(1, status)
    assert.matches("^line 1 failed: [^\n]* returned at publish: 312 NO_ROUTE", said)
    assert.matches("\nno object is done\n$", said)
    assert.is_nil(said:find("line 1001 failed", 1, true))
    assert.matches("\npublished nothing\ndeferred 0, ignored 0\n", said)
    env.PIGEON_PORT = "1"
    status, said = run("replay <" .. keys, env)
    assert.are.equal(1, status)
    assert.matches("^line 1 failed: [^\n]* Connection refused", said)
  end)

  it("needs all of the configuration, on a dry run only the queues", function()
    list(1, 1)
    local status, said, complained = run("replay <" .. keys)
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.matches("^pigeon replay: missing or empty: PIGEON_HOST", complained)
    status, said, complained = run("replay --dry-run <" .. keys)
    assert.are.equal(0, status)
    assert.are.equal("would publish 1 messages: 1 objects accepted\ndeferred 0, ignored 0\n", said)
    assert.matches("^pigeon replay: a dry run; queues normal; rules [^ ]*rules%.lua %(%x+%)\n$", complained)
    status, said, complained = run("replay --dry-run <" .. keys, {})
    assert.are.equal(1, status)
    assert.are.equal("", said)
    assert.are.equal("pigeon replay: missing or empty: PIGEON_QUEUE\n", complained)
  end)

  it("skips nothing and repeats what was confirmed behind a failure, and says how much", function()
    local rules = file_of([[
return function(object)
  local id = crash_id(object.key)
  return accept(id, { id:sub(1, 8) == "000004e0" and "later" or "normal" })
end
]]) -- number 1248
    local status, said = run(("replay --rules %s <%s"):format(rules, list(1, 1500)), env)
    assert.are.equal(1, status)
    assert.matches("^line 1248 failed: [^\n]* to later: returned at publish: 312 NO_ROUTE[^\n]*\n"
      .. "published 1499 messages: 1499 objects accepted\ndeferred 0, ignored 0\n"
      .. "done up to object 1247 %(line 1247%); %-%-from 1248 continues after it\n"
      .. "252 messages after the failed object were confirmed, and will be published again\n$", said)
    system.declare(env, { "later" })
    assert.are.equal(0, (run(("replay --from 1248 --rules %s <%s"):format(rules, keys), env)))
    assert.are.same({ system.id(1248) }, system.consume(env, { "later" }))
    assert.are.equal(1499 + 252, system.count(env, "normal"))
    os.remove(rules)
  end)

  it("says where it ended also where stdout takes no more", function()
    local status, _, complained = run("replay <" .. list(1, 3), env, "/dev/full")
    assert.are.equal(1, status)
    assert.matches("done up to object 3 %(line 3%); %-%-from 4 continues after it\n"
      .. "pigeon replay: the output could not be written completely: No space left on device\n$", complained)
  end)

  it("says how far it came when the watchdog ends it", function()
    local rules = file_of([[
return function(object)
  if crash_id(object.key) then return accept(crash_id(object.key), { "normal" }) end
  return ignore(object.key:match("^(.-)/(.-)/(.-)/(.-)/([^/]+)$"))
end
]])
    list(1, 1000)
    local file = assert(io.open(keys, "a"))
    file:write(("/"):rep(1024), "\n")
    file:close()
    local status, said = run(("replay --rules %s --from 1001 <%s"):format(rules, keys), env)
    assert.are.equal(1, status)
    assert.matches("\n[^\n]* no object is done\n$", said)
    status, said = run(("replay --rules %s <%s"):format(rules, keys), env)
    assert.are.equal(1, status)
    assert.matches(":%d+ kept the processor for 1 s at key \"///", said)
    assert.matches("done up to object 1000; %-%-from 1001 continues after it\n$", said)
    assert.are.equal(1000, system.count(env, "normal"))
    os.remove(rules)
  end)

  -- Starts a replay of a file, and calls back with its pid; returns its output.
  local function start(variables, arguments, input, meanwhile)
    local out, words = os.tmpname(), {}
    for name, value in pairs(variables) do words[#words + 1] = name .. "=" .. quote(value) end
    local pid = system.run(("env %s %s replay %s >%s 2>&1 <%s & echo $!"):format(
      table.concat(words, " "), PIGEON, arguments, out, input)):gsub("\n", "")
    meanwhile(pid)
    system.wait("its end", function() return not os.execute(("test -e /proc/%s/exe"):format(pid)) end)
    local said = system.read(out)
    os.remove(out)
    return said
  end

  for _, signal in ipairs { "TERM", "INT", "HUP" } do
    it("ends after its batch at SIG" .. signal .. ", and says how far it came", function()
      local said = start(env, "--rate 5", list(1, 1000), function(pid)
        system.wait("the first batch", function() return system.count(env, "normal") > 0 end)
        system.run(("kill -%s %s"):format(signal, pid))
      end)
      local last = tonumber(said:match("done up to object (%d+) "))
      assert.are.equal(last, system.count(env, "normal"))
      assert.is_true(last < 1000)
      assert.matches("pigeon replay: stopped by a signal\n$", said)
    end)
  end

  it("ends at a signal also where it waits for lines", function()
    local fifo = system.run("mktemp -u"):gsub("\n", "")
    system.run("mkfifo " .. fifo)
    local writer = assert(io.open(fifo, "r+"))
    writer:write(system.key(system.id(1)), "\n"):flush()
    local said = start(env, "", fifo, function(pid)
      system.wait("it to sleep, with a handler for SIGTERM", function()
        local about = system.read(("/proc/%s/status"):format(pid))
        local caught = tonumber(about:match("SigCgt:%s*(%x+)"), 16)
        return about:find("State:%s*S") and caught >> 14 & 1 == 1
      end)
      system.run("kill -TERM " .. pid)
    end)
    writer:close()
    os.remove(fifo)
    assert.are.equal("published nothing\ndeferred 0, ignored 0\n"
      .. "no object is done\npigeon replay: stopped by a signal\n", said:match("^[^\n]*\n(.*)$"))
  end)

  it("says how far it came when the broker goes", function()
    local other = system.vhost { "normal" }
    local said = start(other, "--rate 5", list(1, 1000), function()
      system.wait("the first batch", function() return system.count(other, "normal") > 0 end)
      system.drop(other)
    end)
    local first, last = said:match("\nline (%d+) failed: .*\ndone up to object (%d+) ")
    assert.are.equal(tonumber(first), last + 1, said)
    assert.matches("published " .. last .. " messages: " .. last .. " objects accepted", said)
  end)
end)
