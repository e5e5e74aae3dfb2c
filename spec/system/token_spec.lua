--- The function's role as the login: the built program, a token of the local AWS, and a RabbitMQ that takes it.
local aws = require "spec.support.aws"
local broker = require "spec.support.broker"
local system = require "spec.support.system"

local ROLE = "arn:aws:iam::123456789012:role/pigeon"
local ELSEWHERE = "arn:aws:iam::123456789012:role/elsewhere" -- may write to another exchange
local STRANGER = "arn:aws:iam::123456789012:role/stranger"
local LIFE = 8 -- seconds of a token that ends in a case

local id, key = system.id, system.key

local function with(env, changes)
  local copy = {}
  for name, value in pairs(env) do copy[name] = value end
  for name, value in pairs(changes or {}) do copy[name] = value or nil end
  return copy
end

local function event(number)
  return system.event(key(id(number)))
end

local function has(text, words)
  assert(text:find(words, 1, true), ("%q is not in:\n%s"):format(words, text))
end

describe("the role as the login", function()
  local cloud, reader, env
  local shown = {} -- all that any run wrote

  setup(function()
    broker.start()
    cloud = aws.start()
    reader = system.vhost({ "normal" })
    local vhost = reader.PIGEON_VIRTUAL_HOST
    cloud:tell("sts key %s/key.pem", cloud.folder)
    broker.take_tokens(cloud.folder .. "/key.pem", {
      [ROLE] = { "write:" .. vhost .. "/amq.default", "write:" .. vhost .. "/normal" },
      [ELSEWHERE] = { "write:" .. vhost .. "/amq.topic" },
    })
    env = with(reader, aws.IDENTITY)
    env = with(env, { AWS_ENDPOINT_URL_STS = cloud.url, PIGEON_PASSWORD = "sts:rabbitmq", PIGEON_USER = false,
      PIGEON_METRICS = "off", AWS_LAMBDA_LOG_FORMAT = "Text" })
  end)
  teardown(function()
    cloud:stop()
    broker.stop()
  end)
  before_each(function() cloud:calls() end)
  after_each(function()
    for _, line in ipairs({ "lifetime asked", "role " .. ROLE, "clock 0", "session 43200", "federation on" }) do
      cloud:tell("sts %s", line)
    end
    cloud:tell("fault sts none")
    system.consume(reader)
  end)

  local function keep(outcome)
    shown[#shown + 1] = table.concat(outcome.answers, "\n") .. outcome.log .. outcome.said
    return outcome
  end

  -- One event in a process of its own: the outcome, and the calls that it took.
  local function send(changes)
    local outcome = keep(system.invoke({ env = with(env, changes), events = { event(1) } }))
    return outcome, cloud:calls()
  end

  local function published(outcome)
    assert.same({ "null" }, outcome.answers, outcome.log)
    assert.same({ id(1) }, system.consume(reader))
  end

  local function failed(outcome, ...)
    assert.equal("Function.BrokerUnavailable", outcome.decoded[1].errorType)
    for _, words in ipairs({ ... }) do has(outcome.decoded[1].errorMessage, words) end
    assert.same({}, system.consume(reader))
  end

  local function init_error(outcome, ...)
    assert.equal(1, outcome.status)
    assert.equal("Runtime.SecretUnavailable", outcome.decoded[1].errorType)
    for _, words in ipairs({ ... }) do has(outcome.decoded[1].errorMessage, words) end
  end

  -- Whether the broker closes a connection whose token has ended.
  local function closes()
    local major, minor = system.eval("rabbit_misc:version()."):match("(%d+)%.(%d+)")
    return tonumber(major) * 100 + tonumber(minor) >= 403
  end

  describe("with a token", function()
    it("publishes, without PIGEON_USER, with one call to STS", function()
      local outcome, calls = send()
      published(outcome)
      assert.same({ "sts rabbitmq ok" }, calls)
      has(outcome.log, ", login PLAIN, ready in ")
      has(broker.log(), "user: '" .. ROLE .. "'")
    end)

    it("publishes beside a user, whose name makes no difference", function()
      published((send({ PIGEON_USER = "anybody" })))
    end)

    it("of a role whose session ends soon publishes with a shorter one", function()
      cloud:tell("sts session 100")
      local outcome, calls = send()
      published(outcome)
      assert.same({ "sts rabbitmq SessionDurationEscalationException", "sts rabbitmq ok" }, calls)
    end)

    it("from a clock that differs by minutes publishes", function()
      for _, seconds in ipairs({ 240, -240 }) do
        cloud:tell("sts clock %d", seconds)
        published((send()))
      end
    end)
  end)

  describe("without a token", function()
    it("that STS refuses is an init error", function()
      cloud:tell("fault sts denied")
      local outcome, calls = send()
      init_error(outcome, "PIGEON_PASSWORD: sts GetWebIdentityToken: AccessDenied: User: arn:aws:sts",
        "next: allow the function's role to read it")
      assert.same({ "sts - AccessDenied" }, calls)
    end)

    it("because the account has them switched off is an init error that says how to switch them on", function()
      cloud:tell("sts federation off")
      init_error((send()), "OutboundWebIdentityFederationDisabledException: Outbound web identity federation is",
        "next: switch it on, once for the account: aws iam enable-outbound-web-identity-federation")
    end)

    it("because a clock is wrong is an init error that names the clock", function()
      for seconds, words in pairs({ [3600] = "Signature expired", [-3600] = "Signature not yet current" }) do
        cloud:tell("sts clock %d", seconds)
        init_error((send()), "SignatureDoesNotMatch: " .. words, "next: set the clock of this machine")
      end
    end)

    it("by another key is an init error without the session token", function()
      local outcome = send({ AWS_SECRET_ACCESS_KEY = "another" })
      init_error(outcome, "SignatureDoesNotMatch: The request signature we calculated does not match")
    end)

    it("during init gets one at the first event", function()
      for _, fault in ipairs({ "throttled", "broken", "truncated" }) do
        cloud:tell("fault sts %s", fault)
        local lambda = system.start({ env = env })
        lambda:wait_for("ready in")
        cloud:tell("fault sts none")
        local answer = lambda:send(event(1))
        local outcome = keep(lambda:finish())
        assert.equal("null", answer, outcome.log)
        has(outcome.log, "no secret yet, the first event tries again: PIGEON_PASSWORD: sts")
        assert.same({ id(1) }, system.consume(reader))
      end
    end)
  end)

  describe("that the broker does not take", function()
    local REFUSED = "next: see the broker's log: has the token expired by the broker's clock, is its audience"

    it("because of the broker's clock has that in its error", function()
      cloud:tell("sts lifetime -60 900") -- as if the broker's clock were ahead
      local outcome, calls = send()
      failed(outcome, "login: 403 ", REFUSED)
      assert.same({ "sts rabbitmq ok", "sts rabbitmq ok" }, calls) -- a new one, at most once a minute
    end)

    it("because of its audience has that in its error", function()
      failed((send({ PIGEON_PASSWORD = "sts:another" })), "login: 403 ", REFUSED)
    end)

    it("because the role has no right at all is told which one to give", function()
      cloud:tell("sts role %s", STRANGER)
      failed((send()), "login: 530 ", "refused for user '" .. STRANGER .. "'",
        "next: give the token's owner a scope on the broker (auth_oauth2.scope_aliases)")
    end)

    it("because the role may not write to queues is told which right to give", function()
      cloud:tell("sts role %s", ELSEWHERE)
      local outcome = send()
      failed(outcome, "publish: 403 ", "refused for user '" .. ELSEWHERE .. "'",
        "next: give the token's owner a scope on the broker (auth_oauth2.scope_aliases)")
      assert.is_nil(outcome.log:find("set_permissions", 1, true))
    end)
  end)

  describe("on the desk", function()
    local function check(changes)
      local words, out = {}, os.tmpname()
      for name, value in pairs(with(env, changes)) do words[#words + 1] = name .. "=" .. system.quote(value) end
      local command = 'env -i PATH="$PATH" ASAN_OPTIONS="$ASAN_OPTIONS" %s %s check --connect >%s 2>&1'
      local _, _, status = os.execute(command:format(table.concat(words, " "), system.bootstrap, out))
      local text = system.read(out)
      os.remove(out)
      shown[#shown + 1] = text
      return status, text
    end

    it("check --connect finds all well", function()
      local status, text = check()
      assert.equal(0, status, text)
      has(text, "queue normal: there")
    end)

    it("check --connect says which right is missing, and not by rabbitmqctl", function()
      cloud:tell("sts role %s", ELSEWHERE)
      local status, text = check()
      assert.equal(1, status)
      has(text, "give the token's owner a scope on the broker (auth_oauth2.scope_aliases)")
      assert.is_nil(text:find("rabbitmqctl", 1, true))
    end)

    it("check refuses a token for anything but the password, and asks nobody", function()
      local _, text = check({ PIGEON_USER = "sts:rabbitmq" })
      has(text, "PIGEON_USER: sts: gives a token, which only PIGEON_PASSWORD can be")
      assert.same({}, cloud:calls())
    end)
  end)

  -- RabbitMQ 3.10 and 4.0 keep the connection and refuse the next publish, 4.3 closes it. All cases start at
  -- once and wait for the same end of their tokens.
  describe("whose token ends while the function is warm", function()
    local started = {}
    local function start(name, changes)
      local lambda = system.start({ env = with(env, changes) })
      started[name] = lambda
      assert.equal("null", lambda:send(event(1)))
      assert.same({ id(1) }, system.consume(reader))
    end

    local function token()
      local path = cloud.folder .. "/token"
      cloud:tell("sts token %s rabbitmq", path)
      return system.read(path)
    end

    setup(function()
      cloud:tell("sts lifetime %d", LIFE)
      start("by its own clock", {})
      cloud:tell("sts lifetime %d 900", LIFE)
      start("by the broker's clock", {})
      local first = token()
      local ended = os.time() + LIFE + 2
      cloud:tell("value secretsmanager rotated %s", first)
      cloud:tell("value secretsmanager kept %s", first)
      local secret = { AWS_ENDPOINT_URL = cloud.url, PIGEON_USER = "anybody" }
      start("in a secret that has a new one", with(secret, { PIGEON_PASSWORD = "secretsmanager:rotated" }))
      start("in a secret that has no new one", with(secret, { PIGEON_PASSWORD = "secretsmanager:kept" }))
      start("in the variable", { PIGEON_PASSWORD = first, PIGEON_USER = "anybody" })
      cloud:tell("sts lifetime asked")
      cloud:tell("value secretsmanager rotated %s", token())
      system.wait("the end of the tokens", function() return os.time() > ended end)
      cloud:calls()
    end)
    teardown(function()
      for _, lambda in pairs(started) do lambda:finish() end
    end)

    -- The next event of that function: its outcome, and the calls that it took.
    local function go_on(name)
      local lambda = started[name]
      started[name] = nil
      lambda:send(event(2))
      local outcome = keep(lambda:finish())
      return outcome, cloud:calls()
    end

    local function goes_on(name, calls)
      it(name .. " connects anew with a new one, in the same event", function()
        local outcome, asked = go_on(name)
        assert.equal("null", outcome.answers[2], outcome.log)
        assert.same({ id(2) }, system.consume(reader))
        assert.same(calls, asked)
      end)
    end

    goes_on("by its own clock", { "sts rabbitmq ok" })
    goes_on("by the broker's clock", { "sts rabbitmq ok" })
    goes_on("in a secret that has a new one", { "secretsmanager rotated ok" })

    for name, why in pairs({ ["in a secret that has no new one"] = "(AWS still has the same values)",
      ["in the variable"] = "(no setting is a reference to AWS)" }) do
      it(name .. " fails, and says that the token has expired", function()
        local outcome = go_on(name)
        local message = outcome.decoded[2].errorMessage
        has(message, closes() and "has the token expired by the broker's clock"
          or "the token has expired: ACCESS_REFUSED")
        has(message, why)
        assert.is_nil(message:find("write permission", 1, true))
        assert.same({}, system.consume(reader))
      end)
    end
  end)

  it("whose token ends while a confirm is awaited publishes all the same", function()
    cloud:tell("sts lifetime %d 900", LIFE)
    local lambda = system.start({ env = env })
    lambda:wait_for("ready in")
    cloud:tell("sts lifetime asked")
    local ended = os.time() + LIFE + 2
    local _, refused = broker.log():gsub("login refused", "")
    broker.hold(reader, "normal")
    lambda:hand(event(1))
    system.wait("the end of the token", function() return os.time() > ended end)
    broker.release(reader)
    local answer = lambda:answer()
    local outcome = keep(lambda:finish())
    assert.equal("null", answer, outcome.log)
    assert.equal(id(1), system.consume(reader)[1])
    assert.equal(closes() and 2 or 1, #cloud:calls())
    local _, refused_now = broker.log():gsub("login refused", "")
    assert.equal(refused, refused_now) -- the old one was not tried again
  end)

  it("shows no token in all that these runs wrote", function()
    local all = table.concat(shown, "\n")
    has(all, "AccessDenied")
    for _, secret in ipairs({ "eyJ", aws.IDENTITY.AWS_SECRET_ACCESS_KEY, aws.IDENTITY.AWS_SESSION_TOKEN }) do
      assert.is_nil(all:find(secret, 1, true))
    end
  end)
end)
