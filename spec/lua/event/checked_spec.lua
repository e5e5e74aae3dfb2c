local checked = require "pigeon.event.checked"

describe("checked.attempt", function()
  it("gives what is wrong with a document", function()
    local ok, problem = checked.attempt(checked.fail, "%s is %d", "x", 7)
    assert.is_false(ok)
    assert.equal("x is 7", problem)
    assert.is_true((checked.attempt(checked.decoder {}, "{}", "x")))
  end)

  it("raises what is our own mistake, or a lack of memory", function()
    for _, mistake in ipairs { "checked.lua:1: attempt to index a nil value", "not enough memory" } do
      local ok, raised = pcall(checked.attempt, error, mistake, 0)
      assert.is_false(ok)
      assert.equal(mistake, raised)
    end
  end)
end)

describe("checked.at", function()
  it("puts the place of a record before that within it, and before no other", function()
    assert.equal("Records[3].s3 is missing", checked.at("Records[3]", ".s3 is missing"))
    assert.equal("detail is missing", checked.at("", ".detail is missing"))
    assert.equal("Records[0].body is empty", checked.at("Records[0]", "Records[0].body is empty"))
  end)
end)

-- What decode() must return for a value that cjson decoded.
local function without_others(value, names)
  if type(value) ~= "table" then return value end
  local kept, dropped = {}, false
  for name, member in pairs(value) do
    if type(name) == "number" or names[name] then
      kept[name] = without_others(member, names)
    else
      dropped = true
    end
  end
  if dropped and next(kept) == nil then kept[""] = true end
  return kept
end

describe("checked.decoder", function()
  local cjson = require "cjson"
  local long = ("n"):rep(31)
  local decode = checked.decoder { "a", "b", "name", "other", "é", long }

  for bytes, problem in pairs {
    ["{"] = "parse error: premature EOF at byte 1", [""] = "parse error: premature EOF at byte 0",
    ["\xff"] = "lexical error: invalid char in json text at byte 1", ["[NaN]"] = "lexical error: ",
    ["{} x"] = "parse error: trailing garbage at byte 4", ['{"a":1,}'] = "parse error: ",
    ['{"x":{"y":}}'] = "parse error: ", ['{"x":'] = "parse error: premature EOF at byte 5",
    ['{} "'] = "trailing garbage at byte 3", ["7 8"] = "trailing garbage at byte 2",
    ['["\\ud83d"]'] = "half a surrogate pair at byte 2", ['["\\uDCA5"]'] = "half a surrogate pair at byte 2",
    ['["\\\\\\uD83D\\u0041"]'] = "half a surrogate pair at byte 4",
    ['["\\ud83d\\udca5\\udca5"]'] = "half a surrogate pair at byte 14",
    ['["\\udbff-udfff"]'] = "half a surrogate pair at byte 2",
    ['["\\udbff\\ndfff"]'] = "half a surrogate pair at byte 2",
    ["[01]"] = "parse error: ", ["[1.]"] = "lexical error: ", ['["\\u12"]'] = "lexical error: ",
    ['["\n"]'] = "lexical error: ",
    [("["):rep(65) .. ("]"):rep(65)] = "more than 64 levels at byte",
    ['{"x":' .. ("["):rep(64) .. ("]"):rep(64) .. "}"] = "more than 64 levels at byte",
  } do
    it(("refuses %q"):format(bytes:sub(1, 20)), function()
      local ok, why = checked.attempt(decode, bytes, "Records[0].body")
      assert.is_false(ok)
      assert.equal("Records[0].body is not JSON: " .. problem, why:sub(1, 29 + #problem))
      assert.is_nil(why:find("\n"))
      assert.same({ a = 1 }, decode('{"a":1}', ""))
    end)
  end

  it("keeps the members of these names, at any level", function()
    assert.same({ a = { b = { { name = "x", a = cjson.null }, 7, true, { [""] = true } } }, [long] = -0.5 },
      decode('{"a":{"x":{"a":1},"b":[{"name":"x","names":2,"a":null},7,true,{"B":[{"a":1},[]]}],"c":"\\u00e9"},"'
        .. long .. 'n":1,"' .. long .. '":-5e-1}', ""))
    assert.equal(7, decode(" 7", ""))
    assert.equal("\\ud83d\u{D7FF}\u{E000}\u{10FFFF}", decode([["\\ud83d\ud7ff\uE000\uDBFF\uDFFF"]], ""))
    assert.same({ ["é"] = "\u{1F4A5}\0/" }, decode('{"\\u00e9":"\\ud83d\\udca5\\u0000\\/"}', ""))
  end)

  it("keeps 64 levels, and strings that are not UTF-8", function()
    local value = decode(("["):rep(63) .. '{"a":"\xff"}' .. ("]"):rep(63), "")
    for _ = 1, 63 do value = value[1] end
    assert.equal("\xff", value.a)
  end)

  it("tells an object of which nothing is left from an empty list", function()
    assert.same({ [""] = true }, decode('{"x":[]}', ""))
    assert.same({}, decode("{}", ""))
    assert.same({}, decode("[]", ""))
  end)

  it("takes the last of members with the same name", function()
    assert.same({ a = 2 }, decode('{"a":{"b":1},"x":1,"a":2}', ""))
  end)

  it("makes of any value what cjson does, less the other members", function()
    local names = { a = true, b = true, name = true, other = true, ["é"] = true, [long] = true }
    local random = math.random
    local words = { "a", "b", "name", "other", "é", long, "x", "nam", "names", "", long .. "n", 'q"\\', "\u{1F4A5}" }
    local function value(depth)
      local kind = random(depth > 4 and 5 or 9)
      if kind == 1 then return cjson.null end
      if kind == 2 then return random(2) == 1 end
      if kind == 3 then return random(-1000, 1000) / 8 end
      if kind <= 5 then return words[random(#words)] end
      local made = {}
      for i = 1, random(0, 5) do
        made[kind <= 7 and words[random(#words)] or i] = value(depth + 1)
      end
      return made
    end
    for _ = 1, 3000 do
      local bytes = cjson.encode { value(0) }
      assert.same(without_others(cjson.decode(bytes), names), decode(bytes, ""))
    end
  end)
end)
