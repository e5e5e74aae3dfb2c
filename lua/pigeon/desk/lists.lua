--- Reads a list of objects in whatever form somebody has it at hand: line.lua says which there are.
-- One reader goes through a list, batch after batch, and keeps what it knows of the list's form.
local aws = require "pigeon.desk.list.aws"
local csv = require "pigeon.desk.list.csv"
local line = require "pigeon.desk.list.line"
local objects = require "pigeon.desk.list.objects"
local refused = require "pigeon.desk.list.refused"
local text_of = require "pigeon.text"

local add_key, take = objects.add_key, objects.take
local find, match, sub = string.find, string.match, string.sub

local lists = {}

local LONGEST_FIRST <const> = 1024 -- bytes of the first line, to show
local LONGEST_WORD <const> = 36 -- a crash id, or a word that is not a key, such as null

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
  if list.plain and not list.yaml then
    local _, stop = find(input, "^%l%g*\n", start)
    if stop and stop - start > LONGEST_WORD then
      local text = sub(input, start, stop - 1)
      list.at, list.line, list.next_line = stop + 1, list.next_line, list.next_line + 1
      if not list.first then list.first = { line = list.line, text = text } end
      add_key(list, "-", text)
      return true
    end
  end
  list.line = list.next_line
  local next_at = list.yaml and aws.take_yaml(list, input, start)
  if next_at then
    list.at, list.next_line = next_at, list.line + 1
    return true
  end
  local stop = find(input, "\n", start, true) or #input + 1
  if stop >= #input then list.input = nil end
  local text = sub(input, start, stop - 1)
  if find(text, "^%s") or find(text, "%s$", -1) then text = text_of.trim(text) end
  list.at, list.next_line = stop + 1, list.line + 1
  if text == "" then return true end
  if find(text, "\r", 1, true) then list.next_line = list.next_line + count_joined(text) end
  if not list.first then list.first = { line = list.line, text = match(sub(text, 1, LONGEST_FIRST), "^[^\r]*") } end
  line.read(list, text)
  return true
end

--- {command, ids = the prefix of --ids, manifest = {name, text} of --manifest, from = the first object that
-- counts} -> the reader; or nil and what is wrong with an option. Its fields: objects, how many the
-- list has had so far; passed, how many rows were not objects of the bucket; first, the list's first
-- line, {line, text}.
function lists.open(settings)
  local list = {
    ids = settings.ids, from = settings.from or 1, objects = 0, passed = 0, first = nil, stack = {}, entries = nil,
    input = nil, at = 1, line = nil, next_line = nil,
    -- what is known of the form
    plain = false, columns = nil, recursive = nil, yaml = nil, section = nil, title = nil, column = nil, width = nil,
    row = nil, row_bucket = nil, row_key = nil,
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
      list.plain = not (list.columns or list.yaml or find(input, ",", 1, true) or find(input, ":", 1, true))
    end
    local entries, stack = {}, list.stack
    list.entries = entries
    most = most or math.huge
    while #entries < most and (stack[1] and take(list) or take_line(list)) do end
    list.entries = nil
    return { entries = entries }
  end

  return list
end

local function why_none(list)
  if list.objects == 0 and list.passed == 0 and not list.first then
    return "the list is empty: stdin has no line with an object"
  end
  local first = list.first or { line = 1, text = "" }
  local line_is = ('line %d is "%s"'):format(first.line, text_of.clean(first.text, 200))
  if list.objects == 0 then return "the list has no object; " .. line_is end
  if list.objects < list.from then
    return ("the list has %d objects, so --from %d leaves none"):format(list.objects, list.from)
  end
  return ("the rules accept and defer none of %d objects; %s: look at it with bin/pigeon explain, and at --rules")
    :format(list.objects - list.from + 1, line_is)
end

--- A reader at its end, and how many objects each verdict has {accept, defer, ignore, fail} -> what is
-- wrong where the rules wanted none of them, or nil.
function lists.problem(list, verdicts)
  if verdicts.accept + verdicts.defer > 0 or verdicts.fail > 0 and verdicts.ignore == 0 then return nil end
  return why_none(list)
end

--- A reader at its end -> a line that says what it did not count, or "".
function lists.not_counted(list)
  if list.passed == 0 then return "" end
  return ("not counted: %d rows of older versions or deleted objects\n"):format(list.passed)
end

--- Keys as they were typed, a zero byte after each -> a batch. A key is never read as anything else.
function lists.keys(input)
  local entries = {}
  for key in input:gmatch("([^\0]*)\0") do
    entries[#entries + 1] = { label = key, object = objects.put("-", key), typed = true }
  end
  return { entries = entries }
end

return lists
