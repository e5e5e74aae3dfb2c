--- Reads a list of objects in whatever form somebody has it at hand: line.lua says which there are.
-- One reader goes through a list, batch after batch, and keeps what it knows of the list's form.
local csv = require "pigeon.desk.list.csv"
local line = require "pigeon.desk.list.line"
local objects = require "pigeon.desk.list.objects"
local refused = require "pigeon.desk.list.refused"

local find, match, sub = string.find, string.match, string.sub
local trim = require("pigeon.text").trim

local lists = {}

local LONGEST_FIRST <const> = 1024 -- bytes of the first line, to show

-- One more item of what a line holds; false: there is none.
local function take_item(list)
  local stack = list.stack
  local top = stack[#stack]
  if not top then return false end
  local i = top.at + 1
  top.at = i
  if i > #top.items then
    stack[#stack] = nil
  else
    top.read(list, top.items[i], i, top.place)
  end
  return true
end

-- The lines of a document that the host has joined to one.
local function count_joined(text)
  local count, at = 0, find(text, "\r", 1, true)
  while at do
    count, at = count + 1, find(text, "\r", at + 1, true)
  end
  return count
end

-- One more line; false: there is none.
local function take_line(list)
  local input, start = list.input, list.at
  if not input or start > #input then
    list.input = nil
    return false
  end
  local stop = find(input, "\n", start, true) or #input + 1
  local text = sub(input, start, stop - 1)
  if find(text, "^%s") or find(text, "%s$", -1) then text = trim(text) end
  list.at, list.line = stop + 1, list.next_line
  list.next_line = list.line + 1
  if text == "" then return true end
  if find(text, "\r", 1, true) then list.next_line = list.next_line + count_joined(text) end
  if not list.first then list.first = { line = list.line, text = match(sub(text, 1, LONGEST_FIRST), "^[^\r]*") } end
  line.read(list, text)
  return true
end

--- {command, ids = the prefix of --ids, manifest = {name, text} of --manifest, from = the first object that
-- counts} -> the reader; or nil and what is wrong with an option. Its fields: objects, how many the list has had so
-- far; passed, how many rows were not objects of the bucket; first, the list's first line, {line, text}.
function lists.open(settings)
  local list = {
    ids = settings.ids, from = settings.from or 1, objects = 0, passed = 0, first = nil, stack = {}, entries = nil,
    input = nil, at = 1, line = nil, next_line = nil,
    -- what is known of the form
    columns = nil, recursive = nil, yaml = nil, section = nil, title = nil, column = nil, width = nil,
    row_bucket = nil, row_key = nil,
  }
  if settings.manifest then
    local problem
    list.columns, problem = csv.columns(settings.manifest)
    if problem then return nil, problem end
  end

  --- Bytes and the number of their first line, or nil: what is left of those from before; and how many
  -- objects at most -> a batch, as envelope.read() returns it: {entries}, each with the number of its
  -- line and its own in the list. Fewer than asked for: nothing is left. Or nil and why it is refused.
  function list.read(input, number, most)
    if input then
      if number == 1 then
        input = input:gsub("^\xEF\xBB\xBF", "")
        local problem = refused.problem(input, settings.command)
        if problem then return nil, problem end
      end
      list.input, list.at, list.next_line = input, 1, number
    end
    local entries = {}
    list.entries = entries
    most = most or math.huge
    while #entries < most and (take_item(list) or take_line(list)) do end
    list.entries = nil
    return { entries = entries }
  end

  return list
end

--- Keys as they were typed, a zero byte after each -> a batch. A key is never read as an event or a row.
function lists.keys(input)
  local entries = {}
  for key in input:gmatch("([^\0]*)\0") do
    local i = #entries + 1
    entries[i] = { label = key, object = objects.put("-", key), line = i, number = i }
  end
  return { entries = entries }
end

return lists
