local cjson = require "cjson"
local json = require "pigeon.json"

describe("json.encode", function()
  for _, case in ipairs {
    { "a string", "a/b", '"a/b"' },
    { "quotes and backslashes", 'a"\\', [["a\"\\"]] },
    { "control characters", "\0\n\31\127", [["\u0000\u000a\u001f\u007f"]] },
    { "UTF-8", "é日\u{10FFFF}", '"é日\u{10FFFF}"' },
    { "bytes that are not UTF-8", "a\xff\xc3", '"a\u{FFFD}\u{FFFD}"' },
    { "half a surrogate pair", "\xed\xa0\x80", '"\u{FFFD}\u{FFFD}\u{FFFD}"' },
    { "true", true, "true" },
    { "false", false, "false" },
    { "an integer", 1545082649183, "1545082649183" },
    { "the largest integer", math.maxinteger, "9223372036854775807" },
    { "a float", 0.1 + 0.2, "0.3" },
    { "a whole float", 3.0, "3" },
    { "an empty object", {}, "{}" },
    { "an empty list", json.list {}, "[]" },
    { "a list", { 1, "a", { b = { 2 } } }, '[1,"a",{"b":[2]}]' },
    { "a list of lists", { json.list {}, {} }, "[[],{}]" },
    { "an object, its members sorted", { b = 1, a = 2, ["a b"] = 3, B = 4, [""] = 5, ["é"] = 6 },
      '{"":5,"B":4,"a":2,"a b":3,"b":1,"é":6}' },
    { "a member's name", { ['"\n'] = 1 }, [[{"\"\u000a":1}]] },
  } do
    it("writes " .. case[1], function() assert.equal(case[3], json.encode(case[2])) end)
  end

  for what, value in pairs {
    ["a function"] = print, ["nan"] = 0 / 0, ["inf"] = math.huge, ["-inf"] = -math.huge,
    ["a name that is a number"] = { [2] = "x" }, ["a name that is a boolean"] = { [true] = 1 },
    ["a list with members"] = { 1, 2, a = 3 }, ["a list with a hole"] = { 1, nil, 3 },
    ["an empty list with a member"] = json.list { a = 1 }, ["null"] = cjson.null,
  } do
    it("raises for " .. what, function() assert.has_error(function() json.encode { x = value } end) end)
  end
  it("raises for nil", function() assert.has_error(function() json.encode(nil) end) end)

  -- Members in one order, and in another, after others that are gone.
  it("writes the same bytes for the same members", function()
    for _ = 1, 200 do
      local names, one, other = {}, {}, {}
      for i = 1, math.random(12) do names[i] = "n" .. math.random(1000) end
      for i = 1, 40 do other["x" .. i] = 1 end
      for i = 1, #names do one[names[i]] = #names[i] end
      for i = #names, 1, -1 do other[names[i]] = #names[i] end
      for i = 1, 40 do other["x" .. i] = nil end
      assert.equal(json.encode(one), json.encode(other))
      assert.same(one, cjson.decode(json.encode(other)))
    end
  end)

  it("writes what can be read, for any bytes", function()
    for _ = 1, 2000 do
      local bytes = {}
      for i = 1, math.random(0, 12) do bytes[i] = string.char(math.random(0, 255)) end
      local written = json.encode(table.concat(bytes))
      assert.is_truthy(utf8.len(written))
      assert.is_nil(written:find("%c"))
      assert.equal(written, json.encode(cjson.decode("[" .. written .. "]")[1]))
    end
  end)

  it("leaves its value as it is", function()
    local list, object = { 3, 1, 2 }, { b = 1, a = 2 }
    json.encode { list = list, object = object }
    assert.same({ 3, 1, 2 }, list)
    assert.same({ b = 1, a = 2 }, object)
  end)
end)
