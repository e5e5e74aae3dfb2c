local document = require "pigeon.document"

describe("document.attempt", function()
  it("gives what is wrong with a document", function()
    local ok, problem = document.attempt(document.fail, "%s is %d", "x", 7)
    assert.is_false(ok)
    assert.equal("x is 7", problem)
    assert.is_true((document.attempt(document.decode, "{}", "x")))
  end)

  it("raises what is our own mistake, or a lack of memory", function()
    for _, mistake in ipairs { "document.lua:1: attempt to index a nil value", "not enough memory" } do
      local ok, raised = pcall(document.attempt, error, mistake, 0)
      assert.is_false(ok)
      assert.equal(mistake, raised)
    end
  end)
end)

describe("document.at", function()
  it("puts the place of a record before that within it, and before no other", function()
    assert.equal("Records[3].s3 is missing", document.at("Records[3]", ".s3 is missing"))
    assert.equal("detail is missing", document.at("", ".detail is missing"))
    assert.equal("Records[0].body is empty", document.at("Records[0]", "Records[0].body is empty"))
  end)
end)

describe("document.decode", function()
  for bytes, problem in pairs {
    ["{"] = "Expected", [""] = "Expected", ["\xff"] = "Expected", ["[NaN]"] = "Expected", ["{} x"] = "Expected",
    [("["):rep(65) .. ("]"):rep(65)] = "Found too many nested",
  } do
    it(("refuses %q"):format(bytes:sub(1, 20)), function()
      local ok, why = document.attempt(document.decode, bytes, "Records[0].body")
      assert.is_false(ok)
      assert.matches("^Records%[0%]%.body is not JSON: " .. problem, why)
    end)
  end

  it("raises a lack of memory", function()
    local cjson = require "cjson"
    local new = cjson.new
    cjson.new = function() -- luacheck: ignore
      local json = new()
      json.decode = function() error("not enough memory", 0) end
      return json
    end
    package.loaded["pigeon.document"] = nil
    local starved = require "pigeon.document"
    cjson.new, package.loaded["pigeon.document"] = new, document -- luacheck: ignore
    local ok, raised = pcall(starved.attempt, starved.decode, "{}", "")
    assert.is_false(ok)
    assert.equal("not enough memory", raised)
  end)
end)
