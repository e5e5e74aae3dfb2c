local test_options = require "pigeon.desk.test_options"

-- The words as a shell gives them, what is taken, and what is left for busted.
local CASES = {
  { "", {}, "" },
  { "--coverage", { coverage = true }, "" },
  { "--coverage=90.5 spec", { coverage = true, coverage_least = 90.5 }, "spec" },
  { "spec --mutate", { mutate = true }, "spec" },
  { "--mutate=0 -o TAP", { mutate = true, mutate_least = 0 }, "-o TAP" },
  { "--lcov a.info spec", { coverage = true, lcov = "a.info" }, "spec" },
  { "--lcov=a.info --mutate=100", { coverage = true, lcov = "a.info", mutate = true, mutate_least = 100 }, "" },
  { "-c --no-coverage --coverage-config-file=x", {}, "-c --no-coverage --coverage-config-file=x" },
  { "-- --coverage", {}, "-- --coverage" },
}

local MISUSES = {
  { "--coverage=", "--coverage=: it takes a percentage, 0 to 100; an example: --coverage=100" },
  { "--coverage=101", "--coverage=101: it takes a percentage, 0 to 100; an example: --coverage=100" },
  { "--mutate=-1", "--mutate=-1: it takes a percentage, 0 to 100; an example: --mutate=100" },
  { "--mutate=90%", "--mutate=90%: it takes a percentage, 0 to 100; an example: --mutate=100" },
  { "--coverage 90", "--coverage 90: write --coverage=90" },
  { "--mutate 90% spec", "--mutate 90%: write --mutate=90" },
  { "--lcov", "--lcov: it takes the name of a file" },
  { "--lcov=", "--lcov: it takes the name of a file" },
}

local function words_of(line)
  local words = {}
  for word in line:gmatch("%S+") do words[#words + 1] = word end
  return words
end

describe("pigeon.desk.test_options", function()
  for _, case in ipairs(CASES) do
    it("takes its own out of: " .. case[1], function()
      local words = words_of(case[1])
      assert.same(case[2], test_options.take(words))
      assert.equal(case[3], table.concat(words, " "))
    end)
  end

  for _, case in ipairs(MISUSES) do
    it("refuses " .. case[1], function()
      local options, problem = test_options.take(words_of(case[1]))
      assert.is_nil(options)
      assert.equal(case[2], problem)
    end)
  end
end)
