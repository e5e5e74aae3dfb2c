-- What counts lua/pigeon for `make coverage`.
local cjson = require "cjson"

describe("a module that is counted", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    assert(os.remove(folder) and os.execute("mkdir " .. folder))
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  -- What a process that ran this Lua counted in text.trim: of its return, the times and those of both ways
  -- of each condition.
  local function trim_after(script)
    local command = "COVERAGE=%s LUA_INIT_5_4=@spec/coverage/modules.lua LUA_PATH_5_4='lua/?.lua;;' lua5.4 -e '%s'"
    assert(os.execute(command:format(folder, script)))
    local last = 0
    for line in io.lines "lua/pigeon/text.lua" do
      last = last + 1
      if line:find "return first and" then break end
    end
    local pipe <close> = io.popen("cat " .. folder .. "/*.json")
    for _, line in ipairs(cjson.decode(pipe:read "a").files[1].lines) do
      if line.line_number == last then return { line.count, line.branches[1].count, line.branches[2].count } end
    end
  end

  it("is not reached by being loaded", function()
    assert.same({ 0, 0, 0 }, trim_after 'require "pigeon.text"')
  end)

  it("is reached by a call, one way of its condition", function()
    assert.same({ 2, 2, 0 }, trim_after 'local trim = require("pigeon.text").trim trim " a " trim "b"')
  end)

  it("is reached both ways, also where the process ends by os.exit", function()
    assert.same({ 2, 1, 1 }, trim_after 'local trim = require("pigeon.text").trim trim " a " trim "" os.exit(true)')
  end)
end)
