--- Drives programs for `make bench`: the events, and what driver.c measured.
--
-- Floor and Pigeon get the same events by turns from one driver, so that other load on the machine affects
-- both; the figures are medians. Each runs twice, and how the second Pigeon compares with the first is the
-- noise of a row. Where there are two CPUs or more, the two have the last for themselves, and
-- broker and driver have the others: a function's broker does not run on its CPU either, and placed by the
-- scheduler a program's CPU differs by a fifth from its own beside it.
local system = require "spec.support.system"

local measure = { FOLDER = "build/bench/" }

local FOLDER <const> = measure.FOLDER

local RECORD = [[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-west-2",]]
  .. [["eventTime":"2016-09-18T12:34:56.789Z","eventName":"ObjectCreated:Put",]]
  .. [["userIdentity":{"principalId":"AWS:AIDAJDPLRKLG7UEXAMPLE"},]]
  .. [["requestParameters":{"sourceIPAddress":"203.0.113.7"},]]
  .. [["responseElements":{"x-amz-request-id":"C3D13FE58DE4C810"},]]
  .. [["s3":{"s3SchemaVersion":"1.0","configurationId":"pigeon",]]
  .. [["bucket":{"name":"crashes","arn":"arn:aws:s3:::crashes"},]]
  .. [["object":{"key":"v2/raw_crash/000/20180313/%s","size":1024,"sequencer":"0055AED6DCD90281E5"}}}]]

local MESSAGE = [[{"messageId":"%s","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a","body":"%s",]]
  .. [["attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183",]]
  .. [["SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"1545082649185"},]]
  .. [["messageAttributes":{},"md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs",]]
  .. [["eventSourceARN":"arn:aws:sqs:us-west-2:123456789012:crashes","awsRegion":"us-west-2"}]]

local function median(values)
  table.sort(values)
  return values[(#values + 1) // 2]
end

--- An object of S3, as an event has it.
function measure.s3_record(id)
  return RECORD:format(id)
end

--- The same in a message of SQS.
function measure.sqs_record(id)
  return MESSAGE:format(id, ('{"Records":[%s]}'):format(measure.s3_record(id)):gsub('"', '\\"'))
end

--- An event of `count` records in a file -> its path, and floor's words: where the ids are.
function measure.write_event(record, count)
  local path, records = FOLDER .. "event.json", {}
  for i = 1, count do
    records[i] = record(system.id(i))
  end
  local event = ('{"Records":[%s]}'):format(table.concat(records, ","))
  system.write(path, event)
  local first = event:find(system.id(1), 1, true) - 1
  return path, ("%d %d %d"):format(first, #records[1] + 1, count)
end

-- The CPU that the programs have for themselves, or "any".
local apart = "any"
--- How a command gets the other CPUs.
measure.beside = ""

-- "0-3,6" -> 0, 1, 2, 3, 6
local function read_cpus(list)
  local cpus = {}
  for first, last in list:gmatch("(%d+)%-?(%d*)") do
    for number = tonumber(first), tonumber(last) or tonumber(first) do
      cpus[#cpus + 1] = number
    end
  end
  return cpus
end

--- Keeps the broker, and with it every driver from now on, off the last CPU.
function measure.place_apart()
  local cpus = read_cpus(system.read("/proc/self/status"):match("Cpus_allowed_list:%s*(%S+)"))
  if #cpus < 2 then return end
  apart = table.remove(cpus)
  measure.beside = ("taskset -c %s "):format(table.concat(cpus, ","))
  system.run(("taskset -acp %s %s"):format(table.concat(cpus, ","), system.eval("list_to_integer(os:getpid()).")))
end

--- Variables for all programs and the driver, beside those of the virtual host; stronger than they.
measure.variables = {}
--- Declares the queue "normal" in a new virtual host -> its variables. classic() by default.
function measure.classic()
  return system.vhost({ "normal" })
end
measure.virtual_host = measure.classic

local function empty()
  return { wall = {}, cpu = {}, peak = 0 }
end

-- Adds what the driver measured, in a virtual host of their own, to the list of each program.
local function drive_once(words, programs, found)
  local env = measure.virtual_host()
  env._HANDLER, env.LAMBDA_TASK_ROOT = "rules.lua", system.run("pwd"):gsub("\n", "") .. "/rules"
  env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE = "256"
  for name, value in pairs(measure.variables) do
    env[name] = value
  end
  local command = { "env" }
  for name, value in pairs(env) do
    command[#command + 1] = system.quote(name .. "=" .. value)
  end
  command[#command + 1] = FOLDER .. "driver " .. apart .. " " .. words
  for _, program in ipairs(programs) do
    command[#command + 1] = "-- " .. program
  end
  for line in system.run(table.concat(command, " ")):gmatch("[^\n]+") do
    local kind, i, first, second = line:match("^(%a+) (%d+) (%d+) ?(%d*)$")
    local of = found[tonumber(i)]
    if kind == "peak" then
      of.peak = math.max(of.peak, tonumber(first))
    else
      table.insert(of.wall, tonumber(first))
      table.insert(of.cpu, tonumber(second))
    end
  end
  system.drop(env)
end

-- What two of the same program found, as one.
local function together(one, other)
  local both = empty()
  for _, of in ipairs { one, other } do
    table.move(of.wall, 1, #of.wall, #both.wall + 1, both.wall)
    table.move(of.cpu, 1, #of.cpu, #both.cpu + 1, both.cpu)
    both.peak = math.max(both.peak, of.peak)
  end
  return both
end

local function finish(found)
  found.walls, found.wall, found.cpu = found.wall, median(found.wall), median(found.cpu)
  return found
end

--- Runs the driver so often with these words, and two commands or one -> for each command the median wall and
-- cpu of its events and, of events, its highest peak; and walls, all of them, sorted. Of two commands each runs
-- twice, as first, second, second, first; `once` and `again` of the second have the same of each of its two.
function measure.drive(rounds, words, first, second)
  local programs = second and { first, second, second, first } or { first }
  local found = {}
  for i in ipairs(programs) do found[i] = empty() end
  for _ = 1, rounds do
    drive_once(words, programs, found)
  end
  if not second then return finish(found[1]) end
  local least, other = finish(together(found[1], found[4])), finish(together(found[2], found[3]))
  other.once, other.again = finish(found[2]), finish(found[3])
  return least, other
end

--- The least for the same work, with the words of write_event().
function measure.floor(words)
  return FOLDER .. (measure.variables.PIGEON_TLS and "floor_tls " or "floor ") .. words
end

return measure
