--- Drives programs for `make bench`: the events, and what driver.c measured.
--
-- Floor and Pigeon get the same events by turns from one driver, so that other load on the machine affects
-- both; the figures are medians. What one half of Pigeon's turns shows beside the other half is the noise of a
-- row. Where there are two CPUs or more, the two have the last for themselves, and
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

-- Adds what the driver measured, in a virtual host of their own, to a list for each command.
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
      table.insert(of.peaks, tonumber(first))
    else
      table.insert(of.walls, tonumber(first))
      table.insert(of.cpus, tonumber(second))
    end
  end
  system.drop(env)
end

-- Every other two values, beginning with the first two or the next: in two turns that follow each other the
-- programs come in both orders.
local function half(values, second)
  local list = {}
  for i, value in ipairs(values) do
    if ((i - 1) // 2 % 2 == 1) == second then list[#list + 1] = value end
  end
  return list
end

local function figures(walls, cpus, peak)
  return { wall = median(walls), cpu = median(cpus), peak = peak, walls = walls }
end

--- Runs the driver so often with these words and commands -> for each command its median wall and cpu and, of
-- events, its highest peak; and walls, all of them, sorted. `once` and `again` have the same of half of the
-- turns each, and the peaks of the first and of the last run.
function measure.drive(rounds, words, ...)
  local found = {}
  for i = 1, select("#", ...) do
    found[i] = { walls = {}, cpus = {}, peaks = {} }
  end
  for _ = 1, rounds do
    drive_once(words, { ... }, found)
  end
  for i, of in ipairs(found) do
    local once = figures(half(of.walls, false), half(of.cpus, false), of.peaks[1])
    local again = figures(half(of.walls, true), half(of.cpus, true), of.peaks[#of.peaks])
    table.sort(of.peaks)
    found[i] = figures(of.walls, of.cpus, of.peaks[#of.peaks])
    found[i].once, found[i].again = once, again
  end
  return table.unpack(found)
end

--- The least for the same work, with the words of write_event().
function measure.floor(words)
  return FOLDER .. (measure.variables.PIGEON_TLS and "floor_tls " or "floor ") .. words
end

return measure
