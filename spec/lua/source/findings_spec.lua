-- Every mistake is a script in spec/fixtures/faulty; what is found in a line stands in a comment of that
-- line: --> level: what: fix. A line may have several; a line without such a comment has no finding.
local findings = require "pigeon.source.findings"

local QUEUES = { { name = "normal", throttle = 100 }, { name = "submitter", throttle = 15 } }

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function names(pattern)
  local list, pipe = {}, assert(io.popen("ls " .. pattern))
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  return list
end

local function find(source, queues)
  local lines = {}
  for i, one in ipairs(findings.of({ name = "rules.lua", source = source }, queues)) do
    lines[i] = ("%d: %s: %s%s"):format(one.line, one.level, one.what, one.fix and ": " .. one.fix or "")
  end
  return lines
end

local function expected(source)
  local lines, number = {}, 0
  for line in source:gmatch("([^\n]*)\n") do
    number = number + 1
    for comment in line:gmatch("%-%-> (.*)$") do
      for one in (comment .. " --> "):gmatch("(.-) %-%-> ") do lines[#lines + 1] = number .. ": " .. one end
    end
  end
  return lines
end

describe("the text of a script", function()
  for _, path in ipairs(names "spec/fixtures/faulty/*.lua") do
    it("has " .. path:match("([^/]*)%.lua$"):gsub("_", " "), function()
      local source = read(path)
      assert.is_true(#expected(source) > 0)
      assert.same(expected(source), find(source, QUEUES))
    end)
  end

  for _, path in ipairs(names "rules/*.lua spec/fixtures/right/*.lua spec/simulation/task/*.lua") do
    it("of " .. path .. " has no finding", function()
      assert.same({}, find(read(path), QUEUES))
    end)
  end

  it("has literal queues judged only where the queues are known", function()
    local source = read "spec/fixtures/faulty/a_queue_that_is_not_there.lua"
    assert.same({}, find(source, nil))
  end)
end)
