local cjson = require "cjson"
local first = require "pigeon.desk.first"
local words = require "pigeon.rules.words"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

-- Words that Lua's own annotations have.
local LUAS = {}
for word in ("ipairs pairs select type tostring tonumber error assert"):gmatch("%S+") do LUAS[word] = true end

describe("the first spec", function()
  local folder
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  it("expects what the rules decide, with their queues", function()
    write(folder .. "/rules.lua", read("spec/fixtures/right/rules.lua"))
    local said = assert(first.write(folder, "normal,15:submitter"))
    assert.equal(("D/spec/rules_spec.lua\nD/.luarc.json\nD/types/pigeon.lua\nD/types/pigeon/testing.lua\n"
      .. "run the spec with: ./bootstrap test\n"):gsub("D", folder), said)
    local spec = read(folder .. "/spec/rules_spec.lua")
    for _, line in ipairs { '"accepts", { "normal", "submitter" } },', '"defers", "deferred by the collector" },',
      '"ignores", "not a crash id" },', '{ PIGEON_QUEUE = "normal,15:submitter" })' } do
      assert.matches(line, spec, 1, true)
    end
    assert(load(spec))
  end)

  it("replaces no file", function()
    write(folder .. "/rules.lua", read("spec/fixtures/right/rules.lua"))
    write(folder .. "/.luarc.json", "mine")
    assert.matches(".luarc.json: is there already, left as it is\n", assert(first.write(folder, "normal")), 1, true)
    assert.equal("mine", read(folder .. "/.luarc.json"))
  end)

  for what, case in pairs {
    ["without a script"] = { nil, "rules.lua: No such file or directory" },
    ["with one that does not load"] = { "\nreturn nonsense()", 'rules.lua:2: there is no word "nonsense"' },
  } do
    it("is not made " .. what, function()
      if case[1] then write(folder .. "/rules.lua", case[1]) end
      local said, problem = first.write(folder, "normal")
      assert.is_nil(said)
      assert.matches(case[2], problem, 1, true)
      assert.is_nil(problem:find("first.lua", 1, true))
      assert.is_nil(io.open(folder .. "/spec/rules_spec.lua"))
    end)
  end
end)

describe("the annotations", function()
  it("are those of rules/types", function()
    for path, text in pairs(first.types) do assert.equal(read("rules/" .. path), text) end
    assert.is_table(cjson.decode(read(".luarc.json")))
  end)

  it("have every word and every field, and no others", function()
    local text = read("rules/types/pigeon.lua")
    local found = {}
    for word in text:gmatch("\nfunction ([%w_]+)%(") do found[word] = true end
    for word in text:gmatch("\n([%w_]+) = ") do found[word] = true end
    for _, word in ipairs(words) do
      if not LUAS[word] then assert.is_true(found[word], word) end
      found[word] = nil
    end
    assert.same({}, found)
    local object = text:match("@class pigeon.Object(.-)\n\n")
    local fields = {}
    for field in object:gmatch("@field ([%w_]+)") do fields[#fields + 1] = field end
    assert.same({ "bucket", "key", "event_name", "time", "size", "region", "version_id", "sequencer", "source" },
      fields)
  end)

  it("have every assertion", function()
    local text = read("rules/types/pigeon/testing.lua")
    for _, name in ipairs { "accepts", "defers", "ignores", "fails" } do
      assert.matches("@field " .. name .. " fun(rules: pigeon.Rules", text, 1, true)
    end
    for name in pairs(require "pigeon.testing") do
      assert.matches("\nfunction testing." .. name .. "(", text, 1, true)
    end
  end)
end)
