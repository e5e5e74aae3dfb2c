local lists = require "pigeon.desk.lists"

-- {bucket, key, line} of each object
local function objects(input, number)
  local list = {}
  for i, entry in ipairs(lists.read(input, number or 1).entries) do
    list[i] = { entry.object.bucket, entry.object.key, entry.line }
  end
  return list
end

describe("a line", function()
  for _, case in ipairs {
    { "a key", "v2/raw_crash/a+b%20c", { "-", "v2/raw_crash/a+b%20c" } },
    { "a row of an inventory", '"crashes","a+b%2Fc"', { "crashes", "a b/c" } },
    { "a longer row", '"crashes","k","v1","true","false","12","2018-03-13T00:00:00.000Z"', { "crashes", "k" } },
    { "a key that begins with a quote", '"k"', { "-", '"k"' } },
    { "an event", '{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Copy",'
      .. '"s3":{"bucket":{"name":"b"},"object":{"key":"k+1"}}}]}', { "b", "k 1" } },
  } do
    it("may be " .. case[1], function()
      case[3][3] = 1
      assert.same({ case[3] }, objects(case[2] .. "\n"))
      assert.same({ case[3] }, objects(case[2]))
    end)
  end

  it("that is a key is an object that was put", function()
    local entry = lists.read("k", 1).entries[1]
    assert.same({ bucket = "-", key = "k", event_name = "ObjectCreated:Put", source = "aws:s3" }, entry.object)
    assert.equal("k", entry.label)
  end)

  it("is counted from the number that is given, and empty ones are", function()
    assert.same({ { "-", "a", 7 }, { "-", "b", 9 } }, objects("a\n\nb\n\n", 7))
    assert.same({}, objects("", 1))
  end)

  it("that is not an event says so", function()
    local entry = lists.read('{"x"', 1).entries[1]
    assert.equal('{"x"', entry.label)
    assert.matches("not JSON", entry.problem)
    assert.equal(1, entry.line)
  end)

  it("may hold several objects", function()
    local list = lists.read('[{"source":"aws.s3"},{"source":"aws.s3"}]\nk', 3).entries
    assert.equal(3, list[1].line)
    assert.equal(4, list[#list].line)
  end)
end)

describe("a key that was typed", function()
  for name, key in pairs {
    ["an event"] = '{"Records":[]}', ["a list"] = "[1]", ["a row of an inventory"] = '"crashes","k"',
    ["two lines"] = "a\nb\n", ["nothing"] = "", ["a key"] = "v2/raw_crash/a+b%20c", ["junk"] = "\xFF\r",
  } do
    it("is a key, also where it looks like " .. name, function()
      local entries = lists.keys("before\0" .. key .. "\0after\0").entries
      assert.equal(3, #entries)
      assert.equal(key, entries[2].label)
      assert.same({ bucket = "-", key = key, event_name = "ObjectCreated:Put", source = "aws:s3" }, entries[2].object)
    end)
  end

  it("may be none", function()
    assert.same({}, lists.keys("").entries)
  end)
end)
