local sample = require "pigeon.rules.sample"
local verdict = require "pigeon.rules.verdict"

-- The sandbox, loaded with another clock of the CPU.
local function with_clock(clock)
  local name = "pigeon.rules.sandbox"
  local real, loaded = os.clock, package.loaded[name]
  os.clock, package.loaded[name] = clock, nil -- luacheck: ignore 122
  local fresh = require(name)
  os.clock, package.loaded[name] = real, loaded -- luacheck: ignore 122
  return fresh
end

-- It stands still: on a slow machine rules would have spent their time before their instructions.
local sandbox = with_clock(function() return 0 end)

local QUEUES = { { name = "normal", throttle = 100 }, { name = "submitter", throttle = 15 } }

-- The counters of `make coverage` spend the script's budget and the stack, too: then these cases are left out.
local it_uncounted = os.getenv "COVERAGE" and function() end or it

local function open(source)
  return sandbox.open({ name = "rules.lua", source = source }, { queues = QUEUES, env = "prod" }, verdict.judge)
end

local function object()
  return { key = "v2/raw_crash/x", bucket = "crashes", event_name = "ObjectCreated:Put" }
end

-- The body of a rule, which begins at line 2 -> what went wrong.
local function failure(body, head)
  local says, why = open((head or "") .. "return function(object)\n" .. body .. "\nend")(object())
  assert.is_nil(says)
  return why
end

local function load_failure(source)
  local ok, why = pcall(open, source)
  assert.is_false(ok)
  return why
end

-- A run must restore the strings' methods, the hook and the libraries.
local function assert_clean()
  assert.equal(string, getmetatable("").__index)
  assert.is_nil((debug.gethook()))
  assert.equal("xx", ("x"):rep(2))
end

