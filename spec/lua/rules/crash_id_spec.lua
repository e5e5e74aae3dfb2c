local of_key = require("pigeon.rules.crash_id").of_key

local function one_line(key)
  return (("%q"):format(key:sub(1, 60)):gsub("\\\n", "\\n"))
end

local ID = "00007bd0-2d1c-4865-af09-80bc01180313"

describe("crash_id.of_key", function()
  for key, id in pairs {
    [ID] = ID,
    ["/" .. ID] = ID,
    ["v2/raw_crash/000/20180313/" .. ID] = ID,
    ["v2/\n\0\xff/" .. ID] = ID,
    [("x/"):rep(500) .. ID] = ID,
  } do
    it("finds the id at the end of " .. one_line(key), function()
      assert.equal(id, of_key(key))
    end)
  end

  for _, key in ipairs {
    "", "/", "v2/raw_crash/", "x" .. ID, ID .. "/", ID .. "\n", ID .. "\0", ID .. " ", " " .. ID,
    "a/" .. ID:upper(), "a/" .. ID:sub(2), "a/0" .. ID, "a/" .. ID:gsub("-", "_"), "a\\" .. ID,
    "a/" .. ID .. ".json",
    "a/00007bd0-2d1c-4865-af09-80bc0118031a", -- the last six must be digits
    "a/g0007bd0-2d1c-4865-af09-80bc01180313",
    "a/00007bd02d1c-4865-af09--80bc01180313",
    "a/00007bd0-2d1c-4865-af09-80b/01180313",
    "a/00007bd0-2d1c-4865-af09-80bc\xd9\xa1180313",
  } do
    it("finds none in " .. one_line(key), function()
      assert.is_nil(of_key(key))
    end)
  end
end)
