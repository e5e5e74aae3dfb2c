--- What decisions came to, for people and programs: an outcome is a verdict with its reason or its
-- destinations.
local json = require "pigeon.json"
local objects = require "pigeon.source.objects"
local shadow = require "pigeon.report.shadow"
local text = require "pigeon.text"

local outcomes = { ENUMERATES = "This enumerates objects; it proves nothing about any other." }

local LONGEST = 1024
local WIDTH = 80
local FIELDS = { "bucket", "event_name", "size", "time", "region", "version_id", "sequencer", "source" }

local function clean(value)
  return type(value) == "string" and text.clean(value, LONGEST) or value
end

--- A decided entry, or the other script's decision -> {verdict, reason} or {verdict, destinations =
-- their names, sorted}.
function outcomes.of(entry)
  local kind, reason = shadow.outcome(entry)
  if kind ~= "accept" then return { verdict = kind, reason = clean(reason) } end
  local names = json.list {}
  for i, destination in ipairs(entry.verdict.destinations) do
    names[i] = clean(shadow.destination_name(destination))
  end
  table.sort(names)
  return { verdict = kind, destinations = names }
end

--- The same in one line.
function outcomes.line(outcome)
  if outcome.verdict ~= "accept" then return ("%s: %s"):format(outcome.verdict, outcome.reason) end
  return "accept: " .. (outcome.destinations[1] and table.concat(outcome.destinations, ", ") or "no queue")
end

--- An object -> the same for a program: its own fields.
function outcomes.plain(object)
  local plain = { key = clean(object.key) }
  for _, name in ipairs(FIELDS) do plain[name] = clean(object[name]) end
  return plain
end

-- ------------------------------------------------------------------------ lines of 80 columns

-- Words in as many lines as they need, the first after `first`, the others after spaces of the same
-- length.
local function wrapped(first, words)
  local lines, indent = {}, (" "):rep(#first)
  local line, room = first, WIDTH - #first
  for word in words:gmatch("%S+ *") do
    word = text.clean(word:gsub(" *$", ""), math.max(room - 3, 1))
    if line ~= first and line ~= indent then
      if utf8.len(line) + 1 + utf8.len(word) > WIDTH then
        lines[#lines + 1], line = line, indent
      else
        line = line .. " "
      end
    end
    line = line .. word
  end
  lines[#lines + 1] = line
  return lines
end

-- "bucket crashes-stage, no size", where that is not as in the plainest object; or nil.
local function differences(object, base)
  local parts = {}
  for _, name in ipairs(FIELDS) do
    if object[name] ~= base[name] then
      parts[#parts + 1] = object[name] == nil and "no " .. name or ("%s %s"):format(name, clean(object[name]))
    end
  end
  return #parts > 0 and table.concat(parts, ", ") or nil
end

local function append(lines, more)
  table.move(more, 1, #more, #lines + 1, lines)
end

--- Appends how many objects have this outcome, or change; and its example, a key, and what else of it is
-- not as in the plainest object.
function outcomes.append(lines, count, words, example, base)
  append(lines, wrapped(("%8d  "):format(count), words))
  lines[#lines + 1] = (" "):rep(12) .. text.clean(example.key, WIDTH - 12 - 3)
  local rest = differences(example, base)
  if rest then append(lines, wrapped((" "):rep(12) .. "with ", rest)) end
end

--- An object, and the plainest one -> its fields for a page: {{name, value or nil, usual = where it has another
-- value than the plainest}, ...}.
function outcomes.fields(object, base)
  local fields = { { name = "key", value = object.key } }
  for _, name in ipairs(FIELDS) do
    local usual = base[name] ~= object[name] and base[name]
    fields[#fields + 1] = { name = name, value = object[name] and tostring(object[name]),
      usual = usual and tostring(usual) }
  end
  return fields
end

--- Which of the objects that the constants make were not decided: a list of sentences.
function outcomes.left_out(list)
  local lines = {}
  if list.thinned then
    lines[1] = ("The constants make %d objects; these are %d of them, spread over all."):format(list.total, list.count)
  end
  lines[#lines + 1] = list.missing()
  return lines
end

--- Appends what the examples leave out, and what an enumeration is.
function outcomes.append_end(lines, list)
  append(lines, wrapped("", ("Examples are of bucket %s, %s, size %d, unless they say otherwise."):format(
    clean(list.base.bucket), list.base.event_name, objects.usual.size)))
  for _, sentence in ipairs(outcomes.left_out(list)) do append(lines, wrapped("", sentence)) end
  lines[#lines + 1] = outcomes.ENUMERATES
end

return outcomes
