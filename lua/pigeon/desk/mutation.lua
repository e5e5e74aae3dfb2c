--- `pigeon test --mutate`: changes the scripts, one place at a time, and runs the specs against each
-- change. A change that no spec notices shows what they do not prove.
local difference = require "pigeon.desk.difference"
local mutants = require "pigeon.source.mutants"
local sandbox = require "pigeon.rules.sandbox"
local text = require "pigeon.text"
local verdict = require "pigeon.rules.verdict"

local mutation = {}

local LONGEST <const> = 200

--- Remembers which scripts a run loads with `open`: {open, for script_loader; scripts, a list of {name,
-- path, source, settings = a list, files = the specs that load it, all of them where a helper does};
-- begin_file, to be called with the name of each spec that begins}.
function mutation.recorder(open)
  local self = { scripts = {} }
  local by_text, file, all_files = {}, nil, {}

  function self.begin_file(name)
    file = name
    table.insert(all_files, name)
  end

  local function remember(script, settings)
    local id = script.path .. "\0" .. script.source
    local known = by_text[id]
    if not known then
      known = { name = script.name, path = script.path, source = script.source, settings = {}, files = {} }
      by_text[id] = known
      table.insert(self.scripts, known)
    end
    table.insert(known.settings, settings)
    if not file then known.files = all_files end
    if known.files[#known.files] ~= file then table.insert(known.files, file) end
  end

  function self.open(script, settings)
    local decide = open(script, settings)
    remember(script, settings)
    return decide
  end

  return self
end

-- Loads the mutant where specs ask for the script. The second result says whether one did.
local function opener(script, source)
  local loaded = false
  return function(asked, settings)
    if asked.path ~= script.path or asked.source ~= script.source then
      return sandbox.open(asked, settings, verdict.judge)
    end
    loaded = true
    return sandbox.open({ name = asked.name, source = source }, settings, verdict.judge)
  end, function() return loaded end
end

-- How the mutant differs from the script, with any of the settings that specs use, or nil.
local function difference_of(script, mutant)
  local tried = {}
  for _, settings in ipairs(script.settings) do
    local id = settings.env or ""
    for _, queue in ipairs(settings.queues) do id = ("%s\0%s\0%s"):format(id, queue.name, queue.throttle) end
    if not tried[id] then
      tried[id] = true
      local found = difference.between(script, { name = script.name, source = mutant.text }, settings)
      if found then return found end
    end
  end
end

--- A script as the recorder remembers it, `load` = a function that sets script_loader's open, `failure` = a
-- function from spec files to why they fail or nil, and `progress` = a function of (number, count) ->
-- {script, killed, alive = a list of {mutant, difference}, same = how many do not differ}. Raises where the
-- specs fail with the script as it is, or never load it again.
function mutation.try(script, load, failure, progress)
  local list = assert(mutants.of(script.source, script.name))
  local result = { script = script, killed = 0, alive = {}, same = 0 }
  local open, was_loaded = opener(script, script.source)
  load(open)
  local problem = failure(script.files)
  if problem then error(("a second run of the specs fails without a mutant: %s"):format(problem), 0) end
  if not was_loaded() then error(("the specs load %s only once in a process"):format(script.path), 0) end
  for number, mutant in ipairs(list) do
    progress(number, #list)
    load((opener(script, mutant.text)))
    if failure(script.files) then
      result.killed = result.killed + 1
    else
      local found = difference_of(script, mutant)
      if found then
        table.insert(result.alive, { mutant = mutant, difference = found })
      else
        result.same = result.same + 1
      end
    end
  end
  return result
end

-- ------------------------------------------------------------------------ the report

-- Rounded down, so that 100 is all of them.
local function percent(killed, all)
  return all == 0 and 100 or killed * 1000 // all / 10
end

local function show(killed, all, same)
  local words = ("%d of %d mutants killed (%g %%)"):format(killed, all, percent(killed, all))
  if same == 0 then return words end
  return ("%s; %d more %s like the script"):format(words, same, same == 1 and "decides" or "decide")
end

local function append_lines(lines, mark, block)
  for line in block:gmatch("[^\r\n]+") do
    if line:find("%S") then lines[#lines + 1] = ("    %s %s"):format(mark, text.clean(line, LONGEST)) end
  end
end

-- What an object has in a spec that names only its key.
local DEFAULTS <const> = { bucket = "crashes", event_name = "ObjectCreated:Put", source = "aws:s3" }

-- "key v2/x, bucket others, no size": what a spec has to say, of the fields that the script names.
local function object_line(found)
  local parts, names = { "key " .. text.clean(found.object.key, LONGEST) }, {}
  for name in pairs(found.fields) do
    if name ~= "key" and (not DEFAULTS[name] or found.object[name] ~= DEFAULTS[name]) then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = found.object[name]
    parts[#parts + 1] = value == nil and "no " .. name or ("%s %s"):format(name, text.clean(tostring(value), LONGEST))
  end
  return table.concat(parts, ", ")
end

--- Results of try() -> the report's lines, and the share of the mutants that specs kill in percent.
function mutation.report(results)
  local lines, killed, all, same = {}, 0, 0, 0
  for _, result in ipairs(results) do
    local path, count = result.script.path, result.killed + #result.alive
    killed, all, same = killed + result.killed, all + count, same + result.same
    lines[#lines + 1] = ("%s: %s%s"):format(path, show(result.killed, count, result.same),
      result.alive[1] and "; no spec kills:" or "")
    for _, alive in ipairs(result.alive) do
      lines[#lines + 1] = ("  %s:%d"):format(path, alive.mutant.line)
      append_lines(lines, "-", alive.mutant.before)
      append_lines(lines, "+", alive.mutant.after)
      local found = alive.difference
      lines[#lines + 1] = ("      %s  ->  %s"):format(text.clean(found.from, LONGEST), text.clean(found.to, LONGEST))
      if found.object then lines[#lines + 1] = "      " .. object_line(found) end
    end
  end
  if #results > 1 then lines[#lines + 1] = "all scripts: " .. show(killed, all, same) end
  return lines, percent(killed, all)
end

return mutation
