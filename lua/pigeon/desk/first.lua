--- `pigeon test --init`: a first spec of the rules in a folder, and what the Lua language server has to know
-- about rules and specs. The spec expects what the rules decide today.
local shell = require "pigeon.shell"
local testing = require "pigeon.testing"

local first = {}

local KEYS = {
  "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313",
  "v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc00180313",
  "v2/raw_crash/000/20180313/readme.txt",
}

local HEAD = [[
--- What the rules decide. Each line: a key, what the rules do with it (accepts, defers, ignores or
-- fails), and the queues or the reason. These are what they decided when this file was made:
-- change the lines to what they should decide, and add others. Run them with: ./bootstrap test
local testing = require "pigeon.testing"

local rules = testing.load("rules.lua", { PIGEON_QUEUE = %q })

local CASES = {
]]

local TAIL = [[
}

describe("rules.lua", function()
  for _, case in ipairs(CASES) do
    local key, does, what = case[1], case[2], case[3]
    it(does .. " " .. key, function()
      assert[does](rules, key, what)
    end)
  end
end)
]]

local LUARC = [[
{
  "runtime.version": "Lua 5.4",
  "workspace.library": ["types"],
  "diagnostics.globals": ["describe", "it", "setup", "teardown", "before_each", "after_each", "pending"]
}
]]

--- The same as the files of rules/types.
first.types = {
  ["types/pigeon.lua"] = [==[
---@meta
-- The words of a rules script, for the Lua language server. Nothing runs this file.

---What S3 reports of an object. A field that the event lacks is nil.
---@class pigeon.Object
---@field bucket string
---@field key string already decoded
---@field event_name string such as "ObjectCreated:Put"
---@field time string? such as "2018-03-13T00:00:00.000Z"
---@field size integer? bytes
---@field region string?
---@field version_id string?
---@field sequencer string?
---@field source string always "aws:s3"

---What a rule returns: made by accept, defer and ignore alone.
---@class pigeon.Verdict

---A destination that is not a queue: made by exchange alone.
---@class pigeon.Exchange

---@class pigeon.Queue
---@field name string
---@field throttle number 0 to 100, the percentage of ids that it gets

---Publishes the id to these destinations; an empty list: throttled.
---@param id string
---@param destinations (string | pigeon.Exchange)[] names of queues, and exchanges
---@return pigeon.Verdict
---@nodiscard
function accept(id, destinations) end

---Publishes nothing. Reasons are counted, so keep them constant.
---@param reason string
---@return pigeon.Verdict
---@nodiscard
function defer(reason) end

---Publishes nothing. Reasons are counted, so keep them constant.
---@param reason string
---@return pigeon.Verdict
---@nodiscard
function ignore(reason) end

---@param name string
---@param routing_key string
---@return pigeon.Exchange
---@nodiscard
function exchange(name, routing_key) end

---The queues of PIGEON_QUEUE.
---@type pigeon.Queue[]
queues = {}

---PIGEON_ENV, or nil.
---@type string?
env = nil

---The key's last path element if it is a crash id.
---@param key string
---@return string? id
---@nodiscard
function crash_id(key) end

---A number from 0 to below 100, always the same for the same two strings.
---@param id string
---@param salt string
---@return number
---@nodiscard
function sample(id, salt) end
]==],
  ["types/pigeon/testing.lua"] = [==[
---@meta pigeon.testing
-- What specs of rules may use, for the Lua language server. Nothing runs this file.

---A script that testing.load() returned.
---@class pigeon.Rules

---@class pigeon.Settings
---@field PIGEON_QUEUE string? such as "normal,15:submitter"; "normal" unless given
---@field PIGEON_ENV string?

---What the rules decided, as `pigeon explain --json` prints it.
---@class pigeon.Explanation
---@field verdict "accept" | "defer" | "ignore" | "fail"
---@field reason string?
---@field id string?
---@field where string? file:line

local testing = {}

---@param path string
---@param settings pigeon.Settings?
---@return pigeon.Rules
function testing.load(path, settings) end

---@param rules pigeon.Rules
---@param key string | pigeon.Object
---@return pigeon.Explanation
function testing.decide(rules, key) end

---@class luassert
---@field accepts fun(rules: pigeon.Rules, key: string | table, destinations: string[]?)
---@field defers fun(rules: pigeon.Rules, key: string | table, reason: string?)
---@field ignores fun(rules: pigeon.Rules, key: string | table, reason: string?)
---@field fails fun(rules: pigeon.Rules, key: string | table, part_of_the_error: string?)

return testing
]==],
}

local WORDS = { accept = "accepts", defer = "defers", ignore = "ignores", fail = "fails" }

-- What is expected beside the verdict, as Lua's text.
local function expectation(explained)
  if explained.verdict ~= "accept" then return ("%q"):format(explained.reason) end
  local names = {}
  for i, message in ipairs(explained.messages) do names[i] = ("%q"):format(message.to) end
  return #names == 0 and "{}" or "{ " .. table.concat(names, ", ") .. " }"
end

local function spec(path, queues)
  local rules = testing.load(path, { PIGEON_QUEUE = queues })
  local lines = {}
  for i, key in ipairs(KEYS) do
    local explained = testing.decide(rules, key)
    lines[i] = ("  { %q,\n    %q, %s },\n"):format(key, WORDS[explained.verdict], expectation(explained))
  end
  return HEAD:format(queues) .. table.concat(lines) .. TAIL
end

-- Writes a file, unless there is one -> a line about it; or nil and what is wrong.
local function write(path, text)
  local old <close> = io.open(path)
  if old then return path .. ": is there already, left as it is\n" end
  local said, status = shell.run("mkdir -p \"$(dirname %s)\"", path)
  if status ~= 0 then return nil, said end
  local file <close>, problem = io.open(path, "w")
  if not file then return nil, problem end
  local ok, why = file:write(text)
  if ok then ok, why = file:close() end
  if not ok then return nil, path .. ": " .. why end
  return path .. "\n"
end

--- A folder with a rules.lua, and PIGEON_QUEUE -> what was written; or nil and what is wrong.
function first.write(folder, queues)
  local loaded, text = pcall(spec, folder .. "/rules.lua", queues)
  if not loaded then return nil, (tostring(text):gsub("^%S+first%.lua:%d+: ", "")) end -- testing's is our line
  local files = {
    { "spec/rules_spec.lua", text }, { ".luarc.json", LUARC },
    { "types/pigeon.lua", first.types["types/pigeon.lua"] },
    { "types/pigeon/testing.lua", first.types["types/pigeon/testing.lua"] },
  }
  local lines = {}
  for i, file in ipairs(files) do
    local line, problem = write(folder .. "/" .. file[1], file[2])
    if not line then return nil, problem end
    lines[i] = line
  end
  return table.concat(lines) .. "run the spec with: ./bootstrap test\n"
end

return first
