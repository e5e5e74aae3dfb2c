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

local render

-- The functions of CloudFormation: from an argument that is not rendered yet to the value.
local FUNCTIONS = {}

local function truth(scope, condition)
  return FUNCTIONS.Condition(scope, condition)
end

function FUNCTIONS.Ref(scope, name)
  local value = scope.values[name]
  if value == nil then value = (scope.template.Parameters[name] or {}).Default end
  if value == nil then value = scope.template.Resources[name] and "<" .. name .. ">" end
  return value ~= nil and value or "<" .. name .. ">"
end

FUNCTIONS["Fn::GetAtt"] = FUNCTIONS.Ref

FUNCTIONS["Fn::If"] = function(scope, argument)
  return render(scope, truth(scope, argument[1]) and argument[2] or argument[3])
end

FUNCTIONS["Fn::Join"] = function(scope, argument)
  local list = render(scope, argument[2])
  return type(list) == "table" and table.concat(list, argument[1]) or list
end

FUNCTIONS["Fn::FindInMap"] = function(scope, argument)
  local names = render(scope, argument)
  return scope.template.Mappings[names[1]][names[2]][names[3]]
end

FUNCTIONS["Fn::Sub"] = function(scope, argument)
  local own = type(argument) == "table" and render(scope, argument[2]) or {}
  return ((type(argument) == "table" and argument[1] or argument):gsub("%${([^}]+)}", function(name)
    return tostring(own[name] or FUNCTIONS.Ref(scope, name))
  end))
end

FUNCTIONS["Fn::Equals"] = function(scope, argument)
  local two = render(scope, argument)
  return tostring(two[1]) == tostring(two[2])
end

FUNCTIONS["Fn::Not"] = function(scope, argument) return not render(scope, argument[1]) end

FUNCTIONS["Fn::Or"] = function(scope, argument)
  for _, condition in ipairs(argument) do
    if render(scope, condition) then return true end
  end
  return false
end

function FUNCTIONS.Condition(scope, name) return render(scope, scope.template.Conditions[name]) end

function render(scope, node)
  if type(node) ~= "table" then return node end
  local name, argument = next(node)
  if FUNCTIONS[name] and next(node, name) == nil then return FUNCTIONS[name](scope, argument) end
  local rendered = {}
  for key, value in pairs(node) do rendered[key] = render(scope, value) end
  return rendered
end

--- A template, a node of it, and values by parameter -> the node as CloudFormation renders it. What only AWS knows is
-- "<Queue.Arn>"; a parameter without a value has its default.
function cloudformation.render(template, node, values)
  return render({ template = template, values = values or {} }, node)
end

--- A template and a node -> {parameter = true}: those that the node depends on, also by a condition.
function cloudformation.parameters(template, node)
  local found = {}
  local function visit(below)
    if type(below) ~= "table" then return end
    for key, value in pairs(below) do
      if key == "Fn::If" then visit(template.Conditions[value[1]]) end
      if key == "Ref" and template.Parameters[value] then found[value] = true end
      if key == "Fn::Sub" then
        for name in (type(value) == "table" and value[1] or value):gmatch("%${([%w]+)}") do
          if template.Parameters[name] then found[name] = true end
        end
      end
      visit(value)
    end
  end
  visit(node)
  return found
end

return cloudformation
