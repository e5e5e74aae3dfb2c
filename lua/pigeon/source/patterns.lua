--- Lua's patterns, as string.find and its like read them: what is malformed, what can backtrack for
-- long, a `-` or `.` that is meant as itself, and a `|` that is not.
local find, sub = string.find, string.sub

local patterns = {}

local MOST_DEGREE = 2 -- a key has 1,024 bytes: 1024^2 / 2 steps take 5 ms, a power more a second

-- A class such as [^/], %d, a or . -> the set of bytes that it matches.
local function set_of(class)
  local bytes = {}
  for byte = 0, 255 do
    if find(string.char(byte), "^" .. class) then bytes[byte] = true end
  end
  return bytes
end

local function overlap(a, b)
  for byte in pairs(a) do
    if b[byte] then return true end
  end
  return false
end

-- The position after the class that begins at `at`; nil and what is wrong.
local function class_end(pattern, at)
  local char = sub(pattern, at, at)
  if char == "%" then
    if at == #pattern then return nil, "ends with %" end
    return at + 2
  end
  if char ~= "[" then return at + 1 end
  local first = sub(pattern, at + 1, at + 1) == "^" and at + 2 or at + 1
  local now = first
  while true do
    local inner = sub(pattern, now, now)
    if inner == "" then return nil, "has a [ without its ]" end
    if inner == "]" and now > first then return now + 1 end
    if inner == "%" and now == #pattern then return nil, "has a [ without its ]" end
    now = now + (inner == "%" and 2 or 1)
  end
end

-- One item -> {class, repeats = "*", "+", "-", "?" or ""}, and the position after it.
local function read_single(pattern, at)
  local after, problem = class_end(pattern, at)
  if not after then return nil, problem end
  local class = sub(pattern, at, after - 1)
  if class == "^" then class = "%^" end -- in the middle it is itself
  local repeats = sub(pattern, after, after):match("[*+?-]") or ""
  return { class = class, repeats = repeats }, after + #repeats
end

