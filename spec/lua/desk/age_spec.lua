local age = require "pigeon.desk.age"

local PARTS = "  libjansson-dev 2.14-2 2022-04-13\n  librabbitmq-dev 0.11.0-1+deb12u3 2026-08-31\n"
  .. "  libssl-dev 3.0.19-1~deb12u2 2026-04-03\n  libgcc-12-dev 12.2.0-14\n"

-- Noon of a day, as seconds since 1970.
local function noon(year, month, day)
  return os.time { year = year, month = month, day = day, hour = 12 }
end

describe("age.problem", function()
  for _, case in ipairs {
    { "the day itself", noon(2026, 8, 31) }, { "90 days later", noon(2026, 11, 29) },
    { "a clock before it", noon(2020, 1, 1) },
  } do
    it("is none on " .. case[1], function() assert.is_nil(age.problem(PARTS, case[2])) end)
  end

  it("names the newest package after 91 days, and what to do", function()
    local what, fix = age.problem(PARTS, noon(2026, 11, 30))
    assert.equal("the newest of its Debian packages, librabbitmq-dev 0.11.0-1+deb12u3, is of 2026-08-31, 91 days ago",
      what)
    assert.matches("make clean package", fix)
    assert.matches("456 days ago", (age.problem(PARTS, noon(2027, 11, 30))))
  end)

  it("is none where no package has a date", function()
    assert.is_nil(age.problem("  libgcc-12-dev 12.2.0-14\n", noon(2030, 1, 1)))
    assert.is_nil(age.problem("", noon(2030, 1, 1)))
  end)
end)
