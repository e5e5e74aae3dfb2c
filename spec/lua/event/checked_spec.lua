local checked = require "pigeon.event.checked"

describe("checked.attempt", function()
  it("gives what is wrong with a document", function()
    local ok, problem = checked.attempt(checked.fail, "%s is %d", "x", 7)
    assert.is_false(ok)
    assert.equal("x is 7", problem)
    assert.is_true((checked.attempt(checked.decode, "{}", "x")))
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

describe("checked.decode", function()
  local cjson = require "cjson"
  local decode = checked.decode

  -- What cjson's message begins with, and ends with.
  for bytes, problem in pairs {
    ["{"] = { "Expected object key string but found T_END", 2 }, [""] = { "Expected value but found T_END", 1 },
    ["\xff"] = { "Expected value but found invalid token", 1 }, ["{} x"] = { "Expected the end", 4 },
    ['{} "'] = { "Expected the end", 5 }, ["7 8"] = { "Expected the end", 3 }, ['{"a":1,}'] = { "Expected ", 8 },
    ['{"x":{"y":}}'] = { "Expected value", 11 }, ['{"x":'] = { "Expected value", 6 }, ["[1,]"] = { "Expected ", 4 },
    ["\u{FEFF}{}"] = { "Expected value", 1 },
    ['["\\ud83d"]'] = { "Expected value but found invalid unicode escape code", 3 },
    ['["\\uDCA5"]'] = { "Expected value but found invalid unicode escape code", 3 },
    ['["\\\\\\uD83D\\u0041"]'] = { "Expected value but found invalid unicode escape code", 5 },
    ['["\\ud83d\\udca5\\udca5"]'] = { "Expected value but found invalid unicode escape code", 15 },
    ['["\\udbff-udfff"]'] = { "Expected value but found invalid unicode escape code", 3 },
    ['["\\udbff\\ndfff"]'] = { "Expected value but found invalid unicode escape code", 3 },
    ['["\\u12"]'] = { "Expected value but found invalid unicode escape code", 3 },
    ["[01]"] = { "Expected value but found invalid number", 2 }, ["[0x1]"] = { "Expected value but found ", 2 },
    ["[NaN]"] = { "Expected value but found invalid token", 2 }, ["[-inf]"] = { "Expected value but found ", 2 },
    ["{}\0"] = { "a zero byte", 3 }, ['["\0"]'] = { "a zero byte", 3 }, ["\0{"] = { "a zero byte", 1 },
    [("["):rep(65) .. ("]"):rep(65)] = { "Found too many nested data structures (65)", 65 },
    ['{"x":' .. ("["):rep(64) .. ("]"):rep(64) .. "}"] = { "Found too many nested data structures (65)", 69 },
  } do
    it(("refuses %q"):format(bytes:sub(1, 20)), function()
      local ok, why = checked.attempt(decode, bytes, "Records[0].body")
      assert.is_false(ok)
      local start = "Records[0].body is not JSON: " .. problem[1]
      assert.equal(start, why:sub(1, #start))
      assert.matches(" at character " .. problem[2] .. "$", why)
      assert.is_nil(why:find("%c"))
      assert.same({ a = 1 }, decode('{"a":1}', ""))
    end)
  end

  it("names the event as a whole", function()
    local _, why = checked.attempt(decode, "x", "")
    assert.matches("^the event is not JSON: ", why)
  end)

  it("gives any value", function()
    assert.same({ a = { cjson.null, true, false, -0.5, "x", {}, { [""] = 1 } }, ["é"] = "\u{1F4A5}\0/" },
      decode('{"a":[null,true,false,-5e-1,"x",[],{"":1}],"\\u00e9":"\\ud83d\\udca5\\u0000\\/"}', ""))
    assert.equal(7, decode(" 7", ""))
    assert.equal("\\ud83d\u{D7FF}\u{E000}\u{10FFFF}", decode([["\\ud83d\ud7ff\uE000\uDBFF\uDFFF"]], ""))
  end)

  it("keeps 64 levels, and strings that are not UTF-8", function()
    local value = decode(("["):rep(63) .. '{"a":"\xff"}' .. ("]"):rep(63), "")
    for _ = 1, 63 do value = value[1] end
    assert.equal("\xff", value.a)
  end)

  it("takes the last of members with the same name", function()
    assert.same({ a = 2, x = 1 }, decode('{"a":{"b":1},"x":1,"a":2}', ""))
  end)

  it("takes what cjson takes beyond JSON", function()
    assert.same({ 1, -0.5, math.huge, "a\nb" }, decode('[1.,-.5,1e400,"a\nb"]', ""))
  end)

  it("gives a whole number exactly, as far as a float has it", function()
    local whole = function(digits) return checked.whole(decode(digits, ""), "size") end
    assert.equal(5 * 2 ^ 40 // 1 | 0, whole("5497558138880"))
    assert.equal((1 << 53) - 1, whole("9007199254740991"))
    assert.equal(1 << 53, whole("9007199254740993")) -- the float beside it
    for _, digits in ipairs { "0.5", "1e400", "9223372036854775808" } do
      local ok, why = checked.attempt(whole, digits)
      assert.is_false(ok)
      assert.matches("^size is .*, but must be a whole number$", why)
    end
  end)

  it("raises a lack of memory as it is", function()
    local check = { decode = function() error("not enough memory", 0) end,
      decode_max_depth = function() end, decode_invalid_numbers = function() end }
    package.loaded["pigeon.event.checked"] = nil
    local new = cjson.new
    cjson.new = function() return check end
    local fresh = require "pigeon.event.checked"
    cjson.new, package.loaded["pigeon.event.checked"] = new, checked
    local ok, raised = pcall(fresh.attempt, fresh.decode, "{}", "")
    assert.is_false(ok)
    assert.equal("not enough memory", raised)
  end)

  it("leaves cjson as others set it", function()
    assert.has_no_error(function() cjson.decode(("["):rep(65) .. ("]"):rep(65)) end)
  end)
end)
