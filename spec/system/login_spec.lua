--- How Pigeon logs in where a password is not the way: by a client certificate, by a token of the local AWS.
local broker = require "spec.support.broker"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local function with(env, changes)
  local copy = {}
  for name, value in pairs(env) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value and tostring(value) or nil end
  return copy
end

local function event(number)
  return system.event(system.key(system.id(number)))
end

local function has(text, words)
  assert(text:find(words, 1, true), ("%q is not in:\n%s"):format(words, text))
end

local function has_not(text, words)
  assert(not text:find(words, 1, true), ("%q is in:\n%s"):format(words, text))
end

-- One event: what became of it.
local function send(env)
  return system.invoke({ env = env, events = { event(1) } })
end

describe("a login", function()
  local reader
  setup(function()
    broker.start()
    reader = with(system.vhost({ "normal" }), { PIGEON_METRICS = "off", AWS_LAMBDA_LOG_FORMAT = "Text" })
  end)
  teardown(broker.stop)

  local function published(outcome)
    assert.same({ "null" }, outcome.answers, outcome.log)
    assert.same({ system.id(1) }, system.consume(reader))
  end

  -- The one event failed, and its error has these words.
  local function failed(outcome, ...)
    assert.equal("Function.BrokerUnavailable", outcome.decoded[1].errorType)
    for _, words in ipairs({ ... }) do has(outcome.decoded[1].errorMessage, words) end
    assert.same({}, system.consume(reader))
  end

  describe("by a client certificate", function()
    local env, with_password
    local USER = "CN=client" -- the certificate's whole subject

    local function offer(mechanisms)
      system.eval(("application:set_env(rabbit, auth_mechanisms, [%s])."):format(mechanisms))
    end

    setup(function()
      broker.enable("rabbitmq_auth_mechanism_ssl")
      system.eval("application:set_env(rabbit, ssl_options, [{verify, verify_peer}]).") -- it looks at these, too
      tls.start()
      tls.certificate("good", "IP:127.0.0.1")
      tls.certificate("client", "DNS:pigeon")
      tls.certificate("nobody", "DNS:pigeon")
      system.eval(('rabbit_auth_backend_internal:add_user(<<"%s">>, <<"none">>, <<"spec">>).'):format(USER))
      broker.permit(with(reader, { PIGEON_USER = USER }), [[^(amq\\.default|normal)$]])
      with_password = with(reader, { PIGEON_PORT = tls.listen("good", "{verify, verify_peer}"), PIGEON_TLS = "on",
        PIGEON_TLS_CA_FILE = tls.path("ca.pem"), PIGEON_TLS_CERT_FILE = tls.path("client.pem"),
        PIGEON_TLS_KEY_FILE = tls.path("client.key") })
      env = with(with_password, { PIGEON_USER = false, PIGEON_PASSWORD = false })
    end)
    teardown(tls.stop)
    before_each(function() offer("'PLAIN', 'AMQPLAIN', 'EXTERNAL'") end)

    it("publishes, and the line of the start has the mechanism", function()
      local outcome = send(env)
      published(outcome)
      has(outcome.log, ", login EXTERNAL, ready in ")
      has(broker.log(), "user: '" .. USER .. "'")
    end)

    it("is not used where there is a password", function()
      local outcome = send(with_password)
      published(outcome)
      has(outcome.log, ", login PLAIN, ready in ")
    end)

    it("has an error where the broker does not offer it", function()
      offer("'PLAIN', 'AMQPLAIN'")
      failed(send(env), "login: ", "the broker does not offer the mechanism EXTERNAL; it offers \"",
        "AMQPLAIN", "PLAIN", "next: enable rabbitmq_auth_mechanism_ssl on the broker")
    end)

    it("has an error where the broker has no such user", function()
      failed(send(with(env, { PIGEON_TLS_CERT_FILE = tls.path("nobody.pem"),
        PIGEON_TLS_KEY_FILE = tls.path("nobody.key") })), "login: 403 ", "using authentication mechanism EXTERNAL",
        "next: see the broker's log: does it have a user with the name in the client certificate")
    end)

    it("needs no user in pigeon check", function()
      local words, said = {}, os.tmpname()
      for name, value in pairs(env) do words[#words + 1] = name .. "=" .. system.quote(value) end
      local check = 'env -i PATH="$PATH" ASAN_OPTIONS="$ASAN_OPTIONS" %s %s check --connect >%s 2>&1'
      local _, _, status = os.execute(check:format(table.concat(words, " "), system.bootstrap, said))
      local text = system.read(said)
      os.remove(said)
      assert.equal(0, status, text)
      has(text, "queue normal: there")
      has_not(text, "missing")
    end)
  end)

  describe("with a long password", function()
    local env, raised -- whether it can be: since 4.1

    setup(function()
      local major, minor = system.eval("rabbit_misc:version()."):match("(%d+)%.(%d+)")
      raised = tonumber(major) * 100 + tonumber(minor) >= 401
      env = with(reader, {})
      broker.add_user(env, "short")
    end)

    local function with_password(bytes)
      local password = ("p"):rep(bytes)
      broker.change_password(env, password)
      local outcome = send(with(env, { PIGEON_PASSWORD = password }))
      has_not(outcome.log .. outcome.answers[1], "pppp")
      return outcome
    end

    it("works as far as the broker's first frame goes", function()
      published(with_password(raised and 7800 or 3800))
    end)

    it("is an error that names initial_frame_max beyond that", function()
      failed(with_password(raised and 8200 or 4100), "login: ", "PIGEON_PASSWORD is too long: with it the login has ",
        raised and "it takes 8192, unless its initial_frame_max is set" or "at most 4096 can be sent to this broker",
        "next: take a shorter password or token; RabbitMQ 4.1 and later take longer ones where initial_frame_max")
    end)

    it("works where initial_frame_max is raised, since RabbitMQ 4.1", function()
      system.eval("application:set_env(rabbit, initial_frame_max, 65536).")
      local outcome = with_password(60000)
      if raised then published(outcome) else failed(outcome, "PIGEON_PASSWORD is too long") end
    end)
  end)
end)
