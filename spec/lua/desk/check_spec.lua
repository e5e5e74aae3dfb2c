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
  pigeon.receive("", { kind = "setup", queues = settings.found })
  local first = pigeon.conclude({}, { confirmed = 0 })
  made.walk(stops)
  os.remove(path)
  local last, status = pigeon.finish()
  local probes, rest = last:match("^(.-)([^\n]*\n)$") -- the last line is the summary
  return first, probes, rest, status
end

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

-- A case that needs luacheck, Debian's lua-check; bin/test counts it as failed where it is pending.
local linted = os.execute("command -v luacheck >/dev/null") and it or pending

describe("pigeon check", function()
  for _, path in ipairs { "rules/rules.lua", "rules/antenna.lua", "rules/bucket.lua" } do
    linted("finds nothing in " .. path, function()
      local lint, probes, last, status = check(read(path))
      assert.equal("", lint)
      assert.equal("", probes)
      assert.matches("^rules%.lua: %d+ objects decided, nothing found\n$", last)
      assert.equal(0, status)
    end)
  end

  linted("finds unknown words, and unused and shadowed locals, by luacheck", function()
    local lint, _, last, status = check([[
local unused = 1
return function(object)
  local key = object.key
  if object.key == "nonsense" then return ignroe(string.rep(key)) end
  do local key = 1 if key == 2 then return ignore("x") end end
  return ignore("x")
end
]])
    assert.matches("rules%.lua:1: unused variable 'unused'\n", lint)
    assert.matches("rules%.lua:4: accessing undefined variable 'ignroe'\n", lint)
    assert.matches("rules%.lua:4: accessing undefined field 'rep' of global 'string'\n", lint)
    assert.matches("rules%.lua:5: shadowing definition of variable 'key'", lint)
    assert.matches("5 findings\n$", last) -- and the word that fails: its key is in the script
    assert.equal(1, status)
  end)

  for _, case in ipairs {
    { "fails with awkward keys", "local name = object.key:match('^v2/.*')\nreturn ignore(name:sub(1, 3))",
      "^rules%.lua:3: attempt to index a nil value %(local 'name'%) %(key \"000/20180313/[^\n]*\", and %d+ more%)\n$" },
    { "fails where an envelope tells less", "if object.size > 5 then return ignore('a') end\nreturn ignore('b')",
      "^rules%.lua:2: attempt to compare number with nil %(key \"v2/raw_crash/000/20180313/0000[^\n]*\", and %d+ more%)\n$" },
    { "fails by its reason's length", "return ignore(object.key)",
      "^rules%.lua:2: ignore: the reason has 1024 bytes, but must have 1 to 200 %(key \"////" },
    { "returns nothing", "if object.key == 'a' then return end\nreturn ignore('b')",
      "^rules%.lua:2: the rule returned nothing, .* %(key \"a\"%)\n$" },
    { "sets a global", "seen = {}\nreturn ignore('b')", '^rules%.lua:2: .* setting "seen"' },
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

  local LITTLE = "return function() local unused return ignore('x') end"

  for name, path in pairs {
    ["spaces"] = "/a b  c.lua", ["quotes"] = [[/a'b"c.lua]],
    ["words of the shell"] = "/$(exit 9);`exit 9`&|>x\\*.lua",
    ["a leading dash"] = "/-x.lua", ["two lines"] = "/a\nb.lua", ["another alphabet"] = "/\u{E9}\u{1F426}.lua",
  } do
    linted("has luacheck look at a file whose name has " .. name, function()
      local folder = os.tmpname()
      os.remove(folder)
      assert(os.execute("mkdir " .. folder))
      local first = check(LITTLE, { rules = { name = "rules.lua", path = folder .. path, source = LITTLE } })
      assert(os.execute("rmdir " .. folder)) -- and no other file was made there
      assert.equal("rules.lua:1: unused variable 'unused'\n", first)
    end)
  end

  it("says that luacheck failed, and does not call it clean", function()
    local path = os.tmpname()
    os.remove(path)
    pigeon.open { command = "check", PIGEON_QUEUE = "q", arguments = {},
      rules = { name = "rules.lua", path = path, source = LITTLE } }
    pigeon.receive("", { kind = "setup" })
    assert.equal("", (pigeon.conclude({}, { confirmed = 0 })))
    local last = pigeon.finish()
    assert.matches("nothing found; luacheck failed, with status %d+, so it did not check the script\n$", last)
  end)

  local FAULTY = "return function(object)\n  local unused\n  return ignore(object.key)\nend\n"
  local FOUND = {
    { queue = "there", ok = true, what = "there" }, { queue = "secret", ok = true, what = "may not ask" },
    { queue = "missing", ok = false, what = "ask: 404 NOT_FOUND", fix = "declare the queue" },
  }

  linted("says first what is wrong beside the rules", function()
    local first, _, last, status = check(LITTLE, { arguments = { "PIGEON_PORT is bad" }, found = FOUND })
    assert.equal("queue there: there\nqueue secret: may not ask\n"
      .. "queue missing: ask: 404 NOT_FOUND; next: declare the queue\n"
      .. "PIGEON_PORT is bad\n"
      .. "rules.lua:1: unused variable 'unused'\n", first)
    assert.matches(" 3 findings\n$", last)
    assert.equal(1, status)
    _, _, last, status = check("return function() return ignore('x') end", { found = FOUND })
    assert.matches(" 1 finding\n$", last)
    assert.equal(1, status)
  end)

  linted("is JSON Lines where a program reads it", function()
    local first, probes, last, status = check(FAULTY,
      { json = true, arguments = { "PIGEON_PORT is bad", "rules.lua: too long" }, found = FOUND })
    local findings, summary = decode_lines(first .. probes .. last)
    local long = table.remove(findings)
    assert.same({
      { queue = "missing", what = "ask: 404 NOT_FOUND", fix = "declare the queue", level = "error" },
      { what = "PIGEON_PORT is bad", level = "error" },
      { what = "rules.lua: too long", level = "error" },
      { file = "rules.lua", line = 2, what = "unused variable 'unused'", level = "warning" },
    }, findings)
    assert.same({ "rules.lua", 3, ("/"):rep(1024), "error" }, { long.file, long.line, long.key, long.level })
    assert.matches("^ignore: the reason has 1024 bytes", long.what)
    assert.is_true(long.more > 0)
    local objects = summary.objects
    assert.is_true(objects > 100)
    assert.same({ rules = "rules.lua", objects = objects, of = objects, luacheck = true, findings = 5, queues = {
      { queue = "there", ok = true, what = "there" }, { queue = "secret", ok = true, what = "may not ask" },
      { queue = "missing", ok = false, what = "ask: 404 NOT_FOUND" } } }, summary)
    assert.equal(1, status)
  end)

  linted("prints each line complete, before the next can end the process", function()
    local first, probes = check(FAULTY, { json = true })
    assert.matches("^{[^\n]*}\n$", first)
    assert.matches("^{[^\n]*}\n$", probes)
  end)

  linted("takes for an error what luacheck finds of words that the sandbox does not have", function()
    local first, probes, last = check("return function(o) if o.key == 1 then return ignroe(_G.x) end local a end",
      { json = true })
    local levels = {}
    for _, finding in ipairs((decode_lines(first .. probes .. last))) do
      if finding.line and finding.what:find("variable") then levels[finding.what] = finding.level end
    end
    assert.same({ ["accessing undefined variable 'ignroe'"] = "error", ["accessing undefined variable '_G'"] = "error",
      ["unused variable 'a'"] = "warning" }, levels)
  end)

  linted("shows a hostile file name on one line", function()
    local first, _, last = check(LITTLE, { rules = { name = "a\n\xFF.lua", path = os.tmpname(), source = LITTLE } })
    assert.equal("a \u{FFFD}.lua:1: unused variable 'unused'\n", first)
    assert.matches("^a \u{FFFD}.lua: %d+ objects decided", last)
  end)

  linted("is only the summary where there are no findings", function()
    local first, probes, last, status = check("return function() return ignore('x') end", { json = true })
    assert.equal("", first)
    assert.equal("", probes)
    assert.matches('^{"summary":{"findings":0,"luacheck":true,"objects":(%d+),"of":%1,"queues":%[%],'
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
          .. '{"summary":{"findings":2,"queues":[]}}\n', last)
      else
        assert.equal("PIGEON_PORT is bad\nrules.lua:2: <eof> expected\n", last)
      end
      assert.equal(1, status)
    end)
  end
end)
