--- Loads the scripts that specs of rules test. `pigeon test` puts another function in place of `open`
-- where it counts decisions or tries mutants.
local sandbox = require "pigeon.rules.sandbox"
local verdict = require "pigeon.rules.verdict"

local script_loader = {}

--- A script {name, path, source} and {queues, env} -> sandbox.open()'s decide(). Raises why it does not
-- load.
function script_loader.open(script, settings)
  return sandbox.open(script, settings, verdict.judge)
end

return script_loader
