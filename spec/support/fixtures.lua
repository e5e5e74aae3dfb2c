--- Events as AWS sends them, from spec/fixtures.
local cjson = require "cjson"

local fixtures = {}

--- The file's bytes.
function fixtures.text(name)
  local file = assert(io.open("spec/fixtures/" .. name .. ".json", "rb"))
  local text = file:read("a")
  file:close()
  return text
end

--- The file, decoded.
function fixtures.event(name)
  return cjson.decode(fixtures.text(name))
end

return fixtures
