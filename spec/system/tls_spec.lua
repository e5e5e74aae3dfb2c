--- TLS to a real broker, which has a listener for each kind of certificate.
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local ALWAYS_ASKS = "{verify, verify_peer}, {fail_if_no_peer_cert, true}"

local function with(env, changes)
  local copy = {}
  for name, value in pairs(env) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = tostring(value) end
  return copy
end

-- The variables for a client certificate.
local function identity(name)
  return { PIGEON_TLS_CERT_FILE = tls.path(name .. ".pem"), PIGEON_TLS_KEY_FILE = tls.path(name .. ".key") }
end

local function event(number)
  return system.event(system.key(system.id(number)))
end

local function has(text, words)
  assert(text:find(words, 1, true), ("%q is not in:\n%s"):format(words, text))
end

-- `pigeon COMMAND` with a line on stdin: its status and its output.
local function run(env, command, line)
  local words, out = {}, os.tmpname()
  for name, value in pairs(env) do words[#words + 1] = name .. "=" .. system.quote(value) end
  local form = 'echo %s | env -i PATH="$PATH" ASAN_OPTIONS="$ASAN_OPTIONS" %s timeout 60 %s %s >%s 2>&1'
  local _, _, status = os.execute(
    form:format(system.quote(line or ""), table.concat(words, " "), system.bootstrap, command, out))
  local said = system.read(out)
  os.remove(out)
  assert(status <= 1, said) -- 124: it hung
  return status, said
end

local function check(env)
  return select(2, run(env, "check --connect"))
end

-- A proxy before a port of the broker: {port}, tell(command), close().
local function open_proxy(target)
  local answers = os.tmpname()
  local pipe = assert(io.popen(("%s/tools/proxy %d >%s"):format(system.build, target, answers), "w"))
  local said = assert(system.wait("the proxy", function() return io.open(answers) end))
  local function answer()
    return system.wait("the proxy's answer", function() return said:read("l") end)
  end

  local proxy = { port = answer() }
  function proxy.tell(_, command)
    assert(pipe:write(command, "\n"))
    pipe:flush()
    return (assert(answer():match("^ok(.*)")))
  end
  function proxy.close()
    pipe:close()
    said:close()
    os.remove(answers)
  end
  return proxy
end

describe("over TLS", function()
  local plain, env
  local port = {}

  setup(function()
    tls.start()
    tls.authority("stranger", "Somebody else")
    tls.certificate("good", "DNS:localhost,IP:127.0.0.1")
    tls.certificate("elsewhere", "DNS:*.example.com,DNS:broker,IP:10.0.0.1,IP:::2")
    tls.certificate("old", "IP:127.0.0.1", 2020, 2021)
    tls.certificate("young", "IP:127.0.0.1", 2098, 2099)
    tls.certificate("client", "DNS:pigeon")
    tls.certificate_below("below", "IP:127.0.0.1", "middle")
    plain = system.vhost({ "normal" })
    port.good = tls.listen("good")
    port.old_tls = tls.listen("good", "{versions, ['tlsv1.2']}")
    port.ancient_tls = tls.listen("good", "{versions, ['tlsv1.1', tlsv1]}")
    port.elsewhere = tls.listen("elsewhere")
    port.expired = tls.listen("old")
    port.young = tls.listen("young")
    port.self_signed = tls.listen("stranger")
    port.asks = tls.listen("good", ALWAYS_ASKS)
    port.alone = tls.listen("below")
    port.chain = tls.listen("below-chain")
    port.asks_old = tls.listen("good", ALWAYS_ASKS .. ", {versions, ['tlsv1.2']}")
    env = with(plain, { PIGEON_TLS = "on", PIGEON_TLS_CA_FILE = tls.path("ca.pem") })
  end)

  teardown(function()
    tls.stop()
    system.drop(plain)
  end)

  before_each(function() system.consume(plain) end)

  -- One event succeeds, and its id arrives once. Returns the log.
  local function works(changes)
    local outcome = system.invoke({ env = with(env, changes), events = { event(1) } })
    assert.same({ "null" }, outcome.answers, outcome.log)
    assert.same({ system.id(1) }, system.consume(plain))
    return outcome.log
  end

  describe("an event arrives", function()
    it("with TLS 1.3, under an address that the certificate has", function()
      has(works({ PIGEON_PORT = port.good }), ", TLS 1.3, login PLAIN, ready in ")
    end)

    it("with TLS 1.2, where the broker has no more", function()
      has(works({ PIGEON_PORT = port.old_tls }), ", TLS 1.2, login PLAIN, ready in ")
    end)

    it("where the broker sends the intermediate certificate", function()
      works({ PIGEON_PORT = port.chain })
    end)

    it("under a name, where the machine knows localhost (a bare container does not)", function()
      local changes = { PIGEON_PORT = port.good, PIGEON_HOST = "localhost" }
      if os.execute("getent ahosts localhost >/dev/null") then
        works(changes)
      else
        has(check(with(env, changes)), "broker: resolve: localhost:")
      end
    end)

    it("with the CAs of SSL_CERT_FILE", function()
      works({ PIGEON_PORT = port.good, PIGEON_TLS_CA_FILE = "", SSL_CERT_FILE = tls.path("ca.pem") })
    end)

    it("with a client certificate, in TLS 1.3 and 1.2", function()
      local certificate = identity("client")
      works(with(certificate, { PIGEON_PORT = port.asks }))
      works(with(certificate, { PIGEON_PORT = port.asks_old }))
    end)

    it("from the second host, where the first one's certificate is refused", function()
      works({ PIGEON_HOST = "127.0.0.1:" .. port.expired .. ",127.0.0.1", PIGEON_PORT = port.good })
    end)

    it("and PIGEON_TLS=off means none", function()
      has(works({ PIGEON_PORT = plain.PIGEON_PORT, PIGEON_TLS = "off", PIGEON_TLS_CA_FILE = "/nowhere" }),
        ", TLS off, login PLAIN, ready in ")
    end)
  end)

  it("a connection is kept, takes many messages, and is replaced when the broker closes it", function()
    local lambda = system.start({ env = with(env, { PIGEON_PORT = port.good }) })
    assert.equal("null", lambda:send(event(1)))
    local keys, ids = {}, { system.id(1) }
    for i = 2, 1501 do
      ids[i] = system.id(i)
      keys[#keys + 1] = system.key(ids[i])
    end
    assert.equal("null", lambda:send(system.event(table.unpack(keys))))
    assert.equal("1", system.eval(([[length([V || [{vhost, V}] <- rabbit_networking:connection_info_all([vhost]),
      V =:= <<"%s">>]).]]):format(plain.PIGEON_VIRTUAL_HOST):gsub("%s+", " ")))
    system.eval(([[[rabbit_networking:close_connection(P, "by the spec") || [{vhost, <<"%s">>}, {pid, P}]
      <- rabbit_networking:connection_info_all([vhost, pid])].]]):format(plain.PIGEON_VIRTUAL_HOST):gsub("%s+", " "))
    ids[#ids + 1] = system.id(2000)
    assert.equal("null", lambda:send(event(2000)))
    assert.equal(0, lambda:finish().status)
    assert.same(ids, system.consume(plain))
  end)

  -- Whatever is cut, success means that the id is there; and no process hangs.
  it("a connection cut at every tenth byte is a failure, or all is there", function()
    local proxy = open_proxy(port.good)
    local changed = with(env, { PIGEON_PORT = proxy.port })
    local done, failed, number = {}, 0, 10000

    local function publish(command)
      proxy:tell(command)
      number = number + 1
      if run(changed, "replay", system.key(system.id(number))) == 0 then
        done[#done + 1] = system.id(number)
      else
        failed = failed + 1
      end
    end

    publish("fresh")
    local status = proxy:tell("status")
    for _, direction in ipairs({ "up", "down" }) do
      local bytes = tonumber(status:match(direction .. "=(%d+)"))
      assert(bytes > 1000, status)
      for after = 0, bytes - 1, 10 do publish(("next %s cut %d"):format(direction, after)) end
    end
    proxy:close()
    local there = {}
    for _, id in ipairs(system.consume(plain)) do there[id] = true end
    for _, id in ipairs(done) do assert(there[id], id .. " is lost") end
    assert(#done > 20 and failed > 20, ("%d done, %d failed"):format(#done, failed))
  end)

  describe("what is wrong is said:", function()
    -- By check, and by the answer to an event.
    local function says(changes, words)
      local said = check(with(env, changes))
      has(said, "broker: tls: ")
      has(said, words)
      assert.not_matches("login", said, 1, true)
    end

    it("an unknown issuer", function()
      says({ PIGEON_PORT = port.good, PIGEON_TLS_CA_FILE = tls.path("stranger.pem") },
        'unknown issuer: "CN=Spec CA" is not among the CAs of ' .. tls.path("stranger.pem")
        .. "; next: put the issuer's certificate into a file")
      says({ PIGEON_PORT = port.self_signed }, 'unknown issuer: "CN=Somebody else" is not among')
    end)

    it("a broker that sends its own certificate and not the intermediate one", function()
      says({ PIGEON_PORT = port.alone },
        'the broker sends its own certificate without that of the issuer "CN=middle", which is not among the CAs of '
        .. tls.path("ca.pem") .. "; next: append the intermediate certificate to the broker's ssl_options.certfile, or "
        .. "put the issuer's certificate into a file, and its path into PIGEON_TLS_CA_FILE")
    end)

    it("a name that the certificate does not have, and those it has", function()
      says({ PIGEON_PORT = port.elsewhere }, 'the certificate is not for "127.0.0.1", but for "CN=elsewhere", '
        .. "*.example.com, broker, 10.0.0.1, ::2; next: set PIGEON_HOST to a name in the certificate")
    end)

    it("a certificate that has expired, and when", function()
      says({ PIGEON_PORT = port.expired },
        'the certificate of "CN=old" expired on 2021-01-02 03:04:05 UTC; next: renew')
    end)

    it("one that is not valid yet", function()
      says({ PIGEON_PORT = port.young },
        'the certificate of "CN=young" is not yet valid, before 2098-01-02 03:04:05 UTC')
    end)

    it("a server without TLS", function()
      says({ PIGEON_PORT = plain.PIGEON_PORT },
        "the broker's port does not speak TLS; next: is PIGEON_PORT a port without TLS?")
    end)

    it("a server with TLS, where Pigeon has none", function()
      for _ = 1, 10 do
        says({ PIGEON_PORT = port.good, PIGEON_TLS = "off" }, "the broker's port expects TLS; next: set PIGEON_TLS=on")
      end
    end)

    it("no version in common", function()
      says({ PIGEON_PORT = port.ancient_tls }, "no TLS version or cipher in common (")
    end)

    it("a client certificate that is asked for, and not set", function()
      for _ = 1, 10 do
        says({ PIGEON_PORT = port.asks }, "the broker asks for a client certificate")
        says({ PIGEON_PORT = port.asks_old }, "the broker asks for a client certificate")
      end
    end)

    it("a client certificate that the broker does not know", function()
      local stranger = identity("stranger")
      for _ = 1, 10 do
        says(with(stranger, { PIGEON_PORT = port.asks }), "the client certificate (")
        says(with(stranger, { PIGEON_PORT = port.asks_old }), "the broker refuses the client certificate (")
      end
    end)

    it("a file of CAs without one", function()
      says({ PIGEON_PORT = port.good, PIGEON_TLS_CA_FILE = tls.path("index") }, "index: no certificate in it (PEM)")
    end)

    it("a wrong password is none of it", function()
      local said = check(with(env, { PIGEON_PORT = port.good, PIGEON_PASSWORD = "wrong" }))
      has(said, "broker: login: 403 ")
      has(said, "next: check PIGEON_USER and PIGEON_PASSWORD")
    end)

    it("in the answer to an event, and in the line of a start without a broker", function()
      local outcome = system.invoke({ env = with(env, { PIGEON_PORT = port.expired }), events = { event(1) } })
      has(outcome.decoded[1].errorMessage, "at tls: ")
      has(outcome.decoded[1].errorMessage, "expired on 2021-01-02")
      has(outcome.log, "no broker yet, the first event tries again: tls: ")
      has(outcome.log, ", TLS on, login PLAIN, ready in ")
      assert.same({}, system.consume(plain))
    end)
  end)

  describe("does not start with", function()
    local function refuses(changes, kind, words)
      local outcome = system.invoke({ env = with(env, with({ PIGEON_PORT = port.good }, changes)), events = {} })
      local lines = system.said(outcome.log, "^" .. kind .. ": ")
      assert.equal(1, #lines, outcome.log)
      assert.equal("ERROR", lines[1].level)
      has(lines[1].message, words)
      has(check(with(env, changes)), words)
    end

    it("a value that is neither on nor off", function()
      refuses({ PIGEON_TLS = "true" }, "ValueError", 'PIGEON_TLS: "true" is neither "on" nor "off"')
    end)

    it("a file that cannot be read", function()
      refuses({ PIGEON_TLS_CA_FILE = "/nowhere/ca.pem" }, "ValueError",
        "PIGEON_TLS_CA_FILE: /nowhere/ca.pem: No such file or directory; next: correct the file, or the variable; "
          .. "a file of the zip is in /var/task/")
      refuses({ PIGEON_TLS_CERT_FILE = "/nowhere/c.pem", PIGEON_TLS_KEY_FILE = tls.path("client.key") }, "ValueError",
        "PIGEON_TLS_CERT_FILE: /nowhere/c.pem: No such file or directory")
      refuses({ PIGEON_TLS_CERT_FILE = tls.path("client.pem"), PIGEON_TLS_KEY_FILE = "/nowhere/c.key" }, "ValueError",
        "PIGEON_TLS_KEY_FILE: /nowhere/c.key: No such file or directory")
    end)

    it("a client certificate without its key", function()
      refuses({ PIGEON_TLS_CERT_FILE = tls.path("client.pem") }, "KeyError",
        "PIGEON_TLS_CERT_FILE is set, and PIGEON_TLS_KEY_FILE is not: a client certificate needs both")
    end)

    it("a key that is another's, has a passphrase, or is none", function()
      local path = tls.path("locked.key")
      system.run(("openssl ec -aes128 -passout pass:x -in %s -out %s 2>/dev/null"):format(tls.path("client.key"), path))
      for file, words in pairs({
        [tls.path("good.key")] = "is not the key of the certificate in " .. tls.path("client.pem"),
        [path] = ": the key has a passphrase, which Pigeon cannot ask for",
        [tls.path("client.pem")] = ": no private key in it (PEM)",
      }) do
        refuses({ PIGEON_TLS_CERT_FILE = tls.path("client.pem"), PIGEON_TLS_KEY_FILE = file }, "ValueError",
          "PIGEON_TLS_KEY_FILE: " .. file .. (words:find("^:") and "" or " ") .. words)
      end
      refuses({ PIGEON_TLS_CERT_FILE = tls.path("index"), PIGEON_TLS_KEY_FILE = path }, "ValueError",
        "PIGEON_TLS_CERT_FILE: " .. tls.path("index") .. ": no certificate in it (PEM)")
    end)
  end)
end)
