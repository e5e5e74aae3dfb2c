--- What system specs share: the local Lambda, the private broker, events.
local cjson = require "cjson"

local system = {}

system.build = os.getenv("BUILD") or "build"
system.bootstrap = system.build .. "/bootstrap"
system.tools = (system.build == "build/arm64" and "build" or system.build) .. "/tools" -- this machine's own
system.rabbitmq = "bin/rabbitmq" -- the broker of all that follows; broker.lua puts its own here

--- Quotes a word for the shell.
function system.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local quote = system.quote

function system.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

function system.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

--- Runs a shell command; returns what it wrote to stdout. Raises where its status is not 0.
function system.run(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read("a")
  local ok, _, status = pipe:close()
  if not ok then error(("status %s of: %s"):format(status, command), 2) end
  return text
end

--- Waits until check() returns something true, and returns that; raises after 60 s, or so many.
function system.wait(what, check, seconds)
  local give_up = os.time() + (seconds or 60)
  repeat
    local found = check()
    if found then return found end
    os.execute("sleep 0.05")
  until os.time() > give_up
  error("waited in vain for " .. what, 2)
end

--- Erlang inside the broker: "node()." -> what it evaluates to, as text. Raises its error.
function system.eval(expression)
  return (system.run(system.rabbitmq .. " eval " .. quote(expression)):gsub("\n$", ""))
end

--- A crash id that is accepted (annotation "1", unless given), the same for the same number.
function system.id(number, annotation)
  return ("%08x-2d1c-4865-af09-80bc0%s180313"):format(number, annotation or "1")
end

function system.key(id)
  return ("v2/raw_crash/%s/20%s/%s"):format(id:sub(1, 3), id:sub(-6), id)
end

local function form_encode(key)
  return (key:gsub("[^%w%-%._*/ ]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end):gsub(" ", "+"))
end

--- The event of S3 for these keys, as a table: a record each.
function system.event(...)
  local records = {}
  for i, key in ipairs({ ... }) do
    records[i] = {
      eventVersion = "2.1", eventSource = "aws:s3", awsRegion = "us-west-2",
      eventTime = "2016-09-18T12:34:56.789Z", eventName = "ObjectCreated:Put",
      s3 = {
        s3SchemaVersion = "1.0", configurationId = "pigeon",
        bucket = { name = "crashes", arn = "arn:aws:s3:::crashes" },
        object = { key = form_encode(key), size = 1024, sequencer = "0055AED6DCD90281E5" },
      },
    }
  end
  return { Records = records }
end

--- The variables of `env`, of which these are others; false: not set.
function system.with(env, changes)
  local changed = {}
  for name, value in pairs(env or {}) do changed[name] = value end
  for name, value in pairs(changes) do changed[name] = value or nil end
  return changed
end

--- The rules of a function that is given none: not those that ship, so that whoever changes these has to
-- change their spec alone.
system.rules_folder = system.run("pwd"):gsub("\n", "") .. "/spec/fixtures/right"

local folders = {} -- by what vhost() returned: where its rules are

--- A fresh virtual host of the private broker with these durable queues: the variables that
-- lead to it, for `env` below, and to rules: the text of a script, or those of system.rules_folder. All
-- is gone with system.drop(env).
function system.vhost(queues, rules)
  local random = assert(io.open("/dev/urandom", "rb"))
  local name = "spec-" .. random:read(8):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  random:close()
  system.eval(([[rabbit_vhost:add(<<"%s">>, <<"spec">>),
    rabbit_auth_backend_internal:set_permissions(<<"pigeon">>, <<"%s">>, <<".*">>, <<".*">>,
    <<".*">>, <<"spec">>).]]):format(name, name):gsub("%s+", " "))
  local env = { PIGEON_QUEUE = table.concat(queues, ","), PIGEON_AWS_REGION = "us-west-2" }
  for variable, value in system.run(system.rabbitmq .. " env"):gmatch("export (PIGEON_[A-Z_]+)=([^\n]+)") do
    env[variable] = env[variable] or value
  end
  env.PIGEON_VIRTUAL_HOST = name
  if #queues > 0 then system.declare(env, queues) end
  if rules then
    folders[env] = system.run("mktemp -d"):gsub("\n", "")
    system.write(folders[env] .. "/rules.lua", rules)
  end
  env.LAMBDA_TASK_ROOT, env._HANDLER = folders[env] or system.rules_folder, "rules.lua"
  return env
end

function system.drop(env)
  if folders[env] then system.run("rm -rf " .. quote(folders[env])) end
  folders[env] = nil
  system.eval(('rabbit_vhost:delete(<<"%s">>, <<"spec">>).'):format(env.PIGEON_VIRTUAL_HOST))
end

-- "env -i ..." with PATH and what the sanitizers read, and these variables.
local function environment(env)
  local words = { "env -i" }
  for _, name in ipairs({ "PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" }) do
    local value = os.getenv(name)
    if value then words[#words + 1] = quote(name .. "=" .. value) end
  end
  for name, value in pairs(env or {}) do
    words[#words + 1] = quote(name .. "=" .. value)
  end
  return table.concat(words, " ")
end

local function quoted(list)
  local words = {}
  for i, word in ipairs(list) do words[i] = quote(tostring(word)) end
  return table.concat(words, " ")
end

local function tool(env, name, arguments)
  return ("%s %s %s"):format(environment(env), system.tools .. "/" .. name, arguments)
end

function system.declare(env, queues)
  system.run(tool(env, "consume", "--declare -- " .. quoted(queues)))
end

local function ids_in(output)
  local ids = {}
  for id in output:gmatch("item: ([^\n]*)\n") do ids[#ids + 1] = id end
  return ids
end

--- The ids in these queues (those of PIGEON_QUEUE, without throttles, unless given), in the
-- order of their coming; the queues are empty then.
function system.consume(env, queues)
  if not queues then
    queues = {}
    for entry in env.PIGEON_QUEUE:gmatch("[^,]+") do
      queues[#queues + 1] = entry:gsub("^%s*%d+%s*:", ""):match("^%s*(.-)%s*$")
    end
  end
  return ids_in(system.run(tool(env, "consume", "-- " .. quoted(queues))))
end

--- The same of one queue, where the broker may break off: the ids that came until then, and whether it did not.
function system.try_consume(env, queue)
  local pipe <close> = io.popen(tool(env, "consume", "-- " .. quote(queue)))
  local ids = ids_in(pipe:read("a"))
  return ids, pipe:close() == true
end

--- How many messages wait in a queue.
function system.count(env, queue)
  return tonumber(system.run(tool(env, "consume", "--count-only -- " .. quote(queue))):match(": (%d+)\n"))
end

local Lambda = {}
Lambda.__index = Lambda

local function encode(event)
  return type(event) == "table" and (cjson.encode(event):gsub("\\/", "/")) or event
end

-- The answers as they were written and decoded, the status, the function's log, and what the
-- local Lambda itself wrote ("lambda: ").
local function result(status, answers, log)
  local outcome = { status = status, answers = answers, decoded = {} }
  local parts = { log = {}, said = {} }
  for i, answer in ipairs(answers) do
    local ok, decoded = pcall(cjson.decode, answer)
    outcome.decoded[i] = ok and decoded or nil
  end
  for line in log:gmatch("[^\n]*\n?") do
    local part = parts[line:match("^lambda: ") and "said" or "log"]
    part[#part + 1] = line
  end
  outcome.log, outcome.said = table.concat(parts.log), table.concat(parts.said)
  return outcome
end

--- What a function wrote -> its lines, decoded. Raises the first that is not a JSON object on its own;
-- those of the local Lambda are left out.
function system.lines(log)
  local decoded = {}
  for line in log:gmatch("([^\n]*)\n?") do
    if line ~= "" and not line:find("^lambda: ") then
      local ok, value = pcall(cjson.decode, line)
      if not ok or type(value) ~= "table" then error("no line of JSON: " .. line, 2) end
      decoded[#decoded + 1] = value
    end
  end
  return decoded
end

--- The lines that carry this message, a pattern.
function system.said(log, pattern)
  local found = {}
  for _, line in ipairs(system.lines(log)) do
    if line.message and line.message:find(pattern) then found[#found + 1] = line end
  end
  return found
end

local function lambda_command(setup)
  local command = setup.command or { system.bootstrap }
  -- No spec fails because the machine is slow: Lambda's own grace is 0.5 s.
  local options = "--grace 60000 " .. quoted(setup.options or {})
  return tool(setup.env, "lambda", options .. " -- " .. quoted(command))
end

local function lines(text)
  local list = {}
  for line in text:gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

--- Hands events over: {env, options, command, events | input}. `events` are tables or JSON on
-- one line, `input` is stdin as it is; the command is Pigeon, unless given. Returns {status,
-- answers, decoded, log, said}.
function system.invoke(setup)
  local input, answers, log = os.tmpname(), os.tmpname(), os.tmpname()
  local text = setup.input
  if not text then
    local encoded = {}
    for i, event in ipairs(setup.events or {}) do encoded[i] = encode(event) .. "\n" end
    text = table.concat(encoded)
  end
  system.write(input, text)
  local _, _, status = os.execute(("%s <%s >%s 2>%s"):format(lambda_command(setup), input, answers, log))
  local outcome = result(status, lines(system.read(answers)), system.read(log))
  os.remove(input)
  os.remove(answers)
  os.remove(log)
  return outcome
end

--- The same, step by step: start() takes {env, options, command}, send(event) returns the
-- answer as text, finish() what invoke() does. Between two sends anything may be broken, and
-- between hand(event) and answer(), the halves of a send.
function system.start(setup)
  local folder = system.run("mktemp -d"):gsub("\n", "")
  local self = setmetatable({ folder = folder, answers = {} }, Lambda)
  self.output = assert(io.popen(([[mkfifo DIR/events &&
    sh -c 'echo $$ >DIR/pid; exec "$0" "$@" 2>DIR/log' COMMAND <DIR/events]])
    :gsub("%u+", { DIR = folder, COMMAND = lambda_command(setup) }), "r"))
  system.wait("the queue of events", function() return os.execute(("test -p %s/events"):format(folder)) end)
  -- A shell that reads on when the Lambda is gone: whoever writes to a pipe that nobody reads
  -- is killed, and that would be busted. And a pipe to it, not the file itself: pipes are not
  -- inherited by what is started later, and the Lambda lives for as long as anybody has this.
  self.input = assert(io.popen(("trap '' PIPE; cat >%s/events; cat >/dev/null"):format(folder), "w"))
  return self
end

function Lambda:send(event)
  self:hand(event)
  return self:answer()
end

function Lambda:hand(event)
  assert(self.input:write(encode(event), "\n"))
  self.input:flush()
end

function Lambda:answer()
  local answer = self.output:read("l")
  self.answers[#self.answers + 1] = answer
  return answer
end

--- What the function and the Lambda wrote to stderr so far.
function Lambda:text()
  return system.read(self.folder .. "/log")
end

--- Waits until they have written these words.
function Lambda:wait_for(words)
  system.wait(words, function()
    local file = io.open(self.folder .. "/log")
    local text = file and file:read("a") or ""
    if file then file:close() end
    return text:find(words, 1, true)
  end)
end

--- The process id of the local Lambda.
function Lambda:pid()
  return system.wait("its pid", function()
    local file = io.open(self.folder .. "/pid")
    local pid = file and file:read("n")
    if file then file:close() end
    return pid
  end)
end

--- The process ids of a process' children.
function system.children(pid)
  local pipe = io.popen(("grep -l '^PPid:[[:space:]]*%d$' /proc/[0-9]*/status 2>/dev/null"):format(pid))
  local pids = {}
  for child in pipe:read("a"):gmatch("/proc/(%d+)/") do pids[#pids + 1] = child end
  pipe:close()
  return pids
end

--- The process id of the function.
function Lambda:function_pid()
  local own = self:pid()
  return system.wait("the function", function() return system.children(own)[1] end)
end

--- Ends both at once, whatever they do.
function Lambda:kill()
  os.execute(("kill -KILL %d 2>/dev/null"):format(self:pid()))
  self:finish()
end

function Lambda:finish()
  self.input:close()
  for answer in self.output:lines() do self.answers[#self.answers + 1] = answer end
  local _, how, status = self.output:close()
  local outcome = result(how == "exit" and status or 128 + status, self.answers, self:text())
  os.execute("rm -rf " .. quote(self.folder))
  return outcome
end

return system
