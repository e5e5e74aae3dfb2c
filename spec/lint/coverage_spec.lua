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

  it("is none where a program runs in another folder", function()
    local command = "counters=$PWD/spec/coverage/modules.lua; cd %s && COVERAGE=%s LUA_INIT_5_4=@$counters lua5.4 -e ''"
    assert(os.execute(command:format(folder, folder)))
    assert(os.execute("rmdir " .. folder .. " && mkdir " .. folder)) -- nothing was written
  end)
end)

describe("bin/coverage", function()
  local folder

  -- In a folder of its own, with suites that end with this status. Its status, and what it printed.
  local function covered(status)
    folder = os.tmpname()
    assert(os.remove(folder) and os.execute(("mkdir -p %s/bin %s/build/coverage/host"):format(folder, folder)))
    local function program(name, text)
      local file <close> = assert(io.open(folder .. "/" .. name, "w"))
      file:write("#!/bin/sh\n", text)
      file:close()
      assert(os.execute(("chmod +x %s/%s"):format(folder, name)))
    end
    program("build/coverage/bootstrap", "")
    program("bin/test", "echo ran $1; exit " .. status .. "\n")
    -- The last call asks for the summary, its last argument.
    program("bin/gcovr", [[for last; do :; done
      echo '{"files": [], "line_total": 7, "line_percent": 50, "branch_total": 0}' >"$last.new"
      [ -d "$last" ] || mv "$last.new" "$last"
    ]])
    assert(os.execute(("cp bin/coverage %s/bin && ln -s $PWD/spec $PWD/lua %s"):format(folder, folder)))
    local command = ("PATH=%s/bin:$PATH %s/bin/coverage rules 2>&1; echo status $?"):format(folder, folder)
    local pipe <close> = io.popen(command)
    local printed = pipe:read "a"
    return tonumber(printed:match "status (%d+)\n$"), printed
  end

  after_each(function() os.execute("rm -r " .. folder) end)

  it("ends well after a table", function()
    local status, printed = covered(0)
    assert.equal(0, status, printed)
    assert.matches("\nall +7 +50%%", printed)
  end)

  it("shows the table and ends with 1 where cases failed", function()
    local status, printed = covered(1)
    assert.equal(1, status, printed)
    assert.matches("\nall +7 +50%%.*\ncoverage: cases failed", printed)
  end)

  for what, ended in pairs { ["there is no such suite"] = 2, ["the suites were interrupted"] = 130 } do
    it("has no table where " .. what, function()
      local status, printed = covered(ended)
      assert.equal(ended, status, printed)
      assert.not_matches("\nall ", printed)
    end)
  end
end)
