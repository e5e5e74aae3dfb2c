-- The time and memory of Pigeon, beside the least for the same work: bin/bench runs this.
--
--   lua5.4 spec/bench/bench.lua [--json] [progress] [long] [brokers]
--
-- long: also what takes more than minutes (long.lua). brokers: only what depends on RabbitMQ. It only
-- reports: no figure is an error.
package.path = "./?.lua;" .. package.path
local bill = require "spec.support.bill"
local measure = require "spec.bench.measure"
local report = require "spec.bench.report"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local options = {}
for _, word in ipairs(arg) do options[word] = true end
report.progress = options.progress

local FOLDER <const> = measure.FOLDER
local SIZES <const> = { 1, 10, 100, 1000, 10000 }
local ROUNDS <const> = 9 -- each has programs and a queue of its own

local add, compare, drive, floor = report.add, report.compare, measure.drive, measure.floor
local progress = report.progress_of
local write_event, s3_record, sqs_record = measure.write_event, measure.s3_record, measure.sqs_record

local function add_cpu(name, least, pigeon, most)
  compare({ name = name, unit = "us", of = "cpu", most = most }, least, pigeon)
end

local function add_wall(name, least, pigeon, most)
  compare({ name = name, unit = "us", of = "wall", most = most }, least, pigeon)
end

local function measure_event()
  progress("one-object events")
  local path, words = write_event(s3_record, 1)
  local events = ("events %s 100 300"):format(path)
  local anywhere, pigeon_anywhere = drive(ROUNDS, events, floor(words), system.bootstrap)
  measure.place_apart()
  local least, pigeon = drive(ROUNDS, events, floor(words), system.bootstrap)
  add_wall("warm one-object event", least, pigeon, 1.15)
  add_cpu("CPU of such an event", least, pigeon, 2)
  add_cpu("  placed by the scheduler", anywhere, pigeon_anywhere)
  local talking, silent = drive(ROUNDS, events,
    system.bootstrap, "env AWS_LAMBDA_LOG_LEVEL=ERROR " .. system.bootstrap)
  add { name = "  of it for the log at INFO", unit = "us",
    pigeon = (talking.cpu - silent.cpu) / 1e3, most = 20 }
  least, pigeon = drive(2, ("events %s 100 1500"):format(path), floor(words), system.bootstrap)
  compare({ name = "peak memory, 1,600 such events", unit = "kB", of = "peak", most = 2.5, most_value = 10240 },
    least, pigeon)
end

local function measure_start()
  progress("starts")
  local least, pigeon = drive(1, "starts 100", floor("0 0 1"), system.bootstrap)
  add_wall("start to the first /next", least, pigeon, 1.6)
  add_cpu("CPU of a start", least, pigeon)
end

-- All connections of the broker, as if it had crashed.
local CUT = [[bin/rabbitmq eval '[exit(P, kill) || P <- rabbit_networking:local_connections()], ok.' >/dev/null]]

local function measure_reconnect(name)
  local path, words = write_event(s3_record, 1)
  local least, pigeon = drive(1, ("reconnects %s 100 %s"):format(path, system.quote(CUT)),
    floor(words .. " each"), system.bootstrap)
  add_wall(name, least, pigeon)
end

local function measure_tls_with(cas, file)
  measure.variables = { PIGEON_PORT = tls.listen("good"), PIGEON_TLS = "on", PIGEON_TLS_CA_FILE = tls.path(file) }
  local least, pigeon = drive(1, "starts 100", floor("0 0 1"), system.bootstrap)
  add_wall("start over TLS, " .. cas, least, pigeon, 1.6)
  add_cpu("CPU of such a start", least, pigeon)
  measure_reconnect("event that connects again so")
  measure.variables = {}
end

-- With the machine's CAs, a hundred and more, beside the one that is needed, and with four.
local function measure_tls()
  progress("TLS")
  measure_reconnect("event that connects again")
  tls.start()
  tls.certificate("good", "DNS:localhost,IP:127.0.0.1")
  local usual = io.open("/etc/ssl/certs/ca-certificates.crt", "rb")
  local own, all = system.read(tls.path("ca.pem")), usual and usual:read("a") or ""
  if usual then usual:close() end
  local certificates = {}
  for certificate in all:gmatch("%-%-%-%-%-BEGIN.-END[^\n]+\n") do certificates[#certificates + 1] = certificate end
  system.write(tls.path("bundle.pem"), all .. own)
  system.write(tls.path("four.pem"), table.concat(certificates, "", 1, math.min(3, #certificates)) .. own)
  measure_tls_with(#certificates + 1 .. " CAs", "bundle.pem")
  measure_tls_with("4 CAs", "four.pem")
  tls.stop()
end

-- What the broker sends comes 1 ms later, by the fault proxy.
local function measure_network()
  progress("a network with 1 ms of delay")
  local port = system.run("bin/rabbitmq env"):match("PIGEON_PORT=(%d+)")
  local answers = FOLDER .. "proxy"
  system.write(answers, "")
  local pipe = assert(io.popen(("%s%s/tools/proxy %s >%s"):format(measure.beside, system.build, port, answers), "w"))
  pipe:write("all down delay 1\n")
  pipe:flush()
  measure.variables = { PIGEON_PORT = system.wait("the proxy's port", function()
    return system.read(answers):match("^(%d+)\n.*ok")
  end) }
  local path, words = write_event(s3_record, 1)
  local least, pigeon = drive(3, ("events %s 20 200"):format(path), floor(words), system.bootstrap)
  add_wall("warm one-object event, 1 ms away", least, pigeon)
  least, pigeon = drive(1, "starts 100", floor("0 0 1"), system.bootstrap)
  add_wall("start to the first /next, 1 ms away", least, pigeon)
  measure_reconnect("event that connects again, 1 ms away")
  measure.variables = {}
  pipe:close()
end

local function measure_batch()
  progress("SQS batches")
  local path, words = write_event(sqs_record, 1000)
  local least, pigeon = drive(ROUNDS, ("events %s 3 40"):format(path), floor(words), system.bootstrap)
  compare({ name = "SQS batch of 1,000", unit = "ms", of = "wall", most = 1.4 }, least, pigeon)
  compare({ name = "CPU of such a batch", unit = "ms", of = "cpu" }, least, pigeon)
  compare({ name = "peak memory of such batches", unit = "kB", of = "peak" }, least, pigeon)
  progress("more SQS batches")
  least, pigeon = drive(1, ("events %s 100 40"):format(path), floor(words), system.bootstrap)
  compare({ name = "such a batch after 100", unit = "ms", of = "wall" }, least, pigeon)
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
    compare({ name = ("CPU an object, of %d"):format(size), unit = "us",
      of = function(found) return found.cpu / size end }, least, pigeon)
  end
  local function slope(i) return (cpu[i + 1] - cpu[i]) / (SIZES[i + 1] - SIZES[i]) end
  add { name = "an object more, 10,000 beside 100 of them", unit = "x", pigeon = slope(4) / slope(2), most = 1.25 }
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

if options.brokers then
  measure_event()
  measure_batch()
else
  measure_event()
  measure_start()
  measure_tls()
  measure_network()
  measure_batch()
  measure_sizes()
  measure_decide()
  measure_bill("one by one", { objects = 1 }, 0.70, 980)
  measure_bill("by 10 of SQS", { objects = 10, sqs = true }, 0.72, 4300)
  if options.long then require "spec.bench.long" () end
end
report.print(options["--json"])
