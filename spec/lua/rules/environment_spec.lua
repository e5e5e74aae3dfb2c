local environment = require "pigeon.rules.environment"
local sample = require "pigeon.rules.sample"

local LIST = { { name = "normal", throttle = 100 }, { name = "submitter", throttle = 15 } }

describe("a script's environment", function()
  local words = environment.globals { queues = LIST, env = "prod" }

  local function refused(call, ...)
    local ok, message = pcall(call, ...)
    assert.is_false(ok)
    return message
  end

  it("cannot be changed, and neither can what is in it", function()
    assert.equal('sets the global "x": write local x', refused(function() words.x = 1 end))
    for _, key in ipairs { "accept", "string", "env", "a b", "" } do
      assert.equal(('the environment cannot be changed: setting "%s"'):format(key),
        refused(function() words[key] = 1 end))
    end
    assert.equal('string cannot be changed: setting "upper"', refused(function() words.string.upper = 1 end))
    assert.equal('queues cannot be changed: setting 3', refused(function() words.queues[3] = 1 end))
    assert.equal('a queue cannot be changed: setting "name"', refused(function() words.queues[1].name = "x" end))
    refused(table.sort, words.queues, function() return true end)
    refused(table.insert, words.queues, "x")
    refused(table.remove, words.queues)
    assert.equal(2, #words.queues)
    assert.equal("normal", words.queues[1].name)
  end)

  it("has more words where they are given, for this script alone", function()
    local more = environment.globals { queues = LIST, words = { count = function() return 7 end } }
    assert.equal(7, more.count())
    assert.equal('there is no word "count"', refused(function() return words.count end))
  end)

  it("shows queues as a list of names and throttles", function()
    local seen = {}
    for i, queue in words.ipairs(words.queues) do
      seen[i] = queue.name .. "=" .. queue.throttle
    end
    assert.same({ "normal=100", "submitter=15" }, seen)
    assert.equal("submitter", select(2, table.unpack(words.queues)).name)
  end)

  it("is strict about names and not about lists", function()
    assert.equal('a queue has no "throtle"', refused(function() return words.queues[1].throtle end))
    assert.equal('there is no word "acept"', refused(function() return words.acept end))
    assert.is_nil(words.queues[3])
  end)

  it("has env also where it is not set", function()
    assert.equal("prod", words.env)
    rawset(_G, "env", "Lua's own")
    local unset = environment.globals { queues = {} }
    rawset(_G, "env", nil)
    assert.is_nil(unset.env)
  end)

  it("keeps its tables apart from those of another script", function()
    local other = environment.globals { queues = LIST }
    assert.are_not.equal(words.string, other.string)
    assert.are_not.equal(string, words.string)
  end)

  it("walks numbers, then strings, each sorted", function()
    local seen = {}
    for key, value in words.pairs { z = 1, a = 2, [10] = 3, [-1] = 4, [2.5] = 5, "one", B = 6 } do
      seen[#seen + 1] = key .. "=" .. value
    end
    assert.equal("-1=4 1=one 2.5=5 10=3 B=6 a=2 z=1", table.concat(seen, " "))
  end)

  it("walks queues and libraries with pairs too", function()
    local seen = {}
    for key in words.pairs(words.queues[1]) do
      seen[#seen + 1] = key
    end
    assert.same({ "name", "throttle" }, seen)
    assert.equal("byte", (words.pairs(words.string)()))
  end)

  it("passes over what is removed during pairs", function()
    local list, seen = { a = 1, b = 2, c = 3 }, {}
    for key in words.pairs(list) do
      seen[#seen + 1] = key
      list.b = nil
    end
    assert.same({ "a", "c" }, seen)
  end)

  it("refuses pairs over keys without an order", function()
    assert.matches("^pairs: a boolean as key", refused(words.pairs, { [true] = 1 }))
    assert.matches("^pairs: a table as key", refused(words.pairs, { [{}] = 1 }))
    assert.equal("pairs: a table expected, got nil", refused(words.pairs, nil))
  end)

  it("shows no address", function()
    assert.matches("shows its address", refused(words.tostring, {}))
    assert.matches("shows its address", refused(words.tostring, print))
    assert.matches("shows its address", refused(words.string.format, "%d %s", 1, {}))
    assert.matches("shows its address", refused(words.string.format, "%s", nil, print))
    for _, format in ipairs { "%p", "%%%p", "%-20p", "%20.5p", "a %s %p" } do
      assert.matches("%%p is an address", refused(words.string.format, format, "x", "y"))
    end
    local ok, problem = pcall(words.string.format, "%240d", 1)
    assert.is_false(ok)
    assert.equal("invalid conversion specification: '%240d'", problem)
    assert.equal("100%p 1.5 x nil", words.string.format("100%%p %s %s %s", 1.5, "x", nil))
    assert.equal("nil", words.tostring(nil))
    assert.equal("1.0", words.tostring(1.0))
  end)

  it("sorts as Lua does, and keeps the order of equal values", function()
    local function sorted(list, less)
      words.table.sort(list, less)
      return table.concat(list, " ")
    end
    assert.equal("", sorted {})
    assert.equal("1", sorted { 1 })
    assert.equal("-1 1.5 2 3", sorted { 3, 1.5, 2, -1 })
    assert.equal("B a b", sorted { "b", "a", "B" })
    assert.equal("3 2 1", sorted({ 3, 1, 2 }, function(a, b) return a > b end))
    assert.equal("bb aa c d", sorted({ "bb", "c", "aa", "d" }, function(a, b) return #a > #b end))
    math.randomseed(7)
    for count = 1, 200 do
      local ours, lua = {}, {}
      for i = 1, count do
        ours[i] = math.random(count)
        lua[i] = ours[i]
      end
      table.sort(lua)
      assert.equal(table.concat(lua, " "), sorted(ours))
    end
  end)

  it("loses nothing by a bad comparator, and refuses what it cannot sort", function()
    local list = {}
    for i = 1, 1000 do list[i] = i end
    words.table.sort(list, function() return true end)
    table.sort(list)
    for i = 1, 1000 do assert.equal(i, list[i]) end -- none is lost
    assert.equal("table.sort: a string and a number cannot be compared", refused(words.table.sort, { 1, "x" }))
    assert.equal("table.sort: a table and a table cannot be compared", refused(words.table.sort, { {}, {} }))
    assert.equal("table.sort: a table expected, got nil", refused(words.table.sort))
    assert.equal("table.sort: a function expected, got number", refused(words.table.sort, { 1 }, 7))
  end)

  it("checks what crash_id and sample are given", function()
    assert.equal("crash_id: the key is a nil, but must be a string", refused(words.crash_id))
    assert.equal("sample: the id is a nil, but must be a string", refused(words.sample, nil, "x"))
    assert.equal("sample: the salt is a number, but must be a string", refused(words.sample, "x", 1))
    assert.equal(72.27064863403389, words.sample("", ""))
  end)

  it("checks what sample is given also where it knows the queue, or the id", function()
    local ID = "00000001-2d1c-4865-af09-80bc01180313"
    local fresh = environment.globals { queues = LIST }
    assert.equal("sample: the id is a nil, but must be a string", refused(fresh.sample, nil, "normal"))
    assert.equal("sample: the id is a boolean, but must be a string", refused(fresh.sample, false, "normal"))
    assert.equal(ID, fresh.crash_id("x/" .. ID))
    assert.equal("sample: the salt is a nil, but must be a string", refused(fresh.sample, ID))
    fresh.sample(ID, "normal")
    assert.equal("sample: the salt is a nil, but must be a string", refused(fresh.sample, ID))
    assert.equal("sample: the id is a nil, but must be a string", refused(fresh.sample, nil, "normal"))
    assert.equal("sample: the id is a number, but must be a string", refused(fresh.sample, 7, "normal"))
    assert.is_nil(fresh.crash_id("no id"))
    assert.equal("sample: the id is a nil, but must be a string", refused(fresh.sample, nil, "normal"))
  end)

  it("checks the id that is accepted also after one that crash_id found", function()
    local ID = "00000001-2d1c-4865-af09-80bc01180313"
    local fresh = environment.globals { queues = LIST }
    assert.equal("accept: the id is a nil, but must be a string", refused(fresh.accept, nil, {}))
    fresh.crash_id(ID)
    assert.equal("accept: the id has a byte that cannot be printed", refused(fresh.accept, ID .. "\n", {}))
    assert.equal("accept: the id is a nil, but must be a string", refused(fresh.accept, nil, {}))
  end)

  it("samples the same, whichever id was asked for before", function()
    for _, id in ipairs { "a", "a", "", "b", "a", ("x"):rep(99), ("x"):rep(98) .. "y", "a" } do
      assert.equal(sample.of(id, "normal"), words.sample(id, "normal"))
      assert.equal(sample.of(id, "no queue"), words.sample(id, "no queue"))
      assert.equal(sample.of(id, "submitter"), words.sample(id, "submitter"))
      refused(words.sample, nil, "normal")
      refused(words.sample, id, nil)
    end
  end)

  it("gives an object that is strict about its fields and a copy", function()
    local original = { key = "k", bucket = "b" }
    local copy = environment.object(original)
    copy.key = "changed"
    assert.equal("k", original.key)
    assert.is_nil(copy.version_id)
    assert.equal('an object has no "evnt_name"', refused(function() return copy.evnt_name end))
  end)
end)
