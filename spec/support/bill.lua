--- What a million accepted objects cost: the arithmetic of deploy/COSTS.md, in one place. spec/bench measures what goes
-- in, spec/system/bill_spec.lua holds the bytes of the log.
local cjson = require "cjson"
local system = require "spec.support.system"

local bill = {}

--- US$ in us-east-1, without free tiers.
bill.PRICES = {
  invocations = 0.20, -- a million: https://aws.amazon.com/lambda/pricing/
  duration = 0.0000166667, -- a GB-second, x86_64
  sqs = 0.40, -- a million requests: https://aws.amazon.com/sqs/pricing/
  log = 0.50, -- a GB that is ingested: https://aws.amazon.com/cloudwatch/pricing/
}

--- The same in words.
bill.WORDS = ("US$ in us-east-1: %.2f a million invocations, %.10f a GB-second, %.2f a million SQS requests, "
  .. "%.2f a GB of log"):format(bill.PRICES.invocations, bill.PRICES.duration, bill.PRICES.sqs, bill.PRICES.log)

local MB = 256 -- of the function
local MB_OF_A_CPU = 1769 -- https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
local MOST_RECEIVED = 10 -- messages in one request of SQS

--- The function of these events, named as the template names one.
bill.ENV = { AWS_LAMBDA_FUNCTION_NAME = "pigeon-Function-0123456789AB", AWS_LAMBDA_FUNCTION_VERSION = "14" }

-- Times have more or fewer digits from run to run. These are usual.
local USUAL = { DecideTime = "0.102", PublishTime = "2.108" }
local USUAL_LAG = "1234"

--- A log -> the bytes of its events' lines, with times of the usual length, and how many lines.
function bill.bytes(log)
  local bytes, lines = 0, 0
  for line in log:gmatch("[^\n]+") do
    if line:find('"requestId"', 1, true) and not line:find("^lambda: ") then
      for name, usual in pairs(USUAL) do line = line:gsub('"' .. name .. '":[%d.]+', '"' .. name .. '":' .. usual) end
      line = line:gsub('"Lag":%d+', '"Lag":' .. USUAL_LAG)
      line = line:gsub('"Lag":(%b[])', function(list) return '"Lag":' .. list:gsub("%d+", USUAL_LAG) end)
      bytes, lines = bytes + #line, lines + 1
    end
  end
  return bytes, lines
end

--- The objects of an event, whether it comes by SQS, and of an event: bytes of log, microseconds of CPU on one vCPU,
-- and milliseconds that it waits -> US$ of a million objects: {invocations, sqs, log, duration, together}.
function bill.of(event)
  local events, prices = 1 / event.objects, bill.PRICES -- of an object
  local requests = event.sqs and 1 + 2 * events * math.ceil(event.objects / MOST_RECEIVED) or 0
  local ms = math.ceil(event.cpu_us / 1000 * MB_OF_A_CPU / MB + event.wait_ms)
  local of = {
    invocations = events * prices.invocations,
    sqs = requests * prices.sqs,
    log = events * event.bytes / 1e9 * 1e6 * prices.log,
    duration = events * ms / 1000 * 1e6 * MB / 1024 * prices.duration,
  }
  of.together = of.invocations + of.sqs + of.log + of.duration
  return of
end

local function message(number)
  return { messageId = "m" .. number, eventSource = "aws:sqs", eventSourceARN = "arn:aws:sqs:r:1:pigeon-events",
    body = cjson.encode(system.event(system.key(system.id(number)))) }
end

--- So many accepted objects as an event, by SQS or by S3 itself.
function bill.event(objects, sqs)
  if not sqs then
    local keys = {}
    for i = 1, objects do keys[i] = system.key(system.id(i)) end
    return system.event(table.unpack(keys))
  end
  local records = {}
  for i = 1, objects do records[i] = message(i) end
  return { Records = records }
end

--- Variables of a broker with the queue normal, and an event -> the bytes of log of one that is not the first, how many
-- lines these are, and the log.
function bill.measure(env, event)
  local all = {}
  for _, some in ipairs { env, bill.ENV } do
    for name, value in pairs(some) do all[name] = value end
  end
  local log = system.invoke({ env = all, events = { event, event } }).log
  local first = log:match('"requestId":"([^"]+)"')
  local later = {}
  for line in log:gmatch("[^\n]+") do
    if not line:find(first, 1, true) then later[#later + 1] = line end
  end
  log = table.concat(later, "\n")
  local bytes, lines = bill.bytes(log)
  return bytes, lines, log
end

return bill
