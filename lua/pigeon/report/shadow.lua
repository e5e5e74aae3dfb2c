--- Rules in shadow: a second script, the shadow script, decides the same objects. Where its
-- decision differs, that is counted and logged, and has no other effect.
local text = require "pigeon.text"

local shadow = {}

local LONGEST = 200 -- bytes of each part of a message

--- A decided entry -> its verdict in one word, and the reason where there is one.
function shadow.outcome(entry)
  local decision = entry.verdict
  if not decision then return "fail", entry.problem or entry.failures[1].text end
  return decision.kind, decision.reason
end

-- A name, in quotes where it could be mistaken for an exchange with its key, or for two names.
local function quoted(name)
  return name:find('[/,"() ]') and '"' .. name:gsub('[\\"]', "\\%0") .. '"' or name
end

--- A destination -> its name, which no other destination has.
function shadow.destination_name(destination)
  local key = quoted(destination.routing_key)
  return destination.exchange == "" and key or quoted(destination.exchange) .. "/" .. key
end

-- The same in one line. Destinations are sorted: their order does not count.
local function summary(entry)
  local kind, reason = shadow.outcome(entry)
  if kind ~= "accept" then return ("%s: %s"):format(kind, reason) end
  local names = {}
  for i, destination in ipairs(entry.verdict.destinations) do
    names[i] = shadow.destination_name(destination)
  end
  table.sort(names)
  return "accept: " .. (#names == 0 and "no queue" or table.concat(names, ", "))
end

local function id_of(entry)
  return entry.verdict and entry.verdict.id
end

local function contains(destinations, wanted)
  for _, destination in ipairs(destinations) do
    if destination.routing_key == wanted.routing_key and destination.exchange == wanted.exchange then return true end
  end
  return false
end

-- Whether both lists are the same set. No list has a destination twice.
local function same_destinations(list, other)
  if #list ~= #other then return false end
  for _, destination in ipairs(list) do
    if not contains(other, destination) then return false end
  end
  return true
end

local function same(decision, other)
  if decision.kind ~= other.kind or decision.reason ~= other.reason or decision.id ~= other.id then return false end
  return decision.kind ~= "accept" or same_destinations(decision.destinations, other.destinations)
end

-- Both decisions, each in one line, or nil where they are the same. Two failures are the same: the
-- object fails either way.
local function difference(entry, other)
  if entry.verdict and other.verdict then
    if same(entry.verdict, other.verdict) then return nil end
  elseif not entry.verdict and not other.verdict then
    return nil
  end
  return summary(entry), summary(other)
end

--- A batch's entries -> the tally before the shadow script runs: {differences, skipped, changes}, how
-- many it decided differently, how many it did not decide, and a list of {entry, other, from, to}.
function shadow.tally(entries)
  local objects = 0
  for _, entry in ipairs(entries) do
    if entry.object then objects = objects + 1 end
  end
  return { differences = 0, skipped = objects, changes = {} }
end

--- Counts a decided entry, and the shadow script's decision {verdict} or {problem}. Only the first
-- `most` differences are kept, so that no script can use up memory.
function shadow.note(tally, entry, other, most)
  local from, to = difference(entry, other)
  if from and tally.differences < most then
    table.insert(tally.changes, { entry = entry, other = other, from = from, to = to })
  end
  tally.skipped = tally.skipped - 1
  if from then tally.differences = tally.differences + 1 end
end

local function line(message, facts)
  return { level = "info", message = message, facts = facts }
end

local function change_line(change, version)
  local entry, to = change.entry, change.to
  local id, other_id = id_of(entry), id_of(change.other)
  if id and other_id and id ~= other_id then to = ("%s as %s"):format(to, other_id) end
  local place = (change.other.problem or ""):match("^[^:]*:%d+")
  return line(("shadow: %s: %s -> %s"):format(text.clean(entry.label, LONGEST),
    text.clean(change.from, LONGEST), text.clean(to, LONGEST)), {
    "crash_id", id or other_id or false,
    "verdict", change.from,
    "shadow_verdict", to,
    "rule", place or false,
    "bucket", entry.object.bucket,
    "key", entry.object.key,
    "shadow_version", version,
  })
end

--- A tally, and the shadow script's version -> log lines, as log_lines.of() makes them.
function shadow.lines(tally, version)
  local lines = {}
  for i, change in ipairs(tally.changes) do
    lines[i] = change_line(change, version)
  end
  if tally.differences > #lines then
    lines[#lines + 1] = line(("shadow: %d more differences"):format(tally.differences - #lines),
      { "differences", tally.differences, "shadow_version", version })
  end
  if tally.skipped > 0 then
    lines[#lines + 1] = line(("shadow: %d not decided: out of time"):format(tally.skipped),
      { "skipped", tally.skipped, "shadow_version", version })
  end
  return lines
end

return shadow