-- A pattern -> a list of items and whether it is anchored; or nil and what is wrong with it.
local function read(pattern)
  local items, open, closed, at = {}, {}, {}, 1
  local anchored = sub(pattern, 1, 1) == "^"
  if anchored then at = 2 end
  local captures = 0
  while at <= #pattern do
    local rest = sub(pattern, at)
    if find(rest, "^%(") then
      captures = captures + 1
      if captures > 32 then return nil, "has more than 32 captures" end
      if find(rest, "^%(%)") then closed[captures] = true else open[#open + 1] = captures end
      at = at + (find(rest, "^%(%)") and 2 or 1)
    elseif find(rest, "^%)") then
      if #open == 0 then return nil, "has a ) without its (" end
      closed[table.remove(open)] = true
      at = at + 1
    elseif rest == "$" then
      items[#items + 1] = { ending = true }
      at = at + 1
    elseif find(rest, "^%%b") then
      if #rest < 4 then return nil, "has a %b that needs two characters after it" end
      items[#items + 1] = { class = "[%" .. sub(rest, 3, 3) .. "]", repeats = "" }
      at = at + 4
    elseif find(rest, "^%%f") then
      if not find(rest, "^%%f%[") then return nil, "has a %f that needs a [set] after it" end
      local after, problem = class_end(pattern, at + 2)
      if not after then return nil, problem end
      at = after -- it takes no byte
    elseif find(rest, "^%%%d") then
      local number = tonumber(sub(rest, 2, 2))
      if not closed[number] then
        return nil, ("has a %%%d without a capture %d"):format(number, number)
      end
      items[#items + 1] = { class = ".", repeats = "?" }
      at = at + 2
    else
      local item, after = read_single(pattern, at)
      if not item then return nil, after end
      items[#items + 1] = item
      at = after
    end
  end
  if #open > 0 then return nil, "has a ( without its )" end
  return items, anchored
end

local UNBOUNDED = { ["*"] = true, ["+"] = true, ["-"] = true }

-- Whether the item can stop at more than one place before what follows it.
local function is_loose(items, i)
  local own = set_of(items[i].class)
  for next_one = i + 1, #items do
    local following = items[next_one]
    if following.ending then return false end
    if overlap(own, set_of(following.class)) then return true end
    if following.repeats == "" or following.repeats == "+" then return false end
  end
  return false -- nothing follows: it always fits
end

-- How often a longer text multiplies the steps: the power of its length.
local function degree(items, anchored)
  local count = anchored and 0 or 1
  for i, item in ipairs(items) do
    if UNBOUNDED[item.repeats] and is_loose(items, i) then count = count + 1 end
  end
  return count
end

-- "v2-raw": a `-` between letters.
local function lazy_letter(items)
  for i, item in ipairs(items) do
    local following = items[i + 1]
    if item.repeats == "-" and find(item.class, "^%w$") and following and following.class
      and find(following.class, "^%w$") then
      return item.class .. "-" .. following.class
    end
  end
end

local function is_letter(item)
  return item and item.repeats == "" and find(item.class, "^%a$") ~= nil
end

-- ".json": a `.` before letters. "..../raw" and "v./" count characters.
local function any_character(items)
  for i, item in ipairs(items) do
    local before = items[i - 1]
    if item.class == "." and item.repeats == "" and is_letter(items[i + 1]) and is_letter(items[i + 2])
      and not (before and before.class == ".") then
      return "." .. items[i + 1].class .. items[i + 2].class
    end
  end
end

local function has_bar(items)
  for _, item in ipairs(items) do
    if item.class == "|" then return true end
  end
end

-- What regular expressions have, and patterns have not: \d, {8}, a * that repeats nothing.
local function foreign(pattern)
  local class = pattern:match("\\([dwsDWS])")
  if class then return ("`\\%s` of"):format(class), "does not stand for a class", "write %" .. class end
  local times = pattern:match("[%w%].]({%d+,?%d*})")
  if times then return ("`%s` of"):format(times), "stands for itself", "write the class as often: %d%d%d" end
  local first = pattern:match("^%^?([*?])")
  if first then return ("`%s` at the start of"):format(first), "stands for itself", "any text is .*" end
end

--- A pattern -> nil where nothing is wrong, or {what, fix, level}.
function patterns.problem(pattern)
  local items, anchored = read(pattern)
  if not items then
    return { what = ('the pattern "%s" %s'):format(pattern, anchored), level = "error",
      fix = "in patterns ( ) . % + - * ? [ ^ $ are special: write % before one that is itself" }
  end
  local power = degree(items, anchored)
  if power > MOST_DEGREE then
    return { what = ('the pattern "%s" can backtrack for seconds on a long key'):format(pattern), level = "warning",
      fix = "begin it with ^, or write [^/]+ in place of .- and .*" }
  end
  local what, does, fix = foreign(pattern)
  if what then return { what = ('the %s "%s" %s'):format(what, pattern, does), level = "warning", fix = fix } end
  local lazy = lazy_letter(items)
  if lazy then
    return { what = ('the `-` of "%s" means "as few as possible" in a pattern'):format(lazy), level = "warning",
      fix = "write %- for the character" }
  end
  if has_bar(items) then
    return { what = ('the `|` of "%s" stands for itself'):format(pattern), level = "warning",
      fix = "a pattern has no alternatives: write two tests with or between" }
  end
  local any = any_character(items)
  if any then
    return { what = ('the `.` of "%s" is any character'):format(any), level = "warning",
      fix = "write %. for the character" }
  end
end

--- A replacement of gsub, and its pattern -> what is wrong with it, or nil.
function patterns.replacement_problem(replacement)
  local rest = replacement:gsub("%%[%d%%]", "")
  if find(rest, "%", 1, true) then
    return { what = ('the replacement "%s" has a %% that is not followed by a digit'):format(replacement),
      level = "error", fix = "write %% for the character" }
  end
end

return patterns
