--- A CloudFormation template as tables: "!Ref X" becomes {Ref = "X"}, and so on.
local yaml = require "yaml"

local cloudformation = {}

local NUMBER = "^-?%d+%.?%d*$"

local function scalar(event)
  if event.style == "PLAIN" then
    if event.value == "true" or event.value == "false" then return event.value == "true" end
    if event.value:match(NUMBER) then return math.tointeger(event.value) or tonumber(event.value) end
  end
  return event.value
end

-- "!GetAtt A.B" is {["Fn::GetAtt"] = "A.B"}.
local function tagged(tag, value)
  local name = tag and tag:match("^!([%w:]+)$")
  if not name then return value end
  if name ~= "Ref" and name ~= "Condition" then name = "Fn::" .. name end
  return { [name] = value }
end

--- A file's path -> the template. Raises where it is not YAML, or a mapping has a key twice.
function cloudformation.load(path)
  local text = assert(io.open(path)):read("a") -- the parser needs it alive
  local next_event = yaml.parser(text)
  local read

  local function sequence()
    local list = {}
    for event in next_event do
      if event.type == "SEQUENCE_END" then return list end
      list[#list + 1] = read(event)
    end
  end

  local function mapping()
    local map = {}
    for event in next_event do
      if event.type == "MAPPING_END" then return map end
      local key = event.value
      assert(map[key] == nil, ("%s:%d: %s is there twice"):format(path, event.start_mark.line + 1, key))
      map[key] = read(next_event())
    end
  end

  function read(event)
    if event.type == "SCALAR" then return tagged(event.tag, scalar(event)) end
    return tagged(event.tag, event.type == "SEQUENCE_START" and sequence() or mapping())
  end

  for event in next_event do
    if event.type == "MAPPING_START" then return mapping() end
  end
end

return cloudformation
