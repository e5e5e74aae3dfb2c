--- Rules in shadow, in the whole program: what is logged of them, and that they change nothing else.
local system = require "spec.support.system"
local zip = require "spec.support.zip"

local id, key = system.id, system.key

local VERSION = system.run("sha256sum rules/rules.lua"):sub(1, 12)

describe("a shadow script", function()
  local env, folder

  setup(function()
    env = system.vhost({ "normal" })
    folder = system.run("mktemp -d"):gsub("\n", "")
    system.run("cp rules/rules.lua " .. folder)
    env.LAMBDA_TASK_ROOT, env._HANDLER, env.PIGEON_SHADOW_RULES = folder, "rules.lua", "candidate.lua"
  end)

  teardown(function()
    os.execute("rm -rf " .. system.quote(folder))
    system.drop(env)
  end)

  -- Sends events of these ids with a candidate: the outcome and what arrived.
  local function send(candidate, ids, options)
    if candidate then system.write(folder .. "/candidate.lua", candidate) end
    local keys = {}
    for i, one in ipairs(ids) do keys[i] = key(one) end
    local outcome = system.invoke({ env = env, events = { system.event(table.unpack(keys)) }, options = options })
    os.remove(folder .. "/candidate.lua")
    return outcome, system.consume(env)
  end

  local function ids(count)
    local list = {}
    for i = 1, count do list[i] = id(i) end
    return list
  end

  local function count(text, part)
    return select(2, text:gsub(part:gsub("%p", "%%%0"), ""))
  end

  local function has(text, part)
    assert.matches(part, text, 1, true)
  end

  -- All of it went well, as without one.
  local function assert_published(outcome, arrived, sent)
    assert.same({ "null" }, outcome.answers)
    assert.equal(0, outcome.status)
    table.sort(arrived)
    assert.same(sent, arrived)
  end

  it("is told of when ready, and at info where it decides otherwise", function()
    local candidate = "return function() return ignore('too old') end\n"
    local outcome, arrived = send(candidate, ids(1))
    assert_published(outcome, arrived, ids(1))
    system.write(folder .. "/hash", candidate)
    local version = system.run("sha256sum " .. folder .. "/hash"):sub(1, 12)
    has(outcome.log, ("rules rules.lua (%s), shadow candidate.lua (%s), "):format(VERSION, version))
    local line = outcome.log:match("[^\n]*shadow: [^\n]*")
    assert.matches("INFO", line)
    has(line, ("shadow: %s: accept: normal -> ignore: too old"):format(key(id(1))))
    for name, value in pairs { crash_id = id(1), key = key(id(1)), verdict = "accept: normal",
      shadow_verdict = "ignore: too old", shadow_version = version } do
      has(line, ('"%s":"%s"'):format(name, value))
    end
  end)

  it("says nothing where it decides the same", function()
    local outcome, arrived = send(system.read("rules/rules.lua"), { id(1), id(2, "0") })
    assert_published(outcome, arrived, ids(1))
    assert.is_nil(outcome.log:find("shadow: ", 1, true))
  end)

  it("is told of 20 times an event, and then counted", function()
    local outcome, arrived = send("return function() return ignore('all') end", ids(33))
    assert_published(outcome, arrived, ids(33))
    assert.equal(20, count(outcome.log, "accept: normal -> ignore: all"))
    has(outcome.log, "shadow: 13 more differences")
  end)

  for what, case in pairs {
    raises = { "return function()\n  error('boom')\nend", "-> fail: candidate.lua:2: boom" },
    ["never ends"] = { "return function()\n  while true do end\nend",
      "-> fail: candidate.lua:2: spent its budget of 1000000 instructions" },
    ["takes too much memory"] = { "return function(object)\nlocal s = object.key while true do s = s .. s end\nend",
      "-> fail: candidate.lua:2: out of memory: used the 64 MB" },
    ["hoards memory"] = { [[
      local kept = {}
      return function(object)
        local s = object.key
        while #s < 20000000 do s = s .. s end
        kept[#kept + 1] = s
        return ignore("hoarded")
      end]], "-> ignore: hoarded" },
  } do
    it("that " .. what .. " fails no object", function()
      local outcome, arrived = send(case[1], ids(12))
      assert_published(outcome, arrived, ids(12))
      assert.is_true(count(outcome.log, case[2]) > 0)
      assert.equal(12, count(outcome.log, "shadow: v2/"))
    end)
  end

  -- Each object keeps it busy for some 10 ms at the least, and 5,400 ms would be two thirds.
  it("is not asked any more when two thirds of the time are spent", function()
    local sent = { id(1) }
    for i = 2, 2000 do sent[i] = id(i, "0") end
    local outcome, arrived = send([[
      local text = "x"
      for _ = 1, 12 do text = text .. text end
      return function()
        text:find(".-y")
        return ignore("slow")
      end]], sent, { "--deadline", "9000" })
    assert_published(outcome, arrived, ids(1))
    local shown = count(outcome.log, "-> ignore: slow") -- fewer than 20 where the machine is slow
    local more = tonumber(outcome.log:match("shadow: (%d+) more differences") or 0)
    local skipped = tonumber(outcome.log:match("shadow: (%d+) not decided: out of time"))
    assert.equal(2000, shown + more + skipped)
  end)

  it("that only the watchdog ends does so when all is published, and is named", function()
    local outcome, arrived = send([[
      local text = "x"
      for _ = 1, 12 do text = text .. text end
      return function() return ignore(tostring(text:find(".-.-.-.-.-.-.-.-y"))) end]], ids(2))
    table.sort(arrived)
    assert.same(ids(2), arrived)
    assert.equal(1, outcome.status)
    has(outcome.log, "the shadow script candidate.lua:3 kept the processor for 1 s at key ")
    has(outcome.log, key(id(1)))
    has(outcome.log, "unset PIGEON_SHADOW_RULES, or every retry ends this way")
  end)

  for what, case in pairs {
    ["is not there"] = { nil, "No such file" },
    ["does not load"] = { "\n\nerror('boom')", "candidate.lua:3: boom" },
  } do
    it("that " .. what .. " is an error in the log, and the function works", function()
      local outcome, arrived = send(case[1], ids(2))
      assert_published(outcome, arrived, ids(2))
      local line = outcome.log:match("[^\n]*PIGEON_SHADOW_RULES[^\n]*")
      assert.matches("ERROR", line)
      has(line, "is `candidate.lua`, but this script does not load: ")
      has(line, "; next: package it with SHADOW=FILE, or unset the variable")
      has(line, case[2])
      assert.is_nil(outcome.log:find("shadow candidate.lua", 1, true))
    end)
  end

  zip.only(it)("is in the zip under its name, where it passes the check", function()
    local function package(shadow)
      local form = "BUILD=build SHADOW=%s bin/build/package rules/rules.lua %s/a.zip >%s/said 2>&1"
      local _, _, status = os.execute(form:format(
        shadow, folder, folder))
      return status
    end
    system.write(folder .. "/mine.lua", "return function() return ignore('all') end\n")
    system.write(folder .. "/bad.lua", "\nreturn function() return ignored('all') end\n")
    system.run(("mkdir %s/in && cp rules/rules.lua %s/in/rules.lua"):format(folder, folder))
    assert.equal(0, package(folder .. "/mine.lua"))
    assert.equal("bootstrap\nrules.lua\nmine.lua\nLICENSES\nsbom.cdx.json\n",
      system.run(("unzip -Z1 %s/a.zip"):format(folder)))
    assert.equal("return function() return ignore('all') end\n",
      system.run(("unzip -p %s/a.zip mine.lua"):format(folder)))
    os.remove(folder .. "/a.zip")
    for shadow, words in pairs { ["bad.lua"] = "bad.lua:2: ", ["in/rules.lua"] = "another name than rules.lua",
      ["none.lua"] = "no such file" } do
      assert.are_not.equal(0, package(folder .. "/" .. shadow))
      has(system.read(folder .. "/said"), words)
      assert.is_nil(io.open(folder .. "/a.zip"))
    end
  end)
end)
