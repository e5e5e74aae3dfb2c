--- Secrets out of AWS: the built program, the local AWS, the private RabbitMQ.
local aws = require "spec.support.aws"
local broker = require "spec.support.broker"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local id, key, quote = system.id, system.key, system.quote

local PASSWORD, ROTATED, LITERAL = "Sesame-first-1", "Sesame-second-2", "Sesame-literal-3"
local HIDDEN = { PASSWORD, ROTATED, LITERAL, aws.IDENTITY.AWS_SECRET_ACCESS_KEY, aws.IDENTITY.AWS_SESSION_TOKEN }
local shown = {} -- all that any run wrote

local function copy(env, changes)
  local changed = {}
  for name, value in pairs(env) do changed[name] = value end
  for name, value in pairs(changes or {}) do changed[name] = value or nil end
  return changed
end

local function keep(outcome)
  shown[#shown + 1] = table.concat(outcome.answers, "\n") .. outcome.log .. outcome.said
  return outcome
end

local function has(text, part)
  assert(text:find(part, 1, true), ("%q is not in:\n%s"):format(part, text))
end

describe("secrets", function()
  local env, cloud, name, reader
  setup(function()
    cloud = aws.start()
    reader = system.vhost({ "normal" })
    env = copy(reader)
    broker.add_user(env, PASSWORD)
    name = env.PIGEON_USER
    for variable, value in pairs(aws.IDENTITY) do env[variable] = value end
    env.AWS_ENDPOINT_URL = cloud.url
    cloud:tell("value kms UGFzc3dvcmQ= %s", PASSWORD)
    cloud:tell("context Y29udGV4dA== pigeon %s", PASSWORD)
    cloud:tell("value ssm /pigeon/password %s", PASSWORD)
    cloud:tell("value ssm /pigeon/vhost %s", name)
    cloud:tell("value secretsmanager pigeon %s", PASSWORD)
    cloud:tell("binary secretsmanager binary %s", PASSWORD)
    cloud:tell('value secretsmanager arn:aws:secretsmanager:us-west-2:123456789012:secret:pigeon-AbCdEf '
      .. '{"username":"%s","password":"%s","port":5671}', name, PASSWORD)
    cloud:tell("value secretsmanager wrong %s", ROTATED)
    cloud:tell("value secretsmanager nul Sesame-first-1\\0x")
    cloud:tell("value secretsmanager empty ")
  end)
  teardown(function()
    cloud:stop()
    system.eval(('rabbit_auth_backend_internal:delete_user(<<"%s">>, <<"spec">>).'):format(name))
    system.drop(reader)
  end)
  before_each(function() cloud:calls() end)
  after_each(function()
    for _, service in ipairs({ "kms", "ssm", "secretsmanager" }) do cloud:tell("fault %s none", service) end
    broker.change_password(env, PASSWORD)
  end)

  local ARN = "secretsmanager:arn:aws:secretsmanager:us-west-2:123456789012:secret:pigeon-AbCdEf"

  -- One event in a process of its own: the outcome, and the calls that it took.
  local function send(changes)
    local outcome = keep(system.invoke({ env = copy(env, changes), events = { system.event(key(id(1))) } }))
    return outcome, cloud:calls()
  end

  local function published(outcome)
    assert.same({ "null" }, outcome.answers, outcome.log)
    assert.equal(0, outcome.status)
    assert.same({ id(1) }, system.consume(reader))
  end

  -- What was posted to /init/error.
  local function init_error(changes)
    local outcome, calls = send(changes)
    assert.equal(1, outcome.status)
    has(outcome.said, "Runtime.")
    return outcome.decoded[1].errorMessage, calls
  end

  describe("log in with", function()
    -- the variables, and the calls
    local cases = {
      { "a ciphertext of KMS", { PIGEON_PASSWORD = "kms:UGFzc3dvcmQ=" }, { "kms UGFzc3dvcmQ= ok" } },
      { "one with the function's context", { PIGEON_PASSWORD = "kms:Y29udGV4dA==" },
        { "kms Y29udGV4dA== InvalidCiphertextException", "kms Y29udGV4dA== ok" } },
      { "a parameter", { PIGEON_PASSWORD = "ssm:/pigeon/password" }, { "ssm /pigeon/password ok" } },
      { "a secret", { PIGEON_PASSWORD = "secretsmanager:pigeon" }, { "secretsmanager pigeon ok" } },
      { "a binary secret", { PIGEON_PASSWORD = "secretsmanager:binary" }, { "secretsmanager binary ok" } },
      { "two members of one secret, in one call, and a virtual host",
        { PIGEON_USER = ARN .. "#username", PIGEON_PASSWORD = ARN .. "#password",
          PIGEON_VIRTUAL_HOST = "ssm:/pigeon/vhost" },
        { "ssm /pigeon/vhost ok", ARN:gsub("^secretsmanager:", "secretsmanager ") .. " ok" } },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        local outcome, calls = send(case[2])
        published(outcome)
        assert.same(case[3], calls)
      end)
    end

    it("the same without a session token", function()
      local identity = aws.IDENTITY
      aws.IDENTITY = copy(identity, { AWS_SESSION_TOKEN = "" })
      local other = aws.start()
      aws.IDENTITY = identity
      other:tell("value ssm /pigeon/password %s", PASSWORD)
      published((send({ PIGEON_PASSWORD = "ssm:/pigeon/password", AWS_ENDPOINT_URL_SSM = other.url,
        AWS_SESSION_TOKEN = "" })))
      assert.same({ "ssm /pigeon/password ok" }, other:calls())
      other:stop()
    end)

    it("a literal behind a backslash, and one that is plain, without a call", function()
      for setting, password in pairs({ ["\\ssm:" .. LITERAL] = "ssm:" .. LITERAL, [LITERAL] = LITERAL }) do
        broker.change_password(env, password)
        local outcome, calls = send({ PIGEON_PASSWORD = setting })
        published(outcome)
        assert.same({}, calls)
      end
    end)
  end)

  describe("that AWS refuses are an init error:", function()
    local function refused(what, changes, words, before)
      it(what, function()
        for _, line in ipairs(before or {}) do cloud:tell(line) end
        local message, calls = init_error(changes)
        for _, part in ipairs(words) do has(message, part) end
        assert.equal(1, #calls)
      end)
    end

    refused("AccessDenied", { PIGEON_PASSWORD = "ssm:/pigeon/password" },
      { "PIGEON_PASSWORD: ssm GetParameter: AccessDeniedException: User: arn:aws:sts" }, { "fault ssm denied" })
    refused("not found", { PIGEON_USER = "secretsmanager:nobody" },
      { "PIGEON_USER: secretsmanager GetSecretValue: ResourceNotFoundException" })
    refused("no such parameter", { PIGEON_VIRTUAL_HOST = "ssm:/nothing" },
      { "PIGEON_VIRTUAL_HOST: ssm GetParameter: ParameterNotFound" })
    refused("an answer that is not AWS's", { PIGEON_PASSWORD = "kms:UGFzc3dvcmQ=" },
      { "PIGEON_PASSWORD: kms Decrypt: status 403 without an error code of AWS" }, { "fault kms foreign" })
    refused("no such member", { PIGEON_PASSWORD = ARN .. "#pass" },
      { 'PIGEON_PASSWORD: secretsmanager: the secret has no member "pass"' })
    refused("a member that is a number", { PIGEON_PASSWORD = ARN .. "#port" },
      { 'PIGEON_PASSWORD: secretsmanager: member "port" of the secret is not a string' })
    refused("a secret without members", { PIGEON_PASSWORD = "secretsmanager:pigeon#password" },
      { "PIGEON_PASSWORD: secretsmanager: the secret is not a JSON object" })
    refused("a NUL", { PIGEON_PASSWORD = "secretsmanager:nul" },
      { "PIGEON_PASSWORD: secretsmanager: the value has a NUL in it" })
    refused("nothing in it", { PIGEON_PASSWORD = "secretsmanager:empty" },
      { "PIGEON_PASSWORD: secretsmanager: the value is empty" })

    it("a ciphertext that neither way decrypts", function()
      local message, calls = init_error({ PIGEON_PASSWORD = "kms:bm9uZQ==" })
      has(message, "PIGEON_PASSWORD: kms Decrypt: InvalidCiphertextException")
      assert.equal(2, #calls)
    end)

    it("a signature by another key, and AWS's words about it without the session token", function()
      local message, calls = init_error({ PIGEON_PASSWORD = "ssm:/pigeon/password",
        AWS_SECRET_ACCESS_KEY = "another" })
      has(message, "InvalidSignatureException: The request signature we calculated does not match")
      assert.is_nil(message:find("Canonical", 1, true))
      assert.same({ "ssm - InvalidSignatureException" }, calls)
    end)

    it("another session token, another region", function()
      has(init_error({ PIGEON_PASSWORD = "ssm:/a", AWS_SESSION_TOKEN = "x" }), "UnrecognizedClientException")
      has(init_error({ PIGEON_PASSWORD = "ssm:/a", PIGEON_AWS_REGION = "eu-west-1" }), "valid region")
    end)
  end)

  describe("that cannot be right are an init error without a call:", function()
    local cases = {
      { "no ciphertext", { PIGEON_PASSWORD = "kms:" .. LITERAL }, "PIGEON_PASSWORD: the text after kms:" },
      { "http:// to another host", { PIGEON_PASSWORD = "ssm:/a", AWS_ENDPOINT_URL_SSM = "http://192.0.2.1" },
        'AWS_ENDPOINT_URL_SSM is "http://192.0.2.1": http:// to 192.0.2.1 would carry the session token' },
      { "no credentials", { PIGEON_PASSWORD = "ssm:/a", AWS_ACCESS_KEY_ID = "" }, "AWS_ACCESS_KEY_ID" },
      { "no region", { PIGEON_PASSWORD = "ssm:/a", PIGEON_AWS_REGION = "us west" },
        'PIGEON_AWS_REGION is "us west", which is not a region name (example: us-west-2)' },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        local message, calls = init_error(case[2])
        has(message, case[3])
        assert.same({}, calls)
      end)
    end
  end)

  describe("that AWS does not give during init are there for the first event:", function()
    -- a fault, and what the log says of it
    local cases = {
      { "throttled", "ssm GetParameter: ThrottlingException: Rate exceeded" },
      { "busy", "ssm GetParameter: TooManyRequestsException" },
      { "broken", "ssm GetParameter: InternalServiceError" },
      { "truncated", "curl 18" },
      { "slow 600000", "curl 28" },
      { "silent", "curl 28" },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        cloud:tell("fault ssm %s", case[1])
        local lambda = system.start({ env = copy(env, { PIGEON_PASSWORD = "ssm:/pigeon/password" }) })
        lambda:wait_for("ready in")
        cloud:tell("fault ssm none")
        local answer = lambda:send(system.event(key(id(1))))
        local outcome = keep(lambda:finish())
        assert.equal("null", answer)
        assert.same({ id(1) }, system.consume(reader))
        has(outcome.log, "WARN")
        has(outcome.log, "no secret yet, the first event tries again: PIGEON_PASSWORD: ")
        has(outcome.log, case[2])
        assert.equal(2, #cloud:calls())
      end)
    end

    it("nobody at the endpoint; and an event without its secret fails, and says why", function()
      local outcome = keep(system.invoke({
        env = copy(env, { PIGEON_PASSWORD = "ssm:/a", AWS_ENDPOINT_URL_SSM = "http://127.0.0.1:1" }),
        events = { system.event(key(id(1))), system.event(key(id(2, "0"))) },
      }))
      assert.equal(1, outcome.status)
      has(outcome.log, "no secret yet")
      assert.equal("Function.BrokerUnavailable", outcome.decoded[1].errorType)
      for _, part in ipairs({ "unknown at secrets: PIGEON_PASSWORD: ssm GetParameter: http://127.0.0.1:1", "next:" }) do
        has(outcome.decoded[1].errorMessage, part)
      end
      assert.equal("null", outcome.answers[2]) -- nothing to publish needs no secret
      assert.same({}, system.consume(reader))
    end)

    it("one service is silent, another refuses: that one is told", function()
      cloud:tell("fault ssm silent")
      cloud:tell("fault secretsmanager denied")
      local message = init_error({ PIGEON_USER = "ssm:/a", PIGEON_PASSWORD = "secretsmanager:pigeon" })
      has(message, "PIGEON_PASSWORD: secretsmanager GetSecretValue: AccessDeniedException")
    end)
  end)

  describe("that were rotated", function()
    it("are read anew when the broker refuses the login, without a new process", function()
      cloud:tell("value secretsmanager rotating %s", PASSWORD)
      local lambda = system.start({ env = copy(env, { PIGEON_PASSWORD = "secretsmanager:rotating" }) })
      assert.equal("null", lambda:send(system.event(key(id(1)))))
      broker.change_password(env, ROTATED)
      cloud:tell("value secretsmanager rotating %s", ROTATED)
      broker.close_connections()
      local answer = lambda:send(system.event(key(id(2))))
      local outcome = keep(lambda:finish())
      assert.equal("null", answer, outcome.log)
      assert.same({ id(1), id(2) }, system.consume(reader))
      assert.same({ "secretsmanager rotating ok", "secretsmanager rotating ok" }, cloud:calls())
    end)

    it("are asked for once a minute, and not for each event", function()
      local events = {}
      for i = 1, 4 do events[i] = system.event(key(id(i))) end
      local outcome = keep(system.invoke({ env = copy(env, { PIGEON_PASSWORD = "secretsmanager:wrong" }),
        events = events }))
      assert.equal(4, #outcome.answers)
      has(outcome.log, "login")
      has(outcome.log, "AWS still has the same values")
      for i = 1, 4 do
        has(outcome.decoded[i].errorMessage, "403")
        has(outcome.decoded[i].errorMessage, "AWS was asked less than a minute ago")
      end
      assert.same({ "secretsmanager wrong ok", "secretsmanager wrong ok" }, cloud:calls())
    end)

    it("include a virtual host that is not there", function()
      cloud:tell("value ssm /rotating/vhost nowhere-at-all")
      local outcome, calls = send({ PIGEON_VIRTUAL_HOST = "ssm:/rotating/vhost" })
      has(outcome.decoded[1].errorMessage, "NOT_ALLOWED - vhost (hidden) not found")
      assert.is_nil((outcome.answers[1] .. outcome.log):find("nowhere-at-all", 1, true))
      assert.equal(2, #calls)
    end)
  end)

  describe("over https", function()
    local secure
    setup(function()
      tls.start()
      tls.authority("other", "Another CA")
      tls.certificate("aws", "IP:127.0.0.1")
      secure = aws.start(tls.path("aws.pem"), tls.path("aws.key"))
      secure:tell("value ssm /pigeon/password %s", PASSWORD)
    end)
    teardown(function()
      secure:stop()
      tls.stop()
    end)
    before_each(function() secure:calls() end)

    it("are read where SSL_CERT_FILE has the CA", function()
      published((send({ PIGEON_PASSWORD = "ssm:/pigeon/password", AWS_ENDPOINT_URL = secure.url,
        SSL_CERT_FILE = tls.path("ca.pem") })))
      assert.same({ "ssm /pigeon/password ok" }, secure:calls())
    end)

    it("are not asked of a peer that nobody vouches for", function()
      local message = init_error({ PIGEON_PASSWORD = "ssm:/pigeon/password", AWS_ENDPOINT_URL = secure.url,
        SSL_CERT_FILE = tls.path("other.pem") })
      has(message, "PIGEON_PASSWORD: ssm GetParameter: " .. secure.url)
      has(message, "unable to get local issuer certificate")
      assert.same({}, secure:calls())
    end)

    it("are not asked of a peer with another name", function()
      local message = init_error({ PIGEON_PASSWORD = "ssm:/pigeon/password", SSL_CERT_FILE = tls.path("ca.pem"),
        AWS_ENDPOINT_URL = secure.url:gsub("127.0.0.1", "localhost") })
      has(message, "localhost")
      has(message, "curl 60")
      assert.same({}, secure:calls())
    end)
  end)

  describe("stay private:", function()
    local function environment(lambda)
      local text = system.read(("/proc/%d/environ"):format(lambda:function_pid()))
      has(text, "PIGEON_HOST=127.0.0.1")
      return text
    end

    it("/proc/PID/environ has them no more", function()
      local lambda = system.start({ env = env })
      assert.equal("null", lambda:send(system.event(key(id(1)))))
      local text = environment(lambda)
      keep(lambda:finish())
      for _, secret in ipairs(HIDDEN) do
        assert.is_nil(text:find(secret, 1, true))
      end
      system.consume(reader)
    end)

    -- What may not be dumped belongs to root in /proc, whoever runs it.
    it("the process is not dumpable, and writes no core", function()
      local folder = system.run("mktemp -d"):gsub("\n", "")
      local command = { folder .. "/bootstrap" }
      system.run(("chmod 755 DIR && install -m 755 %s DIR/bootstrap && install -m 644 rules/rules.lua DIR")
        :gsub("DIR", folder):format(system.bootstrap))
      if system.run("id -u") == "0\n" then
        command = { "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", command[1] }
      end
      local lambda = system.start({ env = copy(env, { LAMBDA_TASK_ROOT = folder }), command = command })
      assert.equal("null", lambda:send(system.event(key(id(1)))))
      local pid = lambda:function_pid()
      local owner = system.run(("stat -c %%u /proc/%d/environ"):format(pid))
      local limits = system.read(("/proc/%d/limits"):format(pid))
      keep(lambda:finish())
      os.execute("rm -rf " .. quote(folder))
      assert.equal("0\n", owner)
      assert.matches("Max core file size%s+0%s+0%s", limits)
      system.consume(reader)
    end)
  end)

  describe("on the desk:", function()
    local function pigeon(arguments, changes, input)
      local words = { "env -i PATH=\"$PATH\"" }
      for variable, value in pairs(copy(env, changes)) do words[#words + 1] = quote(variable .. "=" .. value) end
      local pipe = io.popen(("printf %%s %s | %s %s %s 2>&1"):format(quote(input or ""), table.concat(words, " "),
        system.bootstrap, arguments))
      local said = pipe:read("a")
      local _, _, status = pipe:close()
      shown[#shown + 1] = said
      return status, said
    end

    it("check --connect tells a secret's problem from a password's", function()
      local status, said = pigeon("check --connect", { PIGEON_PASSWORD = "ssm:/pigeon/password" })
      assert.equal(0, status, said)
      has(said, "queue normal: there")
      cloud:tell("fault ssm denied")
      status, said = pigeon("check --connect", { PIGEON_PASSWORD = "ssm:/pigeon/password" })
      assert.equal(1, status)
      has(said, "secrets: PIGEON_PASSWORD: ssm GetParameter: AccessDeniedException: ")
      has(said, "next: allow the function's role")
      assert.is_nil(said:find("login", 1, true))
      status, said = pigeon("check --connect", { PIGEON_PASSWORD = "secretsmanager:wrong" })
      assert.equal(1, status)
      has(said, "broker: login: 403 ")
    end)

    it("check finds a reference that cannot be right, and asks nobody", function()
      local status, said = pigeon("check", { PIGEON_PASSWORD = "kms:x" })
      assert.equal(1, status)
      has(said, "PIGEON_PASSWORD: the text after kms:")
      assert.equal(0, (pigeon("check", { PIGEON_PASSWORD = "ssm:/pigeon/password" })))
      assert.same({}, cloud:calls())
    end)

    it("replay publishes with a secret", function()
      local status, said = pigeon("replay", { PIGEON_PASSWORD = "ssm:/pigeon/password" }, key(id(7)) .. "\n")
      assert.equal(0, status, said)
      assert.same({ id(7) }, system.consume(reader))
    end)
  end)

  it("are nowhere in what all these runs wrote", function()
    local all = table.concat(shown, "\n")
    has(all, "AccessDeniedException")
    for _, secret in ipairs(HIDDEN) do
      assert.is_nil(all:find(secret, 1, true))
    end
  end)
end)
