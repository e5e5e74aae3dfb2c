--- A CA of the specs' own, its certificates, and TLS listeners of the private broker.
local system = require "spec.support.system"

local tls = {}

local quote = system.quote
local folder
local ports = {}

local CONFIGURATION = [[
[ca]
default_ca = spec
[spec]
database = DIR/index
new_certs_dir = DIR
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
[any]
commonName = supplied
[extensions]
basicConstraints = critical,CA:FALSE
subjectAltName = ${ENV::NAMES}
[authority]
basicConstraints = critical,CA:TRUE
]]

local NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256"

local function openssl(arguments, ...)
  system.run(("cd %s && openssl %s 2>>log || { cat log >&2; false; }"):format(quote(folder), arguments:format(...)))
end

--- The path of a file in the folder of certificates.
function tls.path(name)
  return folder .. "/" .. name
end

--- A CA that certifies itself: NAME.pem and NAME.key.
function tls.authority(name, common_name)
  openssl("req -x509 %s -nodes -days 30 -subj %s -keyout %s.key -out %s.pem", NEW_KEY,
    quote("/CN=" .. common_name), name, name)
end

local function sign(name, issuer, extensions, names, from, to)
  openssl("req %s -nodes -subj /CN=%s -keyout %s.key -out %s.csr", NEW_KEY, name, name, name)
  system.run(("cd %s && NAMES=%s openssl ca -batch -notext -config ca.cnf -extensions %s "
    .. "-cert %s.pem -keyfile %s.key -in %s.csr -out %s.pem -startdate %d0102030405Z -enddate %d0102030405Z 2>>log")
    :format(quote(folder), quote(names), extensions, issuer, issuer, name, name, from or 2020, to or 2099))
end

--- A certificate NAME.pem of the CA, with its key NAME.key. `names` as OpenSSL writes them,
-- "DNS:localhost,IP:127.0.0.1"; from and to are years.
function tls.certificate(name, names, from, to)
  sign(name, "ca", "extensions", names, from, to)
end

--- The same of an intermediate CA, which the CA "ca" certifies: ISSUER.pem, and NAME-chain.pem with both.
function tls.certificate_below(name, names, issuer)
  sign(issuer, "ca", "authority", "DNS:none")
  sign(name, issuer, "extensions", names)
  system.run(("cd %s && cat %s.pem %s.pem >%s-chain.pem && cp %s.key %s-chain.key")
    :format(quote(folder), name, issuer, name, name, name))
end

--- The CA "ca" in a fresh folder.
function tls.start()
  folder = system.run("mktemp -d"):gsub("\n", "")
  system.write(tls.path("ca.cnf"), (CONFIGURATION:gsub("DIR", folder)))
  system.write(tls.path("index"), "")
  tls.authority("ca", "Spec CA")
  system.eval("application:ensure_all_started(ssl).")
end

-- A port that was free a moment ago.
local function free_port()
  return tonumber(system.eval("{ok, S} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]), {ok, P} = inet:port(S), "
    .. "ok = gen_tcp:close(S), P."))
end

--- A TLS listener of the private broker with this certificate: its port. `options` are more of
-- Erlang's, as text: "{versions, ['tlsv1.2']}".
function tls.listen(certificate, options)
  for _ = 1, 10 do
    local port = free_port()
    local answer = system.eval(([[rabbit_networking:start_ssl_listener({"127.0.0.1", %d, inet},
      [{certfile, "%s.pem"}, {keyfile, "%s.key"}, {cacertfile, "%s"}, {log_level, none}%s], 1).]])
      :format(port, tls.path(certificate), tls.path(certificate), tls.path("ca.pem"),
        options and ", " .. options or ""):gsub("%s+", " "))
    if answer == "ok" then
      ports[#ports + 1] = port
      return port
    end
  end
  error("the broker opens no TLS listener")
end

--- Ends the listeners, and removes the folder.
function tls.stop()
  for _, port in ipairs(ports) do
    system.eval(('rabbit_networking:stop_tcp_listener({"127.0.0.1", %d, inet}).'):format(port))
  end
  ports = {}
  system.run("rm -rf " .. quote(folder))
end

return tls
