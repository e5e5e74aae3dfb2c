--- How old the program's libraries are: it is static, so an update of the system does not reach it, and no
-- scanner looks into it. Debian's packages have dates; a build's own would be another each time.
local rfc3339 = require "pigeon.report.rfc3339"

local age = {}

local MOST_DAYS = 90
local DAY_MS = 86400000

--- A line for each package, "NAME VERSION DATE", and the seconds since 1970 -> nil; or, where the newest is more
-- than 90 days old, what is wrong, and what to do. Lines without a date do not count.
function age.problem(parts, now)
  local parse, newest, name = rfc3339.parser(), nil, nil
  for part, date in parts:gmatch("([^\n ]+ [^\n ]+) (%d%d%d%d%-%d%d%-%d%d)") do
    if not newest or date > newest then newest, name = date, part end
  end
  local newest_ms = newest and parse(newest .. "T00:00:00Z")
  local days = newest_ms and (now * 1000 - newest_ms) // DAY_MS
  if not days or days <= MOST_DAYS then return nil end
  return ("the newest of its Debian packages, %s, is of %s, %d days ago"):format(name, newest, days),
    "there may be security updates; apt-get upgrade, then make clean package"
end

return age
