local words = require "pigeon.rules.words"
local environment = require "pigeon.rules.environment"

describe("words", function()
  local globals = environment.globals { queues = {}, env = "prod" }

  it("are each there in a script's environment", function()
    for _, word in ipairs(words) do
      assert.is_not_nil(globals[word], word)
    end
    for _, name in ipairs { "string", "table", "math" } do
      for _, field in ipairs(words[name].fields) do
        assert.is_not_nil(globals[name][field], name .. "." .. field)
      end
    end
  end)

  it("hold nothing that reaches outside, catches errors or differs between runs", function()
    for _, name in ipairs {
      "_G", "_ENV", "_VERSION", "collectgarbage", "coroutine", "debug", "dofile", "getmetatable", "io",
      "load", "loadfile", "loadstring", "next", "os", "package", "pcall", "print", "rawequal", "rawget",
      "rawlen", "rawset", "require", "setmetatable", "utf8", "warn", "xpcall", "cjson", "arg",
    } do
      assert.has_error(function() return globals[name] end, ('there is no word "%s"'):format(name))
    end
    for _, path in ipairs { "string.rep", "string.dump", "string.pack", "math.random", "math.randomseed",
      "table.pack", "table.move" } do
      local name, field = path:match("(.*)%.(.*)")
      assert.has_error(function() return globals[name][field] end, ('%s has no "%s"'):format(name, field))
    end
  end)
end)
