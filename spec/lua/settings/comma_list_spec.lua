local comma_list = require "pigeon.settings.comma_list"

local function parse(setting)
  return comma_list.parse("VARIABLE", setting, "thing", function(value)
    if value:find("!") then return nil, "shouts" end
    return { name = value:lower() }
  end)
end

describe("comma_list.parse", function()
  it("makes an entry of each part, without the white space around it", function()
    assert.same({ { name = "a" }, { name = "b c" } }, parse(" A ,\tb c\n"))
  end)

  it("takes a time that grows with the length alone", function()
    local start = os.clock()
    local spaces = (" "):rep(100000)
    assert.same({ { name = "a" .. spaces .. "b" } }, parse(spaces .. "a" .. spaces .. "b" .. spaces))
    assert.is_nil((parse(spaces)))
    assert.is_true(os.clock() - start < 2)
  end)

  for setting, problem in pairs {
    [""] = 'entry 1 of "" is empty; name a thing there, or drop the comma',
    ["a, ,b"] = 'entry 2 of "a, ,b" is empty; name a thing there, or drop the comma',
    ["a,b!"] = 'entry 2, "b!", shouts',
    ["a,b,A"] = 'entry 3, "A", names the thing of entry 1 again',
    ["\n\xff!"] = 'entry 1, "\u{FFFD}!", shouts',
  } do
    it(("refuses %q"):format(setting), function()
      local entries, why = parse(setting)
      assert.is_nil(entries)
      assert.equal("VARIABLE: " .. problem, why)
    end)
  end
end)
