--- Finds calls of what is not a function: a text, a number, a list, env.
local kinds = require "pigeon.source.kinds"

local NEVER_CALLED = { string = true, number = true, boolean = true, object = true, queue = true, queues = true,
  verdict = true, destination = true }
local FIX = {
  object = "write object.key or another field", queues = "to go through it write for _, queue in ipairs(queues) do",
  queue = "write queue.name or queue.throttle",
}

local calls = {}

function calls.Call(node, _, facts)
  local callee, first = node.callee, node.arguments[1]
  local kind = kinds.of(callee).kind
  if not NEVER_CALLED[kind] then return end
  local shown = facts.show(callee)
  -- accept(id { "normal" }): a call without parentheses
  if first and first.last == node.last and (first.kind == "Table" or first.kind == "String") then
    return facts.report(node, "error", ("%s is %s, and %s after it calls it"):format(shown, facts.a(kind),
      facts.show(first)), ("write a comma: %s, %s"):format(shown, facts.show(first)))
  end
  local fix = FIX[kind] or first and ("compare it: %s == %s"):format(shown, facts.show(first)) or "remove the ( )"
  facts.report(node, "error", ("%s is %s, and not a function"):format(shown, facts.a(kind)), fix)
end

return calls
