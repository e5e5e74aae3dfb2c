-- The time and memory of Pigeon, beside the least for the same work: bin/bench runs this.
--
-- Floor and Pigeon get the same events by turns from one driver, so that other load on the
-- machine affects both; the figures are medians. Where there are two CPUs or more, the two
-- have the last for themselves, and broker and driver have the others: a function's broker
-- does not run on its CPU either, and placed by the scheduler a program's CPU differs by a
-- fifth from its own beside it. It only reports: no figure is an error.
package.path = "./?.lua;" .. package.path
local bill = require "spec.support.bill"
local cjson = require "cjson"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local WITH_JSON, WITH_PROGRESS = arg[1] == "--json", arg[2] == "progress"
local FOLDER = "build/bench/"
local SIZES = { 1, 10, 100, 1000, 10000 }
local ROUNDS = 9 -- each has programs and a queue of its own

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

local function progress(what)
  if WITH_PROGRESS then io.stderr:write("\r\27[K", what) end
end

-- ------------------------------------------------------------------------ measuring

local function median(values)
  table.sort(values)
  return values[(#values + 1) // 2]
end

local function s3_record(id)
  return RECORD:format(id)
end

local function sqs_record(id)
  return MESSAGE:format(id, ('{"Records":[%s]}'):format(s3_record(id)):gsub('"', '\\"'))
end

--- An event of `count` records in a file -> its path, and floor's words: where the ids are.
local function write_event(record, count)
  local path, records = FOLDER .. "event.json", {}
  for i = 1, count do
    records[i] = record(system.id(i))
  end
  local event = ('{"Records":[%s]}'):format(table.concat(records, ","))
  system.write(path, event)
  local first = event:find(system.id(1), 1, true) - 1
  return path, ("%d %d %d"):format(first, #records[1] + 1, count)
end

-- The CPU that the programs have for themselves, or "any"; and how a command gets the others.
local apart, beside = "any", ""

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
local function place_apart()
  local cpus = read_cpus(system.read("/proc/self/status"):match("Cpus_allowed_list:%s*(%S+)"))
  if #cpus < 2 then return end
  apart = table.remove(cpus)
  beside = ("taskset -c %s "):format(table.concat(cpus, ","))
  system.run(("taskset -acp %s %s"):format(table.concat(cpus, ","), system.eval("list_to_integer(os:getpid()).")))
end

-- Variables for all programs, beside those of the virtual host; stronger than they.
local variables = {}

-- Adds what the driver measured, in a virtual host of their own, to a list for each command.
local function drive_once(words, programs, found)
  local env = system.vhost({ "normal" })
  env._HANDLER, env.LAMBDA_TASK_ROOT = "rules.lua", system.run("pwd"):gsub("\n", "") .. "/rules"
  env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE = "256"
  for name, value in pairs(variables) do
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

--- Runs the driver so often with these words and commands -> for each command its median wall
-- and cpu and, of events, its highest peak.
local function drive(rounds, words, ...)
  local found = {}
  for i = 1, select("#", ...) do
    found[i] = { wall = {}, cpu = {}, peak = 0 }
  end
  for _ = 1, rounds do
    drive_once(words, { ... }, found)
  end
  for _, of in ipairs(found) do
    of.wall, of.cpu = median(of.wall), median(of.cpu)
  end
  return table.unpack(found)
end

local function floor(words)
  return FOLDER .. "floor " .. words
end

-- ------------------------------------------------------------------------ the rows

local rows = {}

-- `most` is the limit of the ratio, or of the value where there is no floor.
local function add(row)
  if row.floor then row.ratio = row.pigeon / row.floor end
  if row.most then row.holds = (row.ratio or row.pigeon) <= row.most end
  if row.most_value then row.holds = row.holds and row.pigeon <= row.most_value end
  rows[#rows + 1] = row
end

local function add_cpu(name, least, pigeon, most)
  add { name = name, unit = "us", floor = least.cpu / 1e3, pigeon = pigeon.cpu / 1e3, most = most }
end

local function measure_event()
  progress("one-object events")
  local path, words = write_event(s3_record, 1)
  local events = ("events %s 100 300"):format(path)
  local anywhere, pigeon_anywhere = drive(ROUNDS, events, floor(words), system.bootstrap)
  place_apart()
  local least, pigeon = drive(ROUNDS, events, floor(words), system.bootstrap)
  add { name = "warm one-object event", unit = "us",
    floor = least.wall / 1e3, pigeon = pigeon.wall / 1e3, most = 1.15 }
  add_cpu("CPU of such an event", least, pigeon, 2)
  add_cpu("  of Pigeon beside itself", drive(ROUNDS, events, system.bootstrap, system.bootstrap))
  add_cpu("  placed by the scheduler", anywhere, pigeon_anywhere)
  local talking, silent = drive(ROUNDS, events,
    system.bootstrap, "env AWS_LAMBDA_LOG_LEVEL=ERROR " .. system.bootstrap)
  add { name = "  of it for the log at INFO", unit = "us",
    pigeon = (talking.cpu - silent.cpu) / 1e3, most = 20 }
  least, pigeon = drive(1, ("events %s 100 1500"):format(path), floor(words), system.bootstrap)
  add { name = "peak memory, 1,600 such events", unit = "kB",
    floor = least.peak, pigeon = pigeon.peak, most = 2.5, most_value = 10240 }
end

local function measure_start()
  progress("starts")
  local least, pigeon = drive(1, "starts 100", floor("0 0 1"), system.bootstrap)
  add { name = "start to the first /next", unit = "us",
    floor = least.wall / 1e3, pigeon = pigeon.wall / 1e3, most = 1.6 }
  add_cpu("CPU of a start", least, pigeon)
end

-- All connections of the broker, as if it had crashed.
local CUT = [[bin/rabbitmq eval '[exit(P, kill) || P <- rabbit_networking:local_connections()], ok.' >/dev/null]]

local function measure_reconnect(name)
  local path = write_event(s3_record, 1)
  local pigeon = drive(1, ("reconnects %s 100 %s"):format(path, system.quote(CUT)), system.bootstrap)
  add { name = name, unit = "us", pigeon = pigeon.wall / 1e3 }
end

-- With the machine's CAs, a hundred and more, beside the one that is needed.
local function measure_tls()
  progress("TLS")
  measure_reconnect("event that connects again")
  tls.start()
  tls.certificate("good", "DNS:localhost,IP:127.0.0.1")
  local usual = io.open("/etc/ssl/certs/ca-certificates.crt", "rb")
  system.write(tls.path("bundle.pem"), (usual and usual:read("a") or "") .. system.read(tls.path("ca.pem")))
  if usual then usual:close() end
  variables = { PIGEON_PORT = tls.listen("good"), PIGEON_TLS = "on", PIGEON_TLS_CA_FILE = tls.path("bundle.pem") }
  local pigeon = drive(1, "starts 100", system.bootstrap)
  add { name = "start over TLS", unit = "us", pigeon = pigeon.wall / 1e3 }
  add { name = "CPU of such a start", unit = "us", pigeon = pigeon.cpu / 1e3 }
  measure_reconnect("event that connects again over TLS")
  variables = {}
  tls.stop()
end

-- What the broker sends comes 1 ms later, by the fault proxy.
local function measure_network()
  progress("a network with 1 ms of delay")
  local port = system.run("bin/rabbitmq env"):match("PIGEON_PORT=(%d+)")
  local answers = FOLDER .. "proxy"
  system.write(answers, "")
  local pipe = assert(io.popen(("%s%s/tools/proxy %s >%s"):format(beside, system.build, port, answers), "w"))
  pipe:write("all down delay 1\n")
  pipe:flush()
  variables = { PIGEON_PORT = system.wait("the proxy's port", function()
    return system.read(answers):match("^(%d+)\n.*ok")
  end) }
  local path, words = write_event(s3_record, 1)
  local least, pigeon = drive(3, ("events %s 20 200"):format(path), floor(words), system.bootstrap)
  add { name = "warm one-object event, 1 ms away", unit = "us", floor = least.wall / 1e3, pigeon = pigeon.wall / 1e3 }
  least, pigeon = drive(1, "starts 100", floor("0 0 1"), system.bootstrap)
  add { name = "start to the first /next, 1 ms away", unit = "us",
    floor = least.wall / 1e3, pigeon = pigeon.wall / 1e3 }
  measure_reconnect("event that connects again, 1 ms away")
  variables = {}
  pipe:close()
end

local function add_batch(name, least, pigeon, most)
  add { name = name, unit = "ms", floor = least.wall / 1e6, pigeon = pigeon.wall / 1e6, most = most }
end

local function measure_batch()
  progress("SQS batches")
  local path, words = write_event(sqs_record, 1000)
  local least, pigeon = drive(ROUNDS, ("events %s 3 40"):format(path), floor(words), system.bootstrap)
  add_batch("SQS batch of 1,000 objects", least, pigeon, 1.4)
  add { name = "CPU of such a batch", unit = "ms", floor = least.cpu / 1e6, pigeon = pigeon.cpu / 1e6 }
  add { name = "peak memory of such batches", unit = "kB", floor = least.peak, pigeon = pigeon.peak }
  progress("more SQS batches")
  least, pigeon = drive(1, ("events %s 100 40"):format(path), floor(words), system.bootstrap)
  add_batch("such a batch, after 100 of them", least, pigeon)
end

-- The line goes through the first and the last size; how far the others are from it, and how
-- an object in the largest compares with one in a hundred.
local function measure_sizes()
  local cpu = {}
  for i, size in ipairs(SIZES) do
    progress(("events of %d objects"):format(size))
    local path, words = write_event(s3_record, size)
    local turns = math.max(3, math.min(200, 10000 // size))
    local least, pigeon = drive(1, ("events %s 1 %d"):format(path, turns), floor(words), system.bootstrap)
    cpu[i] = pigeon.cpu / 1e3
    add { name = ("CPU an object, of %d"):format(size), unit = "us",
      floor = least.cpu / 1e3 / size, pigeon = cpu[i] / size }
  end
  local function slope(i) return (cpu[i + 1] - cpu[i]) / (SIZES[i + 1] - SIZES[i]) end
  add { name = "an object more: 1,000 to 10,000 by 10 to 100", unit = "x", pigeon = slope(4) / slope(2), most = 1.25 }
end

local function measure_decide()
  progress("deciding")
  add { name = "decide alone, an object, CPU", unit = "us",
    pigeon = tonumber(system.run(FOLDER .. "decide 1000 21")) / 1e3, most = 15 }
  progress("deciding, counted by callgrind")
  local said = system.run("valgrind --tool=callgrind --callgrind-out-file=/dev/null "
    .. "--toggle-collect=decide_body " .. FOLDER .. "decide 1000 1 2>&1")
  add { name = "decide alone, an object, instructions", unit = "",
    pigeon = tonumber(said:match("Collected : (%d+)")) / 1000 }
end

-- What a million accepted objects cost, by the CPU and the bytes of such events.
local function measure_bill(name, event, most, most_bytes)
  progress("the bill")
  local path = write_event(event.sqs and sqs_record or s3_record, event.objects)
  local pigeon = drive(1, ("events %s 100 300"):format(path), system.bootstrap)
  local env = system.vhost({ "normal" })
  event.bytes = bill.measure(env, bill.event(event.objects, event.sqs))
  system.drop(env)
  event.cpu_us, event.wait_ms = pigeon.cpu / 1e3, (pigeon.wall - pigeon.cpu) / 1e6
  local of = bill.of(event)
  add { name = "bill of a million, " .. name, unit = "US$", pigeon = of.together, most = most, prices = bill.PRICES }
  add { name = "  log of such an event", unit = "bytes", pigeon = event.bytes, most = most_bytes }
  add { name = "  CPU of such an event", unit = "us", pigeon = event.cpu_us }
end

-- ------------------------------------------------------------------------ the report

local function number(value)
  return value and (value < 100 and "%.2f" or "%.0f"):format(value) or ""
end

local function print_table()
  local line = "%-45s %8s %8s %6s %8s"
  print((line:format("median", "floor", "Pigeon", "ratio", "at most")))
  for _, row in ipairs(rows) do
    local unit = row.unit ~= "" and ", " .. row.unit or ""
    local most = row.most and number(row.most) .. (row.holds and "" or " !") or ""
    print((line:format(row.name .. unit, number(row.floor), number(row.pigeon), number(row.ratio), most)))
  end
  print("\n" .. bill.WORDS)
end

measure_event()
measure_start()
measure_tls()
measure_network()
measure_batch()
measure_sizes()
measure_decide()
measure_bill("one by one", { objects = 1 }, 0.70, 980)
measure_bill("by 10 of SQS", { objects = 10, sqs = true }, 0.72, 4300)
progress("")
if WITH_JSON then print(cjson.encode(rows)) else print_table() end