describe("the sandbox", function()
  after_each(assert_clean)

  it("runs a rule", function()
    local decide = open("return function(object) return accept(object.key, { queues[1].name }) end")
    local says = decide { key = "an-id" }
    assert.equal("accept", says.kind)
    assert.equal("an-id", says.id)
    assert.same({ { exchange = "", routing_key = "normal", } }, says.destinations)
  end)

  it("takes a verdict that was made when the script was loaded", function()
    local decide = open("local JUNK = ignore('junk')\nreturn function() return JUNK end")
    assert.equal("junk", decide(object()).reason)
    assert.equal("junk", decide(object()).reason)
  end)

  describe("refuses to load", function()
    for source, why in pairs {
      ["return function("] = "^rules%.lua:1: a parameter's name is missing before the end of the file",
      ["\n\nx ="] = "^rules%.lua:3: a value is missing before the end of the file",
      ["\nlocal x = nil + 1"] = "^rules%.lua:2: attempt to perform arithmetic on a nil value$",
      ["\nerror('boom')"] = "^rules%.lua:2: boom$",
      ["\nreturn error('boom')"] = "^rules%.lua:2: boom$",
      ["\nx = 1"] = '^rules%.lua:2: sets the global "x": write local x$',
      ["return function() return ignore(" .. ("'x' .. "):rep(100) .. "\n" .. ("'x' .. "):rep(200) .. "'x') end"] =
        "^rules%.lua:2: an expression is nested more than 200 deep %(each `%.%.` counts%): split it$",
      ["\n\nlocal x = " .. ("{"):rep(300)] = "^rules%.lua:3: an expression is nested more than 200 deep ",
      ["\nlocal s = string.rep"] = '^rules%.lua:2: string has no "rep"$',
      [""] = "^rules%.lua:1: the script returns a nil, but must return a function",
      ["\nreturn { }"] = "^rules%.lua:2: the script returns a table, but must return a function from an object "
        .. "to a verdict$",
      ["\nreturn 'x'"] = "^rules%.lua:2: the script returns a string, but must return a function",
      ["\27Lua"] = "^rules%.lua:1: compiled Lua, not a script",
      ["\nwhile true do end"] = "^rules%.lua:2: spent its budget of 1000000 instructions",
      ["\nlocal s = ('x'):gsub('x', function() while true do end end)"] = "^rules%.lua:2: spent its budget",
      ["return '" .. ("x"):rep(5000) .. "' .."] = "^rules%.lua:1: a value is missing",
      ["return f“x”"] = '^rules%.lua:1: a curly quote: write "$',
      ["goto nowhere"] = "^rules%.lua:1: no visible label 'nowhere' for <goto>",
      [("x = 1\n"):rep(20000) .. "return ="] = "^rules%.lua:20001: unexpected symbol near '='",
    } do
      it((("%q"):format(source:sub(1, 50)):gsub("\\\n", "\\n")), function()
        local found = load_failure(source)
        assert.matches(why, found)
        assert.is_true(#found <= 1200)
      end)
    end
  end)

  for name, start in pairs {
    ["a byte order mark"] = "\xEF\xBB\xBF", ["a first line with #!"] = "#!/usr/bin/lua\n",
    ["both"] = "\xEF\xBB\xBF#!/usr/bin/lua\n",
  } do
    it("takes a script with " .. name .. ", and keeps its lines", function()
      local source = start .. "return function(o)\n  if o.key == 'x' then error('boom') end\n"
        .. "  return ignore('y')\nend\n"
      local line = start:find("\n") and 3 or 2
      assert.equal("y", open(source)(object()).reason)
      local _, problem = open(source) { key = "x" }
      assert.equal(("rules.lua:%d: boom"):format(line), problem)
      _, problem = open((source:gsub("\n", "\r"))) { key = "x" }
      assert.equal(("rules.lua:%d: boom"):format(line), problem)
    end)
  end

  describe("ends", function()
    for name, body in pairs {
      ["an endless loop"] = "while true do end",
      ["an endless loop in a gsub callback"] = "return ('x'):gsub('x', function() while true do end end)",
      ["an endless sort comparator"] = "table.sort({ 1, 2, 3 }, function() while true do end end)",
      ["an endless iterator"] = "for _ in function() return 1 end do end",
      ["an endless goto"] = "::top:: goto top",
      ["a repeat with words"] = "repeat local s = sample('a', 'b') until false",
      ["a loop in a helper"] = "local function f() while true do end end\nf()",
    } do
      it(name, function()
        assert.matches("^rules%.lua:[23]: spent its budget of 1000000 instructions", failure(body))
      end)
    end

    it("a loop inside a word that was called by return", function()
      local head = "local big = {} for i = 1, 60000 do big[i] = i end "
      assert.matches("^rules%.lua:2: spent its budget", failure("while true do pairs(big) end", head))
    end)

    it("a recursion without end, and names the function", function()
      assert.matches("^rules%.lua:2: .*: does f call itself without end%?$",
        failure("local function f() return 1 + f() end\nreturn f()"))
      assert.matches("^rules%.lua:[23]: .*: does [fg] call itself without end%?$",
        failure("local f\nlocal function g() return 1 + f() end\nf = function() return 1 + g() end\nf()"))
    end)

    it("a tail recursion without end", function()
      assert.matches("^rules%.lua:2: spent", failure("local function f() return f() end\nreturn f()"))
    end)

    it("more instructions, where they are given", function()
      local source = "return function() for _ = 1, 2000000 do end return ignore('done') end"
      assert.is_nil((open(source)(object())))
      local settings = { queues = QUEUES, instructions = 20000000 }
      local decide = sandbox.open({ name = "rules.lua", source = source }, settings, verdict.judge)
      assert.equal("done", decide(object()).reason)
    end)

    it("a recursion through C", function()
      assert.matches("^rules%.lua:2: .*stack overflow: does .* call itself without end%?$",
        failure("local function f() return (('x'):gsub('x', f)) end\nf()"))
    end)

    -- Whether a loop of so many turns in this script spends the budget. In either case the next
    -- object is decided.
    local function is_spent(script, turns)
      local loaded, decide = pcall(open, (script:gsub("LOOP", ("for _ = 1, %d do end"):format(turns))))
      assert_clean()
      if not loaded then
        assert.matches("^rules%.lua:.* spent its budget of 1000000 instructions", decide)
        return true
      end
      local says, why = decide { key = "loop" }
      assert_clean()
      assert.equal("good", decide({ key = "good" }).reason)
      return not says and why:find("spent", 1, true) ~= nil
    end

    -- The fewest turns that spend it.
    local function edge_of(script)
      local enough, most = 0, 1000000
      while most - enough > 1 do
        local turns = (enough + most) // 2
        if is_spent(script, turns) then most = turns else enough = turns end
      end
      return most
    end

    -- Every length, so that the budget also ends in trusted code around the script.
    for what, body in pairs {
      ["a loop and a verdict"] = "LOOP return ignore('x')",
      ["a loop and an error"] = "LOOP error('x')",
      ["a loop and a forged lack of memory"] = "LOOP error('not enough memory')",
      ["a loop and words called by return"] = "LOOP return ignore(tostring(sample('a', 'b')))",
      ["a loop in a gsub callback"] = "return ignore((('x'):gsub('x', function() LOOP end)))",
      ["a loop in a sort comparator"] =
        "table.sort({ 1, 2 }, function(a, b) LOOP return a < b end) return ignore('x')",
    } do
      it_uncounted(what .. ", of every length within 200 instructions of the budget", function()
        local script = "return function(o) if o.key == 'good' then return ignore('good') end " .. body .. " end"
        local edge = edge_of(script)
        assert.is_true(edge > 999500)
        for turns = edge - 200, edge + 200 do
          assert.equal(turns >= edge, is_spent(script, turns))
        end
      end)
    end

    it("a loop while loading, of every length within 200 instructions of the budget", function()
      local script = "LOOP return function() return ignore('good') end"
      local edge = edge_of(script)
      assert.is_true(edge > 999900)
      for turns = edge - 200, edge + 200 do
        assert.equal(turns >= edge, is_spent(script, turns))
      end
    end)

    it_uncounted("inside sample, which still samples the same", function()
      local least, most, was_spent = 999700, 999950, {}
      for n = least, most do
        local decide = open(([[
          return function(object)
            if object.key == "good" then return ignore(tostring(sample(object.bucket, "x"))) end
            sample("first", "x")
            for i = 1, %d do end
            return ignore(tostring(sample("second", "x")))
          end]]):format(n))
        for _, id in ipairs { "first", "second" } do
          was_spent[n] = not decide { key = "bad" }
          assert.equal(tostring(sample.of(id, "x")), decide({ key = "good", bucket = id }).reason)
        end
      end
      assert.is_false(was_spent[least])
      assert.is_true(was_spent[most])
    end)

    it("a loop with the budget of one object, not of many", function()
      local decide = open("return function() for i = 1, 100000 do end return ignore('x') end")
      for _ = 1, 30 do
        assert.equal("ignore", decide(object()).kind)
      end
    end)
  end)

  describe("stops what keeps the processor", function()
    -- The sandbox with a clock that is this much later at each look, and how often it was looked at.
    local function open_with(step_ms)
      local looks = 0
      local fresh = with_clock(function()
        looks = looks + 1
        return looks * step_ms / 1000
      end)
      local decide = fresh.open({ name = "rules.lua", source = [[
        local function deep(n) return 1 + deep(n + 1) end
        return function(object)
          if object.key == "deep" then
            deep(1)
          end
          for _ = 1, object.size or 0 do end
          return ignore("x")
        end]] }, { queues = QUEUES }, verdict.judge)
      return decide, function() return looks end
    end

    it("after 50 ms of CPU, and decides the next object", function()
      local decide = open_with(20)
      local says, why = decide { key = "k", size = 900000 }
      assert.is_nil(says)
      assert.equal("rules.lua:6: kept the processor for 50 ms: does it build or search long texts again and again?",
        why)
      assert.equal("x", decide({ key = "k", size = 5 }).reason)
    end)

    it("after no less", function()
      local decide = open_with(20)
      for _ = 1, 9 do
        assert.equal("x", decide({ key = "k", size = 35000 }).reason) -- three looks, 40 ms
      end
      assert.is_nil(decide { key = "k", size = 45000 })
    end)

    it("and names a function that calls itself", function()
      local _, why = open_with(20) { key = "deep" }
      assert.equal("rules.lua:1: kept the processor for 50 ms: does deep call itself without end?", why)
    end)

    it("and looks at the clock every 10,000 instructions, never in a short run", function()
      local decide, looks = open_with(0)
      decide { key = "k", size = 9000 }
      assert.equal(0, looks())
      decide { key = "k", size = 995000 }
      assert.equal(99, looks())
    end)
  end)

  describe("has no", function()
    for _, name in ipairs {
      "os", "io", "debug", "package", "require", "load", "loadstring", "dofile", "pcall", "xpcall", "coroutine",
      "setmetatable", "getmetatable", "next", "rawset", "rawget", "rawequal", "print", "collectgarbage", "_G",
      "utf8", "cjson",
    } do
      it(name, function()
        local expected = ('rules.lua:2: there is no word "%s"'):format(name)
        assert.equal(expected, failure("local x = " .. name):sub(1, #expected))
      end)
    end

    for _, expression in ipairs {
      "string.rep", "string['rep']", "('x').rep", "('x'):rep(2)", "(object.key):rep(2)", "string.dump",
      "('x').dump", "string.pack", "('').pack", "('b'):pack(1)",
    } do
      it(expression, function()
        assert.matches('^rules%.lua:2: string has no "%l+"$', failure("local x = " .. expression))
      end)
    end

    it("rep inside callbacks, or in a helper of the chunk", function()
      assert.matches('string has no "rep"', failure("return ('x'):gsub('x', function(c) return c:rep(9) end)"))
      assert.matches('string has no "rep"', failure("return f('x')", "local function f(s) return s:rep(9) end "))
    end)

    it("math.random", function()
      assert.equal('rules.lua:2: math has no "random" in rules: a retry must decide the same: sample(id, salt) is a '
        .. 'number from 0 to below 100', failure("return math.random()"))
    end)
  end)

  describe("keeps for others", function()
    it("its environment, whatever is assigned to _ENV", function()
      local decide = open([[
        return function(object)
          local made = accept("x", { "normal" })
          _ENV = { accept = 1 }
          return made
        end]])
      assert.equal("accept", decide(object()).kind)
      assert.equal("accept", decide(object()).kind)
    end)

    it("its libraries", function()
      for _, body in ipairs {
        "string.upper = 1", "table.insert(string, 1)", "math.pi = 3", "accept = ignore",
        "queues[1] = nil", "queues[1].throttle = 0", "table.remove(queues)",
        "table.sort(queues, function() return true end)",
      } do
        assert.matches("^rules%.lua:2: .*cannot be changed", failure(body))
      end
      for _, body in ipairs { "x = 1", "_ENV.x = 1", "function x() end" } do
        assert.equal('rules.lua:2: sets the global "x": write local x', failure(body))
      end
      assert.equal("X", ("x"):upper())
      assert.same({ { name = "normal", throttle = 100 }, { name = "submitter", throttle = 15 } }, QUEUES)
    end)

    it("the object: each look has its own", function()
      local decide = open("return function(o) o.key = o.key .. '!' return ignore(o.key) end")
      local given = object()
      assert.equal("v2/raw_crash/x!", decide(given).reason)
      assert.equal("v2/raw_crash/x!", decide(given).reason)
      assert.equal("v2/raw_crash/x", given.key)
    end)

    it("a hook that was there before", function()
      local lines = 0
      local function count() lines = lines + 1 end
      local decide = open("return function() return ignore('x') end")
      debug.sethook(count, "l", 0)
      decide(object())
      local hook, mask = debug.gethook()
      debug.sethook()
      assert.equal(count, hook)
      assert.equal("l", mask)
      assert.is_true(lines > 0)
    end)
  end)

  -- One object tries each; a script that uses every word decides the object after it.
  describe("decides the next object as if nothing had happened, after", function()
    local HEAD = [[
local kept = { "kept" }
local function usual(object)
  local parts = { object.key, object.bucket, tostring(#queues), queues[2].name, queues[2].throttle, env, kept[1] }
  parts[#parts + 1] = ("%s"):format(("b"):upper():lower()) .. math.floor(sample("a", "b"))
  table.sort({ 2, 1 })
  return accept(table.concat(parts, " "), { "normal", exchange("e", "r") })
end
return function(object)
  if object.key == "good" then return usual(object) end
]]
    local attacks = {
      "while true do end", "local function f() return f() + 1 end f()", "local function f() f() end f()",
      "('x'):gsub('x', function() while true do end end)", "table.sort({ 1, 2, 3 }, function() while true do end end)",
      "table.sort({ 3, 1, 2, 5, 4 }, function() return true end) error('sorted')",
      "for _ in ('x'):gmatch('') do while true do end end", "_ENV = { accept = ignore } while true do end",
      "_ENV = nil return accept", "_ENV.string = nil", "_ENV.accept = ignore", "accept = ignore", "string.format = 1",
      "table.sort = nil", "math.floor = nil", "queues[1] = nil", "queues[2].throttle = 0", "queues.x = 1",
      "table.insert(queues, 'x')", "table.remove(queues)", "table.insert(queues[1], 'x')", "table.insert(string, 'x')",
      "table.sort(queues, function() return true end)", "('x').format = 1", "ignore('x').kind = 'accept'",
      "return { kind = 'accept', id = 'x', destinations = {} }", "return accept", "return queues", "return queues[1]",
      "return string", "return _ENV", "return object", "return true", "return 'accept'", "return exchange('a', 'b')",
      "error()", "error({})", "error(accept)", "error(nil)", "error(object)", "error('not enough memory')",
      "local s = 'x' for _ = 1, 25 do s = s .. s end error(s)", "object.key = 'good' error(object.key)",
      "object.nonsense = 1 return object.missing", "return object:key()", "return table.unpack({}, 1, 1e8)",
      "return string.format('%99999d', 1)", "return table.concat({}, '', 1, 1e15)", "return string.char(-1)",
      "return accept('x', queues)", "return accept('x', object)", "return defer(('x'):rep(3))", "goto_nowhere()",
      "return setmetatable(object, {})", "return getmetatable('')", "return next({})", "return pcall(error)",
      "return coroutine.wrap(accept)", "return load('return 1')", "return require('cjson')", "return os.exit(1)",
      "return io.write('x')", "return debug.sethook()", "return dofile('x')", "return package.loaded",
      "return collectgarbage('stop')", "return rawset(string, 'x', 1)", "return print('x')",
      "return tostring(object)", "return ('%p'):format(object)", "return ('%s'):format(accept)",
      "return pairs(string, 1)(function() end)", "return ipairs()", "return select(-9)", "return tonumber({})",
      "return sample('a')", "return crash_id(7)", "return exchange({}, {})",
      "local x <close> = object", "local x <close> = accept('x', {})", "local x <close> = queues",
      "for i = 1, math.huge do end", "for i = 1, 10, 0 do end", "for i = 1, 3, 1e-320 do end",
      "return select(-1)", "return table.unpack({}, math.mininteger, math.maxinteger)",
      "local t = {} for i = 1, 100000 do t[i] = 'q' .. i end return accept('x', t)",
      "local t = {} t[1] = t return accept('x', t)",
      "local t = {} for i = 1, 9999 do t = { t } end return accept('x', t)",
      "return accept(0/0, {})", "return accept('x', { 0/0 })", "return accept('x', { [1/0] = 'a' })",
      "local t = {} t[0/0] = 1", "local t = {} t[nil] = 1", "for k in pairs(_ENV) do _ENV[k] = nil end",
      "local _ENV = {} string.format = 1", "local t = {} for i = 1, 1e5 do t[i] = -i end table.sort(t)",
      "local t, i = { 1, 2, 3, 4, 5, [9] = 1 }, 8 while i > 0 do t[i] = 1 i = i * 2 end table.sort(t)",
      "local t = {} for i = 1, 999 do t[i] = i end table.sort(t, function() return true end) return #t",
      "table.sort({ object, object }, function(a) error(a) end)", "return ('rep'):gsub('%w+', string)",
      "return ('accept'):gsub('%w+', _ENV)", "return (('('):format()):find('(')",
      "local s, p = 'a', 'a?' for i = 1, 9 do s, p = s .. s, p .. p end return s:find(p)",
      "local s = '(' for i = 1, 9 do s = s .. s end return s:find(s)",
      "local s = 'x' for i = 1, 22 do s = s .. s end return string[s]",
      "local s = 'x' for i = 1, 22 do s = s .. s end return accept(s, { s })",
      "return ('%q'):format(object)", "return ('%99.99f%99.99f'):format(1e308, {})", "return ('%n'):format(1)",
      "return string.unpack('s8', '\\255\\255\\255\\255\\255\\255\\255\\127')",
      "local function f(n) return 1 + f(n + 1) end return f(0)", "return accept('x', {})()", "return -accept('x', {})",
    }
    for _, attack in ipairs(attacks) do
      it(attack, function()
        local decide = open(HEAD .. "  do " .. attack .. " end\nend\n")
        local good = { key = "good", bucket = "b" }
        local first = assert(decide(good))
        local says, why = decide { key = "bad", bucket = "b" }
        assert.is_nil(says)
        assert.is_string(why)
        assert.is_true(#why <= 1100)
        assert_clean()
        assert.same(first, assert(decide(good)))
        assert.equal("good b 2 submitter 15 prod kept b" .. first.id:match("%d+$"), first.id)
      end)
    end
  end)

  -- Where even what calls the script fails: the same as without memory.
  it_uncounted("fails, and decides nothing, where Lua's own stack of C is nearly full", function()
    local decide = open("return function() return ignore('x') end")
    local kinds = {}
    local function deep(n)
      if n > 0 then return select(2, pcall(deep, n - 1)) end
      local says, why = decide(object())
      kinds[says and (says.kind or "no verdict") or why] = true
    end
    for n = 150, 220 do
      deep(n)
      assert_clean()
    end
    assert.same({ ignore = true, ["rules.lua: C stack overflow"] = true }, kinds)
    assert.equal("x", decide(object()).reason)
  end)

  describe("says which line failed", function()
    for _, case in ipairs {
      { "at an error of Lua", 'local x = nil\nlocal y = x.y.z',
        "rules.lua:3: x is nil here: check it first, as in: if x then" },
      { "at an error of Lua in a helper", "local function f(x)\nreturn x.y\nend\nlocal y = f()\nreturn y",
        "rules.lua:3: x is nil here: check it first, as in: if x then" },
      { "at error()", "error('boom')", "rules.lua:2: boom" },
      { "at error() by return", "\n\nreturn error('boom')", "rules.lua:4: boom" },
      { "at error() with a level", "\nerror('boom', 2)", "rules.lua:3: boom" },
      { "at assert by return", "\nreturn assert(false, 'boom')", "rules.lua:3: boom" },
      { "at assert without words by return", "\nreturn assert(nil)", "rules.lua:3: assertion failed!" },
      { "at a word", "\naccept(1)", "rules.lua:3: accept: the id is a number, but must be a string" },
      { "at a word by return", "\nreturn accept(1)",
        "rules.lua:3: accept: the id is a number, but must be a string" },
      { "at a word by return, after a call on the same line", "\nreturn accept(#object.key:gsub('x', 'y'), {})",
        "rules.lua:3: accept: the id is a number, but must be a string" },
      { "at a word by return in a helper", "local function f()\nreturn accept(1)\nend\nreturn f()",
        "rules.lua:3: accept: the id is a number, but must be a string" },
      { "at a word by return in a helper whose result is not returned",
        "local function no(why)\nreturn ignore(why)\nend\nlocal x = no(5)\nreturn x",
        "rules.lua:3: ignore: the reason is a number, but must be a string" },
      { "at a word by return in a helper of a helper",
        "local function no(why)\nreturn ignore(why)\nend\nlocal function f()\nreturn no(5)\nend\nlocal x = f()",
        "rules.lua:3: ignore: the reason is a number, but must be a string" },
      { "at error() by return in a helper", "local function f()\nreturn error('boom')\nend\nlocal x = f()",
        "rules.lua:3: boom" },
      { "at a word by return, after a helper on the same line",
        "local function id()\nreturn 7\nend\nreturn accept(id())",
        "rules.lua:5: accept: the id is a number, but must be a string" },
      { "at a word by return, over several lines", "local function id()\nreturn 7\nend\nreturn accept(\nid(),\n{})",
        "rules.lua:5: accept: the id is a number, but must be a string" },
      { "at a C function", "local s = table.concat({ {} })",
        "rules.lua:2: invalid value (table) at index 1 in table for 'concat'" },
      { "at a C function by return", "\nreturn table.concat({ {} })",
        "rules.lua:3: invalid value (table) at index 1 in table for 'concat'" },
      { "at a misspelt field", "\nreturn ignore(object.reason)",
        'rules.lua:3: an object has no "reason": did you mean region?' },
      { "at an end without a verdict", "local x = 1\n",
        "rules.lua:4: the rule returned nothing, but must return accept(...), defer(...) or ignore(...)" },
      { "at a return without a verdict", "\nreturn 'accept'\n",
        "rules.lua:3: the rule returned a string, but must return accept(...), defer(...) or ignore(...)" },
      { "at a forged verdict", "return { kind = 'accept', id = 'x', destinations = {} }",
        "rules.lua:2: the rule returned a table, but must return accept(...), defer(...) or ignore(...)" },
      { "at an exchange as verdict", "return exchange('a', 'b')",
        "rules.lua:2: the rule returned an exchange, but must return accept(...), defer(...) or ignore(...)" },
    } do
      it(case[1], function()
        assert.equal(case[3], failure(case[2]))
      end)
    end

    it("also where a line says so itself", function()
      assert.equal("rules.lua:2: rules.lua:9: boom", failure("error('rules.lua:9: boom')"))
    end)

    it("as far as the first look knows it, where the second ends otherwise", function()
      assert.equal("rules.lua:5: ignore: the reason is a number, but must be a string", failure(
        "seen = seen + 1 local function no(why)\nreturn ignore(why)\nend\nlocal x = no(seen == 1 and 5 or {})",
        "local seen = 0 "))
    end)

    it("without hope where the second look is too long", function()
      assert.equal("rules.lua: boom", failure("for i = 1, 300000 do end\nreturn error('boom')"))
    end)

    it("with the second look's own object", function()
      assert.equal("rules.lua:4: boom",
        failure("if object.key == '' then return ignore('changed') end\nobject.key = ''\nreturn error('boom')"))
    end)
  end)

  describe("looks closely", function()
    local function closely(body)
      return open("return function(object)\n" .. body .. "\nend")(object(), true)
    end

    it("and knows the line of a verdict, not one in a helper", function()
      local says, _, trace = closely("local function id()\nreturn 'x'\nend\nreturn accept(id(),\n{ id() })")
      assert.equal("x", says.id)
      assert.equal(5, trace.line)
      assert.same({ [3] = true, [4] = true, [5] = true, [6] = true }, trace.lines)
    end)

    it("and knows a line of a helper that decided", function()
      local _, _, trace = closely("local function no()\nreturn ignore('x')\nend\nreturn no()")
      assert.equal(3, trace.line)
    end)

    it("and tells failures as always", function()
      local says, why, trace = closely("local x = 1\nreturn error('boom')")
      assert.is_nil(says)
      assert.equal("rules.lua:3: boom", why)
      assert.equal(3, trace.line)
    end)

    -- A close look must decide the same.
    it("and decides what takes too long for that without", function()
      local says, why, trace = closely("for i = 1, 300000 do end\nreturn ignore('x')")
      assert.equal("x", says.reason)
      assert.is_nil(why)
      assert.is_nil(trace)
      why = select(2, closely("while true do end"))
      assert.matches("^rules%.lua:2: spent its budget of 1000000", why)
    end)

    it("and decides the same on both sides of where that begins", function()
      local function looked(turns)
        local says, _, trace = closely(("for _ = 1, %d do end\nreturn ignore('x')"):format(turns))
        assert_clean()
        assert.equal("x", says.reason)
        return trace ~= nil
      end
      local enough, most = 90000, 110000
      while most - enough > 1 do
        local turns = (enough + most) // 2
        if looked(turns) then enough = turns else most = turns end
      end
      for turns = most - 10, most + 10 do
        assert.equal(turns < most, looked(turns))
      end
    end)
  end)

  describe("takes as error value", function()
    for value, text in pairs {
      ["nil"] = "an error without a text: a nil", ["{}"] = "an error without a text: a table",
      ["true"] = "an error without a text: a boolean", ["accept"] = "an error without a text: a function",
      ["defer('x')"] = "an error without a text: a table", ["7"] = "7",
    } do
      it(value, function()
        assert.equal("rules.lua:2: " .. text, failure("error(" .. value .. ")"))
        assert.equal("rules.lua:2: " .. text, failure("return error(" .. value .. ")"))
      end)
    end

    -- Lua takes this text for its own and does not call the message handler, as without memory
    it("a forged lack of memory, and puts everything back", function()
      assert.equal("rules.lua: not enough memory", failure("error('not enough memory')"))
      assert_clean()
    end)

    it("a very long one, and cuts it", function()
      local why = failure("local s = 'x' for i = 1, 25 do s = s .. s end error(s)") -- 32 MB
      assert.equal("rules.lua:2: " .. ("x"):rep(1024), why)
    end)
  end)
end)
