--- The rows of `make bench LONG=1`, which take 50 minutes: events under the CPU that Lambda gives, quorum
-- queues, a newer RabbitMQ, and what a user would write instead.
local cjson = require "cjson"
local measure = require "spec.bench.measure"
local report = require "spec.bench.report"
local system = require "spec.support.system"

local compare, drive, floor = report.compare, measure.drive, measure.floor
local progress = report.progress_of

-- stdout is the table, or JSON.
local function leave_out(what)
  io.stderr:write("left out: ", what, "\n")
end

-- A queue as Amazon MQ declares it.
local function quorum()
  local env = system.vhost({})
  env.PIGEON_QUEUE = "normal"
  local declare = [[rabbit_amqqueue:declare({resource, <<"%s">>, queue, <<"normal">>}, true, false,
    [{<<"x-queue-type">>, longstr, <<"quorum">>}], none, <<"pigeon">>).]]
  system.eval((declare:format(env.PIGEON_VIRTUAL_HOST):gsub("%s+", " ")))
  return env
end

local function measure_quorum()
  progress("quorum queues")
  measure.virtual_host = quorum
  local path, words = measure.write_event(measure.s3_record, 1)
  local least, pigeon = drive(3, ("events %s 100 300"):format(path), floor(words), system.bootstrap)
  compare({ name = "warm one-object event, quorum queue", unit = "us", of = "wall" }, least, pigeon)
  path, words = measure.write_event(measure.sqs_record, 1000)
  least, pigeon = drive(3, ("events %s 3 40"):format(path), floor(words), system.bootstrap)
  compare({ name = "SQS batch of 1,000, quorum queue", unit = "ms", of = "wall" }, least, pigeon)
  measure.virtual_host = measure.classic
end

-- ------------------------------------------------------------------------ Lambda's CPU

local EVENTS <const> = 3000 -- so that p99.9 is not the worst one: of 1,000 it was noise
local PERIOD_US <const> = 20000
-- Lambda gives a function memory / 1769 MB of a CPU.
-- https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
local FULL_MB <const> = 1769

-- A new group of processes with that share of a CPU -> its folder, or nil where the machine has none.
local function new_group(name, share)
  local quota = math.floor(PERIOD_US * share)
  local script = ([[
    for base in /sys/fs/cgroup/cpu /sys/fs/cgroup; do
      folder=$base/pigeon-bench-%s
      mkdir -p $folder 2>/dev/null || continue
      if [ -w $folder/cpu.cfs_quota_us ]; then
        echo %d >$folder/cpu.cfs_period_us && echo %d >$folder/cpu.cfs_quota_us && echo $folder && exit
      elif [ -w $folder/cpu.max ]; then
        echo %d %d >$folder/cpu.max && echo $folder && exit
      fi
      rmdir $folder
    done]]):format(name, PERIOD_US, quota, quota, PERIOD_US)
  local folder = system.run(script .. "; true"):gsub("%s+$", "")
  return folder ~= "" and folder or nil
end

local function percentile(share)
  return function(found) return found.walls[math.max(1, math.ceil(#found.walls * share))] end
end

-- Paced, so that the quota is not the load: each of the two programs has an event in 200 ms.
local function measure_share(memory_mb, where)
  local groups = { new_group("floor", memory_mb / FULL_MB), new_group("pigeon", memory_mb / FULL_MB) }
  if not groups[2] then
    leave_out(("events under %d MB's CPU; this machine lets no cgroup be made"):format(memory_mb))
    return
  end
  progress(("events with the CPU of %d MB, %s"):format(memory_mb, where))
  local path, words = measure.write_event(measure.s3_record, 1)
  measure.variables = { PACE_MS = "100", DEADLINE_MS = "10000", AWS_LAMBDA_FUNCTION_MEMORY_SIZE = tostring(memory_mb) }
  local command = "spec/bench/under %s %s"
  local least, pigeon = drive(1, ("events %s 20 %d"):format(path, EVENTS),
    command:format(groups[1], floor(words)), command:format(groups[2], system.bootstrap))
  measure.variables = {}
  for _, group in ipairs(groups) do os.execute("rmdir " .. group) end
  for _, row in ipairs { { "p50", 0.5 }, { "p99", 0.99, 1.5 }, { "p99.9", 0.999, 1.5 } } do
    compare({ name = ("%d MB's CPU, %s, %s"):format(memory_mb, where, row[1]), unit = "us", most = row[3],
      of = percentile(row[2]) }, least, pigeon)
  end
end

-- ------------------------------------------------------------------------ RabbitMQ 4

local function measure_release(release)
  progress("RabbitMQ " .. release)
  local prefix = "RABBITMQ=" .. release .. " "
  if not os.execute(prefix .. "bin/rabbitmq start >&2") then
    leave_out("RabbitMQ " .. release .. ", which could not be started")
    return
  end
  local rows = cjson.decode(system.run(prefix .. "lua5.4 spec/bench/bench.lua --json brokers"))
  system.run(prefix .. "bin/rabbitmq stop")
  for _, row in ipairs(rows) do
    if row.floor and not row.name:find("^  ") and not row.name:find("memory") then
      row.name, row.most, row.holds = row.name .. ", RabbitMQ " .. release, nil, nil
      report.add(row)
    end
  end
end

-- ------------------------------------------------------------------------ what a user would write

local GO <const> = "GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$PWD/build/bench/go "
  .. "go build -o build/bench/amqp091 spec/bench/others/amqp091.go"
-- Name, how to know that it is here, the command, what to install.
local OTHERS <const> = {
  { "C, libcurl, rabbitmq-c's login", "test -x build/bench/plain", "build/bench/plain" },
  { "Go, amqp091-go", GO, "build/bench/amqp091", "golang-go golang-github-rabbitmq-amqp091-go-dev of Debian" },
  { "Python, pika", "/usr/bin/python3 -c 'import pika'", "/usr/bin/python3 spec/bench/others/pika_function.py",
    "python3-pika of Debian" },
  { "Node, amqplib", "NODE_PATH=build/bench/node_modules node -e 'require(\"amqplib\")'",
    "env NODE_PATH=build/bench/node_modules node spec/bench/others/amqplib.js",
    "nodejs, and npm install --prefix build/bench amqplib" },
}

local function measure_others()
  local path = measure.write_event(measure.s3_record, 1)
  for _, other in ipairs(OTHERS) do
    if os.execute(other[2] .. " >/dev/null 2>&1") then
      progress(other[1])
      local theirs, pigeon = drive(3, ("events %s 100 300"):format(path), other[3], system.bootstrap)
      compare({ name = "event: " .. other[1], unit = "us", of = "wall" }, theirs, pigeon)
      compare({ name = "  CPU", unit = "us", of = "cpu" }, theirs, pigeon)
      compare({ name = "  peak memory", unit = "kB", of = "peak" }, theirs, pigeon)
      theirs, pigeon = drive(1, "starts 20", other[3], system.bootstrap)
      compare({ name = "  start", unit = "us", of = "wall" }, theirs, pigeon)
    else
      leave_out(("%s; needs %s"):format(other[1], other[4]))
    end
  end
end

return function()
  measure_others()
  measure_quorum()
  for _, memory_mb in ipairs { 128, 256 } do
    measure_share(memory_mb, "classic")
    measure.virtual_host = quorum
    measure_share(memory_mb, "quorum")
    measure.virtual_host = measure.classic
  end
  measure_release("4.0")
  measure_release("newest")
end
