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
