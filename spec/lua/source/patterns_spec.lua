local patterns = require "pigeon.source.patterns"

local function level(pattern)
  local problem = patterns.problem(pattern)
  return problem and problem.level
end

-- What Lua itself makes of a pattern: it looks at a part only where a text leads there.
local function lua_takes(pattern)
  for _, text in ipairs { "", "a", "aa", "ab", "v2/raw_crash/x", "(a)", "[a]", "100%" } do
    local ok, problem = pcall(string.find, text, pattern)
    if not ok then return false, problem end
  end
  return true
end

describe("patterns.problem", function()
  for _, pattern in ipairs {
    "", "a", "^v2/raw_crash/", "[%w_]+", "[]]", "[^]]", "[a-]", "[]-a]", "()", "(a(b)c)", "(a)%1", "%bxy", "%f[%w]%w+",
    "^(.-)/(.*)$", "^.+$", "%%", "%.lua$", "[%]]", "$", "a$b", "^^", "a^", "^%x+%-%x+%-%x+$",
    "^([^/]+)/([^/]+)/([^/]+)$",
    "%d%d%d%d%-", "^.-/.-/", "-", "--", "a?b?c?",
  } do
    it(("finds nothing in %q"):format(pattern), function()
      assert.is_nil(patterns.problem(pattern))
      assert.is_true(lua_takes(pattern))
    end)
  end

  for _, pattern in ipairs {
    "%", "a%", "[a", "[", "[^]", "[%", "[%]", "(", "a(b", ")", "(a))", "%1", "(a)%2", "%0", "%b", "%bx", "%f", "%fa",
    "%f[a", "(a%1)",
  } do
    it(("finds that %q is malformed"):format(pattern), function()
      assert.equal("error", level(pattern))
    end)
  end

  for _, pattern in ipairs { "(.-)/(.-)/(.-)/(.-)/([^/]+)$", ".-.-x", "^.*a.*b.*c", "%w+%w+%w+x$", ".*/.*/x" } do
    it(("finds that %q can backtrack"):format(pattern), function()
      assert.equal("warning", level(pattern))
      assert.matches("backtrack", patterns.problem(pattern).what)
    end)
  end

  for _, pattern in ipairs { "crashes-stage", "^v2-raw" } do
    it(("finds the - of %q"):format(pattern), function()
      assert.equal("warning", level(pattern))
    end)
  end

  -- Whatever Lua refuses for one of a few texts is found, and what is found as malformed Lua refuses for
  -- some text: the longest part of the pattern that is well-formed leads there.
  it("agrees with Lua", function()
    local PIECES = { "a", ".", "%", "%d", "[", "]", "[a]", "[^", "(", ")", "()", "*", "-", "?", "+", "$", "^", "%1",
      "%b", "%f", "xy", "/" }
    local random = 7
    local function pick()
      random = (random * 1103515245 + 12345) % 2147483648
      return PIECES[random // 65536 % #PIECES + 1]
    end
    local refused = 0
    for _ = 1, 5000 do
      local pattern = pick() .. pick() .. pick() .. pick()
      local ok, problem = lua_takes(pattern)
      if not ok then
        refused = refused + 1
        assert.equal("error", level(pattern), pattern .. ": " .. problem)
      end
    end
    assert.is_true(refused > 500)
  end)
end)

describe("patterns.replacement_problem", function()
  for _, text in ipairs { "", "a", "%1%2", "%%", "%0", "100%%" } do
    it(("takes %q"):format(text), function() assert.is_nil(patterns.replacement_problem(text)) end)
  end
  for _, text in ipairs { "%", "%x", "100%", "%%%" } do
    it(("finds what is wrong with %q"):format(text), function()
      assert.equal("error", patterns.replacement_problem(text).level)
      assert.is_false((pcall(string.gsub, "a", "a", text)))
    end)
  end
end)
