--- What `check` has the rules decide: the objects that they may tell apart, and awkward ones. Block by
-- block, each object is decided twice, in two orders; at the end those whose finding needs a line
-- once more, with their lines noted.
local verdict = require "pigeon.rules.verdict"

local probes = {}

local MOST_MS = 10 -- of CPU time
local MOST_PROBLEMS = 20 -- of different texts

-- A decision in one line, to compare with another.
local function summary(entry)
  local decision = entry.verdict
  if not decision then return "failed: " .. entry.failures[1].text end
  local parts = { decision.kind, decision.reason or decision.id }
  for _, destination in ipairs(decision.destinations or {}) do
    parts[#parts + 1] = verdict.destination_name(destination)
  end
  return table.concat(parts, " ")
end

local function is_slow(entry)
  return entry.cpu and entry.cpu * 1000 > MOST_MS
end

-- What is wrong with an object's two decisions, without its place, whether the place has to be looked
-- for, and what stands for all texts of one cause; or nil.
local function judge(first, second)
  local one, two = summary(first), summary(second)
  if one ~= two then
    return ("decides differently the second time: %s, then %s"):format(one, two), true, "differently"
  end
  if first.failures then return first.failures[1].text, false end
  if is_slow(first) and is_slow(second) then return ("took over %d ms"):format(MOST_MS), true end
end

--- The enumeration, the script's name, and how many entries a batch may have -> the probes: batch() returns
-- what to decide next, note() takes what was decided, problems() is what is wrong.
function probes.open(list, script, most)
  local self = {}
  local block = most // 2
  local problems, by_text, others = {}, {}, 0 -- {what, number, key, place, more}
  local blind = false -- the process was stopped while lines were noted
  local accepted, sent = 0, 0 -- how many objects, and how many of them to a queue or an exchange

  -- A position in the walk -> the number of its object. Each block of objects comes forwards and
  -- backwards; the last block may be shorter.
  local function number_of(position)
    local start = (position - 1) // (2 * block) * block
    local size = math.min(block, list.count - start)
    local place = position - 2 * start
    return start + (place <= size and place or 2 * size + 1 - place)
  end

  local function add_probes(entries, first)
    local last = math.min(first + 2 * block - 1, 2 * list.count)
    for position = first, last do
      local entry = list.entry(number_of(position))
      entry.timed = true
      entries[#entries + 1] = entry
    end
  end

  local function add_close_looks(entries)
    if blind or list.late then return end
    for _, problem in ipairs(problems) do
      if problem.place then
        local entry = list.entry(problem.number)
        entry.closely, entry.shows = true, problem
        entries[#entries + 1] = entry
      end
    end
  end

  --- The position of the first object -> a batch; an empty one is the end.
  function self.batch(first)
    local batch = { entries = {} }
    list.watch_time(first == 1, (first - 1) // 2)
    if first <= 2 * list.count then
      add_probes(batch.entries, first)
    elseif not self.looked then
      add_close_looks(batch.entries)
      self.looked = true
    end
    return batch
  end

  --- The position at which the process was stopped, and why.
  function self.stopped(position, why)
    if position > 2 * list.count then blind = true else list.stopped(number_of(position), why, false) end
  end

  local function note_problem(entry, what, place, cause)
    cause = cause or what
    local known = by_text[cause]
    if known then
      known.more = (known.more or 0) + 1
    elseif #problems < MOST_PROBLEMS then
      known = { what = what, place = place, number = entry.number, key = entry.label }
      problems[#problems + 1], by_text[cause] = known, known
    else
      others = others + 1
    end
  end

  local function count(decision)
    if not decision or decision.kind ~= "accept" then return end
    accepted, sent = accepted + 1, sent + (#decision.destinations > 0 and 1 or 0)
  end

  local function note_place(entry)
    local line = entry.trace and entry.trace.line
    entry.shows.where = line and ("%s:%d"):format(script, line)
  end

  --- Notes what a batch decided.
  function self.note(batch)
    local entries = batch.entries
    if #entries > 0 and entries[1].shows then
      for _, entry in ipairs(entries) do note_place(entry) end
      return
    end
    for i = 1, #entries // 2 do
      local what, place, cause = judge(entries[i], entries[#entries + 1 - i])
      if what then note_problem(entries[i], what, place, cause) end
      count(entries[i].verdict)
    end
  end

  --- How many objects were accepted, and how many of them are sent anywhere.
  function self.accepted() return accepted, sent end

  --- What is wrong, a list of {what = "rules.lua:3: ...", key = the first that shows it, more = how many
  -- others do, or nil}.
  function self.problems()
    local found = {}
    for i, problem in ipairs(problems) do
      local what = problem.what
      if problem.place then what = ("%s: %s"):format(problem.where or script, what) end
      found[i] = { what = what, key = problem.key, more = problem.more }
    end
    local function add(what) found[#found + 1] = { what = ("%s: %s"):format(script, what) } end
    if others > 0 then add(("%d objects have other findings"):format(others)) end
    if list.missing() then add(list.missing()) end
    return found
  end

  return self
end

return probes
