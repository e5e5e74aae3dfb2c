local parse = require("pigeon.report.rfc3339").parser()

describe("rfc3339.parser", function()
  for _, case in ipairs {
    { "1970-01-01T00:00:00.000Z", 0 },
    { "2016-09-18T12:34:56.789Z", 1474202096789 },
    { "2021-11-12T00:00:00Z", 1636675200000 }, -- EventBridge's
    { "2000-02-29T23:59:59.9Z", 951868799900 },
    { "2016-09-18T12:34:56.7891234Z", 1474202096789 },
    { "2016-09-18T14:34:56+02:00", 1474202096000 },
    { "2016-09-18T07:04:56.000-05:30", 1474202096000 },
    { "2016-12-31T23:59:60Z", 1483228800000 }, -- a leap second
    { "1969-12-31T23:59:59.999Z", -1 },
  } do
    it("reads " .. case[1], function() assert.equal(case[2], parse(case[1])) end)
  end

  for _, text in ipairs {
    "", "now", "2016-09-18", "2016-09-18 12:34:56Z", "2016-09-18T12:34:56", "2016-09-18T12:34:56.789Zulu",
    "2016-13-18T12:34:56Z", "2016-00-18T12:34:56Z", "2016-09-32T12:34:56Z", "2016-09-18T12:34:56+2:00",
    "x2016-09-18T12:34:56Z", "2016-09-18T12:34:56.789\n", "\0", ("1"):rep(100000),
  } do
    it(("takes %q for no time"):format(text:sub(1, 40)), function() assert.is_nil(parse(text)) end)
  end

  it("counts every day of four centuries", function()
    local expected = 946684800000 -- 2000-01-01
    for year = 2000, 2399 do
      local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
      for month, days in ipairs { 31, leap and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 } do
        for day = 1, days do
          local text = ("%04d-%02d-%02dT00:00:00Z"):format(year, month, day)
          if parse(text) ~= expected then assert.equal(expected, parse(text), text) end
          expected = expected + 86400000
        end
      end
    end
  end)
end)
