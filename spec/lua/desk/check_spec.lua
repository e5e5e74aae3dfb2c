local cjson = require "cjson"
local made = require "spec.support.made"
local pigeon = require "pigeon"

-- Checks a script; returns the text about the setup and the script, about the probes, the last text
-- and the status. `more` has further settings; `found` in it is what --connect found.
local function check(source, more, stops)
  local settings = { command = "check", PIGEON_QUEUE = "normal,15:submitter", arguments = {},
    rules = { name = "rules.lua", path = os.tmpname(), source = source } }
  for name, value in pairs(more or {}) do settings[name] = value end
  local path = settings.rules.path
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  pigeon.open(settings)
  pigeon.receive("", { kind = "setup", queues = settings.found, virtual_host = settings.vhost, user = settings.user })
  local first = pigeon.conclude({}, { confirmed = 0 })
  made.walk(stops)
  os.remove(path)
  local last, status = pigeon.finish()
  local probes, rest = last:match("^(.-)([^\n]*\n)$") -- the last line is the summary
  return first, probes, rest, status
end

-- In which nothing is found.
local GOOD = [[
return function(object)
  local id = crash_id(object.key)
  return id and accept(id, { "normal" }) or ignore("x")
end
]]

-- Lines of JSON -> the findings, and the summary, which has to be the last line.
local function decode_lines(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = cjson.decode(line) end
  local summary = table.remove(lines).summary
  for _, finding in ipairs(lines) do assert.is_nil(finding.summary) end
  return lines, summary
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

describe("pigeon check", function()
  for _, path in ipairs { "spec/fixtures/right/rules.lua", "rules/antenna.lua", "rules/bucket.lua" } do
    it("finds nothing in " .. path, function()
      local lint, probes, last, status = check(read(path))
      assert.equal("", lint)
      assert.equal("", probes)
      assert.matches("^rules%.lua: %d+ objects decided, nothing found\n$", last)
      assert.equal(0, status)
    end)
  end

  describe("notes a verdict that no object reaches,", function()
    local DEAD = [[
return function(object)
  local id = crash_id(object.key)
  if not id or object.key:find("^v2/") == nil then return ignore("not v2") end
  if object.key:find("^v1/") then return accept(id, { "submitter" }) end
  return accept(id, { "normal" })
end
]]
    local NOTE = 'rules%.lua:4: note: none of %d+ objects reaches accept%(id, { "submitter" }%): is a condition above '
      .. "it always the same%?\n"

    it("which is not a finding, but is counted", function()
      local text, probes, last, status = check(DEAD, { strict = true })
      assert.equal("", text)
      assert.matches("^" .. NOTE .. "$", probes)
      assert.matches("objects decided, no error, no warning, 1 note\n$", last)
      assert.equal(0, status)
      local _, found, summary = check(DEAD, { strict = true, json = true })
      assert.equal("note", cjson.decode(found).level)
      summary = cjson.decode(summary).summary
      assert.same({ 0, 0, 1 }, { summary.errors, summary.findings, summary.notes })
    end)

    it("also that the program is old", function()
      local now = tostring(os.time { year = 2026, month = 11, day = 30 })
      local _, found, last, status = check(read("spec/fixtures/right/rules.lua"),
        { strict = true, parts = "zlib1g-dev 1 2026-01-01\n", now = now })
      assert.matches("^bootstrap: note: the newest of its Debian packages, zlib1g%-dev 1, is of [^\n]*\n$", found)
      assert.matches("objects decided, no error, no warning, 1 note\n$", last)
      assert.equal(0, status)
    end)

    it("not where it is reached, where the script fails, or where the rules are wrong anyway", function()
      for _, source in ipairs { DEAD:gsub("v1", "v2/r"), DEAD:gsub("not id or", "object.size > 5 or not id or"),
        (DEAD:gsub("return accept", "accept", 1)) } do
        local text, probes = check(source)
        assert.is_nil((text .. probes):find("note:", 1, true), text .. probes)
      end
    end)
  end)

  describe("finds memory that the script itself keeps,", function()
    local function kept(head, body)
      return (select(2, check(("%s\nreturn function(object)\n%s\nreturn accept('x', { 'normal' })\nend")
        :format(head, body))))
    end

    for _, case in ipairs {
      { "a list", "\nlocal first, seen = 1, {}", "seen[#seen + first] = object.key",
        'rules.lua:2: "seen" grew by %d+ entries while the script decided: memory that the script itself keeps; '
          .. "keep only constants above the function\n" },
      { "a set", "local seen = { at = {} }", "seen.at[object.key] = true", 'rules.lua:1: "seen" grew by %d+ entries ' },
      { "a list, with the line ends of another system", "\r\rlocal seen = {}\r", "seen[#seen + 1] = object.key",
        'rules.lua:3: "seen" grew by %d+ entries ' },
      { "a text", "local all = ''", "all = all .. object.key", 'rules.lua:1: "all" grew by %d+ bytes ' },
      { "in a helper", "local s = {}\nlocal function f(x) s[#s + 1] = x end", "f(object.key)",
        'rules.lua:1: "s" grew by %d+ entries ' },
    } do
      it(case[1], function()
        assert.matches("^" .. case[4], kept(case[2], case[3]))
      end)
    end

    for what, case in pairs {
      ["a constant"] = { "local t = { 1, 2, 3, { 4 } } local s = ('x'):upper()", "if t[object.key] == s then end" },
      ["a count"] = { "local n = 0", "n = n + 1" }, ["the last key"] = { "local last", "last = object.key" },
      ["a few buckets"] = { "local seen = {}", "seen[object.bucket] = object.size" },
      ["a table that is made again"] = { "local t", "t = { object.key, object, ignore('y') }" },
    } do
      it("but not in " .. what, function()
        assert.equal("", kept(case[1], case[2]))
      end)
    end
  end)

  it("finds what stands in the text, with what to write instead", function()
    local text, _, last, status = check([[
local unused = 1
return function(object)
  if object.key == "nonsense" then return ignroe(object.key) end
  return ignore("x")
end
]])
    assert.equal('rules.lua:1: warning: nothing reads the local "unused": remove it, or is a name misspelt below?\n'
      .. 'rules.lua:3: there is no word "ignroe": did you mean ignore?\n', text)
    assert.matches("%d+ objects decided, 1 error, 1 warning\n$", last)
    assert.equal(1, status)
  end)

  it("ends with 0 where there are only warnings, and with 1 where it is strict", function()
    local source = "local unused = 1\n" .. GOOD
    local text, _, last, status = check(source)
    assert.matches("^rules%.lua:1: warning: ", text)
    assert.matches("%d+ objects decided, 1 warning\n$", last)
    assert.equal(0, status)
    _, _, _, status = check(source, { strict = true })
    assert.equal(1, status)
    _, _, _, status = check(GOOD, { strict = true })
    assert.equal(0, status)
  end)

  it("judges literal queues where PIGEON_QUEUE is set", function()
    local source = "return function(o)\n  return accept(o.key:sub(-36), { 'sumbitter' })\nend\n"
    assert.equal('rules.lua:2: warning: PIGEON_QUEUE has no queue "sumbitter": did you mean submitter?\n',
      (check(source)))
    assert.equal("", (check(source, { assumed_queue = true })))
  end)

  describe("warns that no accept sends anything,", function()
    local NONE = "^rules%.lua:2: warning: no accept sends any of %d+ objects to a queue: pigeon table shows what "
      .. "becomes of them\n$"

    local function script(line)
      return "return function(object) local id = crash_id(object.key)\n" .. line .. "\nreturn ignore('x') end"
    end

    for what, line in pairs {
      ["where all are ignored"] = 'if object.key == "" then return accept(id, { "normal" }) end',
      ["where all are throttled"] = "if id then return accept(id, {}) end",
      ["where a condition never holds"] = 'if id and id:match("^g") then return accept(id, { "normal" }) end',
    } do
      it(what, function()
        local text, probes, last, status = check(script(line), { strict = true })
        assert.equal("", text)
        assert.matches(NONE, probes)
        assert.matches("objects decided, 1 warning\n$", last)
        assert.equal(1, status)
      end)
    end

    it("where the environment is known", function()
      local _, probes = check(script("if id and env == 'prod' then return accept(id, { 'normal' }) end"),
        { PIGEON_ENV = "stage" })
      assert.matches(NONE, probes)
    end)

    it("but only notes that there is none", function()
      local text, probes, last, status = check(script("if id then return defer('y') end"), { strict = true })
      assert.equal("", text)
      assert.equal("rules.lua: note: no accept in this script: nothing goes to a queue: "
        .. "is it the script that was meant?\n", probes)
      assert.matches("objects decided, no error, no warning, 1 note\n$", last)
      assert.equal(0, status)
      probes = select(2, check("return function(object) return object.key:rep(9) end")) -- which fails
      assert.is_nil(probes:find("note:", 1, true))
    end)

    for what, case in pairs {
      ["an exchange"] = { 'if id then return accept(id, { exchange("amq.topic", "a") }) end' },
      ["the lack of known queues"] = { "local list = {}\nfor _, queue in ipairs(queues) do\n"
        .. "if queue.name == 'nightly' then list[1] = queue.name end\nend\n"
        .. "if id then return accept(id, list) end", true },
      ["the lack of an environment"] = { "if id and env == 'prod' then return accept(id, { 'normal' }) end" },
    } do
      it("but not for " .. what, function()
        local text, probes, last = check(script(case[1]), { assumed_queue = case[2] })
        assert.equal("", text .. probes)
        assert.matches("objects decided, nothing found\n$", last)
      end)
    end
  end)

  it("finds a word with too many arguments where the text does not show it", function()
    local text, probes = check("local WORDS = { ignore }\nreturn function() return WORDS[1]('a', 'b') end\n")
    assert.equal("", text)
    assert.matches("^rules%.lua: ignore is called with more arguments than it takes %(key ", probes)
    text, probes = check("return function() return ignore('a', 'b') end\n")
    assert.matches("^rules%.lua:1: ignore takes 1 argument", text)
    assert.equal("", probes)
  end)

  it("reports once what the text shows and the rules then do", function()
    local text, probes = check("return function(object)\n  return ignroe(object.key)\nend\n")
    assert.matches("^rules%.lua:2: there is no word", text)
    assert.equal("", probes)
  end)

  it("shows misspelt variables", function()
    local first, _, last, status = check(GOOD,
      { known = "PIGEON_QUEUE PIGEON_ENV ", set = "PIGEON_QUEUS PIGEON_ENV PIGEON_OTHER " })
    assert.equal("PIGEON_QUEUS is set, but Pigeon has no such variable: did you mean PIGEON_QUEUE?\n"
      .. "warning: PIGEON_OTHER is set, but Pigeon has no such variable: unset it; "
      .. "deploy/CONFIGURATION.md has the variables\n", first)
    assert.matches("1 error, 1 warning\n$", last)
    assert.equal(1, status)
  end)

  it("shows a script that does not load, and all that its text has", function()
    local text, probes, last, status = check("local unused = 1\nlocal x = nil + 1\n"
      .. "return function(o) return acept(x) end\n")
    assert.equal('rules.lua:1: warning: nothing reads the local "unused": remove it, or is a name misspelt below?\n'
      .. 'rules.lua:3: there is no word "acept": did you mean accept?\n'
      .. "rules.lua:2: attempt to perform arithmetic on a nil value\n", text)
    assert.equal("", probes)
    assert.equal("rules.lua: 0 objects decided, 2 errors, 1 warning\n", last)
    assert.equal(1, status)
    assert.equal('rules.lua:1: Lua has no `!=`: "is not" is written ~=\n', (check("return 1 != 2")))
  end)

  for _, case in ipairs {
    { "fails with awkward keys", "local name = object.key:match('^v2/.*')\nreturn ignore(name:sub(1, 3))",
      "^rules%.lua:3: name is nil here: check it first, as in: if name then "
        .. "%(key \"000/20180313/[^\n]*\", and %d+ more%)\n$" },
    { "fails where an envelope tells less", "if object.size > 5 then return ignore('a') end\nreturn ignore('b')",
      "^rules%.lua:2: object%.size is nil here %(not every event has it%): write %(object%.size or 0%) "
        .. "%(key \"v2/raw_crash/000/[^\n]*\", and %d+ more%)\n$" },
    { "fails by its reason's length", "return ignore(object.key)",
      "^rules%.lua:2: ignore: the reason has 1024 bytes, but must have 1 to 200 %(key \"////" },
    { "returns nothing", "if object.key ~= 'a' then return ignore('b') end",
      "^rules%.lua:3: the rule returned nothing, .* %(key \"a\"%)\n$" },
  } do
    it("finds a rule that " .. case[1], function()
      local _, probes, _, status = check("return function(object)\n" .. case[2] .. "\nend\n")
      assert.matches(case[3], probes)
      assert.equal(1, status)
    end)
  end

  it("finds a rule that decides differently, and its line", function()
    local _, probes = check([[
local seen = {}
return function(object)
  if object.key ~= "a" then return ignore("other") end
  seen[#seen + 1] = true
  return ignore(#seen > 1 and "again" or "first")
end
]])
    assert.equal('rules.lua:5: decides differently the second time: ignore first, then ignore again (key "a")\n',
      probes)
  end)

  it("says once that a rule decides differently, whatever it decides", function()
    local _, probes = check([[
local count = 0
return function()
  count = count + 1
  return ignore("number " .. count % 50)
end
]])
    assert.matches("^rules%.lua:4: decides differently the second time: [^\n]*, and %d+ more%)\n$", probes)
  end)

  it("finds what a key changes for another object, before and after it", function()
    local _, probes = check([[
local seen
return function(object)
  if object.size == nil then seen = true end
  return ignore(seen and "later" or "before")
end
]])
    assert.matches("^rules%.lua:4: decides differently the second time: ignore before, then ignore later %(key ",
      probes)
  end)

  it("finds a mistake that only ids below a literal threshold reach", function()
    local _, probes = check([[
return function(object)
  local id = crash_id(object.key)
  if id and sample(id, "submitter") < 15 then return accept(id, { queues[9].name }) end
  return ignore("x")
end
]])
    assert.matches("^rules%.lua:3: queues has 2 entries, so there is no queues%[9%][^\n]*%(key ", probes)
  end)

  it("finds what stops the process, and goes on with the other objects", function()
    local SOURCE = "return function(object)\n  return ignore(object.size > 0 and 'a' or 'b')\nend\n"
    local why = "rules.lua:2\nkept the processor for 1 s\n"
    for _, position in ipairs { 7, 100 - 6 } do -- forwards, and backwards
      local _, probes, last, status = check(SOURCE, nil, { [position] = { why } })
      assert.matches("^rules%.lua:2: kept the processor for 1 s %(key \"v2/raw_crash/[^\n]*\"%)\n"
        .. "rules%.lua:2: object%.size is nil here[^\n]* %(key \"[^\n]*\", and %d+ more%)\n$", probes)
      assert.matches("^rules%.lua: %d+ objects decided, 2 errors\n$", last)
      assert.equal(1, status)
    end
  end)

  it("finds that most was left out, after eight stops", function()
    local stops = {}
    for i = 1, 8 do stops[i] = { "rules.lua\nkept the processor for 1 s\n" } end
    local _, probes, last, status = check("return function() return ignore('x') end", nil, stops)
    assert.matches("^rules%.lua: kept the processor for 1 s %(key \"[^\n]*\", and 7 more%)\n"
      .. "rules%.lua: only 8 of %d+ objects were decided: the script was stopped 8 times\n$", probes)
    assert.matches("^rules%.lua: 8 objects of %d+ decided, 2 errors\n$", last)
    assert.equal(1, status)
  end)

  it("looks for no line where that stopped the process", function()
    local _, probes = check([[
local n = 0
return function()
  n = n + 1
  return ignore(n % 2 == 0 and "a" or "b")
end
]], nil, { [100000] = { "rules.lua\nkept the processor for 1 s\n" } })
    assert.matches("^rules%.lua: decides differently the second time: ", probes)
  end)

  it("keeps 20 findings, and counts the others", function()
    local _, probes, last = check("return function(object)\n  error(object.key)\nend\n")
    local findings = select(2, probes:gsub("\n", ""))
    assert.equal(21, findings)
    assert.matches("\nrules%.lua: %d+ objects have other findings\n$", probes)
    assert.matches(" 21 errors\n$", last)
  end)

  -- CPU time, so that other processes do not matter; this takes 10 times what is allowed
  it("finds a rule that takes too long, and its line", function()
    local _, probes = check([[
local big = {}
for i = 1, 60000 do big[i] = (i * 7919) % 60013 end
return function(object)
  if object.key ~= "a" then return ignore("other") end
  local copy = {}
  for i = 1, 40000 do copy[i] = big[i] end
  for _ = 1, 10 do
    table.concat(copy, " ")
    table.concat(copy, ",")
  end
  return ignore("a")
end
]])
    assert.matches('^rules%.lua[:%d]*: took over 10 ms %(key "a"%)\n$', probes)
  end)

  local LITTLE = GOOD:gsub("\n.*", " local unused%0", 1)
  local UNUSED = 'warning: nothing reads the local "unused": remove it, or is a name misspelt below?\n'
  local FAULTY = "return function(object)\n  local unused\n  return ignore(object.key)\nend\n"
  local FOUND = {
    { queue = "there", ok = true, what = "there" },
    { queue = "secret.1", ok = false, what = "ask: 403", fix = "give a right", missing = "right" },
    { queue = "missing", ok = false, what = "ask: 404 NOT_FOUND", fix = "declare the queue", missing = "queue" },
  }
  local DECLARE = [[f=/tmp/queue.$$.json; printf %s '{"queues":[{"arguments":{"x-queue-type":"quorum"},]]
    .. [["auto_delete":false,]]
    .. [["durable":true,"name":"missing","vhost":"VHOST"}]}' >$f ]]
    .. "&& rabbitmqctl import_definitions $f && rm $f"
  local PERMIT = [[rabbitmqctl set_permissions -p VHOST USER '^$' '^(amq\.default|there|secret\.1|missing)$' '^$']]

  it("says first what is wrong beside the rules", function()
    local first, _, last, status = check(LITTLE, { arguments = { "PIGEON_PORT is bad" }, found = FOUND })
    assert.equal("queue there: there\nqueue secret.1: ask: 403; next: give a right\n"
      .. "queue missing: ask: 404 NOT_FOUND; next: declare the queue\n"
      .. "on the broker (set_permissions replaces the user's rights in this virtual host):\n"
      .. "    " .. PERMIT .. "\n    " .. DECLARE .. "\n"
      .. "PIGEON_PORT is bad\n"
      .. "rules.lua:1: " .. UNUSED, first)
    assert.matches(" 3 errors, 1 warning\n$", last)
    assert.equal(1, status)
    _, _, last, status = check(GOOD, { found = FOUND })
    assert.matches(" 2 errors\n$", last)
    assert.equal(1, status)
  end)

  it("prints what the broker lacks as lines of rabbitmqctl, each once, for the user and the virtual host", function()
    local function lines(...)
      return (check("return function() return ignore('x') end", { found = { ... }, vhost = "it's", user = "a b" }))
        :match("\n(    .*)$")
    end
    local rows = {}
    for i, name in ipairs({ "a.b", "a|b", "^c$", "[d]*+?{2}\\", "e-f" }) do
      rows[i] = { queue = name, ok = false, what = "ask: 403", missing = "right" }
    end
    local permit = [[    rabbitmqctl set_permissions -p 'it'\''s' 'a b' '^$' '^(amq\.default]]
    assert.equal(permit
      .. [[|a\.b|a\|b|\^c\$|\[d\]\*\+\?\{2\}\\|e-f)$' '^$']] .. "\n", lines(table.unpack(rows)))
    assert.equal("    rabbitmqctl add_vhost 'it'\\''s'\n" .. permit .. [[|q)$' '^$']] .. "\n",
      lines({ queue = "q", ok = false, what = "login: 530", missing = "vhost" }))
    assert.equal("    rabbitmqctl list_vhost_limits -p 'it'\\''s'\n    rabbitmqctl list_user_limits --user 'a b'\n",
      lines({ queue = "q", ok = false, what = "login: 530", missing = "limit" }))
    assert.is_nil(lines({ queue = "q", ok = false, what = "login: 403" }))
  end)

  it("says once of the broker why no queue could be asked for", function()
    local found = {}
    for i, name in ipairs({ "a", "b", "c" }) do
      found[i] = { queue = name, ok = false, what = "login: 530 limit is reached", fix = "raise it", missing = "limit" }
    end
    local first, _, last, status = check(GOOD, { found = found })
    assert.equal("broker: login: 530 limit is reached; next: raise it\non the broker:\n"
      .. "    rabbitmqctl list_vhost_limits -p VHOST\n    rabbitmqctl list_user_limits --user USER\n", first)
    assert.matches(" 1 error\n$", last)
    assert.equal(1, status)
    first, _, last = check("return function() return ignore('x') end", { json = true, found = found })
    local findings, summary = decode_lines(first .. last)
    assert.same({ { broker = true, what = "login: 530 limit is reached", fix = "raise it", level = "error",
      run = { "rabbitmqctl list_vhost_limits -p VHOST", "rabbitmqctl list_user_limits --user USER" } } }, findings)
    assert.same({ queue = "c", ok = false, what = "login: 530 limit is reached" }, summary.queues[3])
  end)

  it("says of the broker that it takes no messages", function()
    local first, _, _, status = check("return function() return ignore('x') end", { found = {
      { queue = "there", ok = true, what = "there" },
      { ok = false, what = "confirm: low on disk", fix = "free space" } } })
    assert.equal("queue there: there\nbroker: confirm: low on disk; next: free space\n", first)
    assert.equal(1, status)
  end)

  it("is JSON Lines where a program reads it", function()
    local first, probes, last, status = check(FAULTY,
      { json = true, arguments = { "PIGEON_PORT is bad", "rules.lua: too long" }, found = FOUND })
    local findings, summary = decode_lines(first .. probes .. last)
    local long = table.remove(findings)
    assert.same({
      { queue = "secret.1", what = "ask: 403", fix = "give a right", level = "error", run = { PERMIT } },
      { queue = "missing", what = "ask: 404 NOT_FOUND", fix = "declare the queue", level = "error", run = { DECLARE } },
      { what = "PIGEON_PORT is bad", level = "error" },
      { what = "rules.lua: too long", level = "error" },
      { file = "rules.lua", line = 2, what = 'nothing reads the local "unused"', level = "warning",
        fix = "remove it, or is a name misspelt below?" },
      { file = "rules.lua", line = 3, what = "ignore: the reason object.key is made up at run time", level = "warning",
        fix = "reasons are counted by: write a constant text" },
    }, findings)
    assert.same({ "rules.lua", 3, ("/"):rep(1024), "error" }, { long.file, long.line, long.key, long.level })
    assert.matches("^ignore: the reason has 1024 bytes", long.what)
    assert.is_true(long.more > 0)
    local objects = summary.objects
    assert.is_true(objects > 100)
    assert.same({ rules = "rules.lua", objects = objects, of = objects, findings = 7, errors = 5, notes = 0, queues = {
      { queue = "there", ok = true, what = "there" }, { queue = "secret.1", ok = false, what = "ask: 403" },
      { queue = "missing", ok = false, what = "ask: 404 NOT_FOUND" } } }, summary)
    assert.equal(1, status)
  end)

  it("prints each line complete, before the next can end the process", function()
    local first, probes = check(FAULTY, { json = true })
    assert.matches("^{[^\n]*}\n{[^\n]*}\n$", first)
    assert.matches("^{[^\n]*}\n$", probes)
  end)

  it("shows a hostile file name on one line", function()
    local first, _, last = check(LITTLE, { rules = { name = "a\n\xFF.lua", path = os.tmpname(), source = LITTLE } })
    assert.equal("a \u{FFFD}.lua:1: " .. UNUSED, first)
    assert.matches("^a \u{FFFD}.lua: %d+ objects decided", last)
  end)

  it("is only the summary where there are no findings", function()
    local first, probes, last, status = check(GOOD, { json = true })
    assert.equal("", first)
    assert.equal("", probes)
    assert.matches('^{"summary":{"errors":0,"findings":0,"notes":0,"objects":(%d+),"of":%1,"queues":%[%],'
      .. '"rules":"rules.lua"}}\n$', last)
    assert.equal(0, status)
  end)

  for name, json in pairs { people = false, ["a program"] = true } do
    it("says to " .. name .. " why there are no rules to look at", function()
      pigeon.open { command = "check", json = json,
        arguments = { "PIGEON_PORT is bad", "rules.lua:2: <eof> expected" } }
      local last, status = pigeon.finish()
      if json then
        assert.equal('{"level":"error","what":"PIGEON_PORT is bad"}\n'
          .. '{"file":"rules.lua","level":"error","line":2,"what":"<eof> expected"}\n'
          .. '{"summary":{"errors":2,"findings":2,"notes":0,"queues":[]}}\n', last)
      else
        assert.equal("PIGEON_PORT is bad\nrules.lua:2: <eof> expected\n", last)
      end
      assert.equal(1, status)
    end)
  end
end)
