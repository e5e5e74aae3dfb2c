--- deploy/Containerfile.lambda, as its specs need it. No container engine runs here.
local cjson = require "cjson"

local containerfile = {}

--- The file's last stage: {base, entrypoint and cmd as lists, environment, copied: from, source, target}.
function containerfile.image(path)
  local stage
  for line in io.lines(path) do
    local instruction, words = line:match("^(%u+) (.*)$")
    if instruction == "FROM" then stage = { base = words:match("(%S+)$"), environment = {} } end
    if instruction == "ENTRYPOINT" or instruction == "CMD" then stage[instruction:lower()] = cjson.decode(words) end
    if instruction == "ENV" then
      local name, value = words:match("^([%w_]+)=(%S+)$")
      stage.environment[name] = value
    end
    if instruction == "COPY" then stage.copied = { words:match("^%-%-from=(%l+) (%S+) (%S+)$") } end
    if instruction == "WORKDIR" then stage.folder = words end
  end
  return stage
end

return containerfile
