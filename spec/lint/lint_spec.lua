--- The checkers of this folder, which bin/lint runs, each over small trees made up here: every rule
-- is broken once.

-- Runs spec/lint/CHECKER over a tree of these files; returns its status and what it printed.
local function check(checker, tree)
  local pipe = assert(io.popen("mktemp -d"))
  local folder = pipe:read("l")
  pipe:close()
  for path, text in pairs(tree) do
    os.execute(("mkdir -p '%s/%s'"):format(folder, path:match("^(.*)/") or "."))
    local file = assert(io.open(folder .. "/" .. path, "w"))
    file:write(text)
    file:close()
  end
  local output = assert(io.popen(("spec/lint/%s %s 2>&1"):format(checker, folder)))
  local findings = output:read("a")
  local _, _, status = output:close()
  os.execute("rm -rf " .. folder)
  return status, findings
end

-- A tree with one text more.
local function with(tree, path, text)
  local copy = { [path] = text }
  for name, content in pairs(tree) do copy[name] = copy[name] or content end
  return copy
end

local function finds(checker, tree, expected)
  local status, findings = check(checker, tree)
  assert.equal(expected .. "\n", findings)
  assert.equal(1, status)
end

local function passes(checker, tree)
  local status, findings = check(checker, tree)
  assert.equal("", findings)
  assert.equal(0, status)
end

describe("layers", function()
  local house = {
    ["host/main.c"] = '#include <stdlib.h>\n#include "config.h"\n#include "desk/desk.h"\nexit(1);\n',
    ["host/handler.c"] = '#include "amqp/delivery.h"\n#include "lua/door.h"\n',
    ["host/outbox.h"] = '#include "base/bytes.h"\n',
    ["host/config.h"] = "", ["host/config.c"] = '#include "config.h"\nx = getenv("X");\n',
    ["host/base/bytes.h"] = "", ["host/base/bytes.c"] = "/* no getenv( here, and no exit(1) */ \"getenv(\"",
    ["host/net/tls.h"] = '#include "config.h"\n', ["host/aws/secrets.h"] = '#include "net/tls.h"\n',
    ["host/aws/https.c"] = "#include <curl/curl.h>\n", ["host/aws/member.c"] = "#include <jansson.h>\n",
    ["host/amqp/delivery.h"] = '#include "aws/secrets.h"\n', ["host/amqp/broker.c"] = "#include <amqp.h>\n",
    ["host/lua/door.h"] = "lua_State *L;\n", ["host/lua/door.c"] = "#include <lua.h>\n",
    ["host/lua/watchdog.c"] = "_exit(1);\n",
    ["host/lambda/loop.h"] = '#include "handler.h"\n', ["host/handler.h"] = "",
    ["host/desk/desk.h"] = '#include "handler.h"\n',
    ["host/tools/consume.c"] = '#include <amqp.h>\n#include "consume/parts.h"\n#include "base/bytes.h"\n'
      .. 'getenv("X");\nexit(1);\n',
    ["host/tools/consume/parts.h"] = "",
  }

  it("passes the design's house", function() passes("layers", house) end)

  -- file, the header that it must not include
  for _, case in ipairs {
    { "main.c", "tools/consume/parts.h" },
    { "desk/x.c", "lambda/loop.h" }, { "desk/x.c", "aws/secrets.h" }, { "desk/x.c", "net/tls.h" },
    { "lambda/x.c", "lua/door.h" }, { "lambda/x.c", "amqp/delivery.h" }, { "lambda/x.c", "aws/secrets.h" },
    { "lambda/x.c", "outbox.h" }, { "lambda/x.c", "desk/desk.h" },
    { "handler.c", "config.h" }, { "handler.c", "net/tls.h" }, { "handler.c", "desk/desk.h" },
    { "lua/x.c", "amqp/delivery.h" }, { "lua/x.c", "net/tls.h" }, { "lua/x.c", "handler.h" },
    { "amqp/x.c", "lua/door.h" }, { "amqp/x.c", "handler.h" }, { "amqp/x.c", "lambda/loop.h" },
    { "aws/x.c", "amqp/delivery.h" }, { "aws/x.c", "outbox.h" }, { "aws/x.c", "lua/door.h" },
    { "net/x.c", "aws/secrets.h" }, { "net/x.c", "outbox.h" },
    { "outbox.c", "config.h" }, { "outbox.c", "lua/door.h" },
    { "config.c", "outbox.h" }, { "config.c", "net/tls.h" },
    { "base/x.c", "config.h" }, { "base/x.h", "outbox.h" }, { "base/x.c", "lua/door.h" },
    { "desk/x.c", "tools/consume/parts.h" },
  } do
    local path, header = table.unpack(case)
    local layer = path:match("^%w+")
    it(("does not let %s include %s"):format(path, header), function()
      finds("layers", with(house, "host/" .. path, '\n#include "' .. header .. '"\n'),
        ("host/%s:2: %s must not include %s"):format(path, layer, header))
    end)
  end

  -- file, a line that it must not have, the finding
  for _, case in ipairs {
    { "handler.c", "#include <lua.h>", "handler must not include <lua.h>; only lua" },
    { "desk/x.c", "#include <lauxlib.h>", "desk must not include <lauxlib.h>; only lua" },
    { "tools/x.c", "#include <lualib.h>", "tools must not include <lualib.h>; only lua" },
    { "lua/x.c", "#include <amqp.h>", "lua must not include <amqp.h>; only amqp tools" },
    { "aws/x.c", "#include <amqp_tcp_socket.h>", "aws must not include <amqp_tcp_socket.h>; only amqp tools" },
    { "lambda/x.c", "#include <curl/curl.h>", "lambda must not include <curl/curl.h>; only aws tools" },
    { "lua/x.c", "#include <jansson.h>", "lua must not include <jansson.h>; only aws tools" },
    { "handler.h", "struct lua_State;", "handler.h must not use lua_State; only lua" },
    { "main.c", 'x = getenv("X");', "main.c must not use getenv; only config.c tools" },
    { "net/x.c", 'x = secure_getenv("X");', "net/x.c must not use secure_getenv; only config.c tools" },
    { "desk/x.c", "extern char **environ;", "desk/x.c must not use environ; only config.c tools" },
    { "desk/x.c", "exit(1);", "desk/x.c must not use exit; only main.c tools" },
    { "base/x.c", "_exit(1);", "base/x.c must not use _exit; only lua/watchdog.c tools" },
    { "aws/x.c", '#include "../amqp/delivery.h"', "../amqp/delivery.h: write the path from host/" },
    { "new/x.c", '#include "base/bytes.h"', "new has no line in MAY_INCLUDE of spec/lint/layers" },
  } do
    it(("does not let %s have %s"):format(case[1], case[2]), function()
      finds("layers", with(house, "host/" .. case[1], "/* x\n*/ x;\n" .. case[2] .. "\n"),
        ("host/%s:3: %s"):format(case[1], case[3]))
    end)
  end
end)

describe("pages", function()
  local project = {
    Makefile = "#   make help build  all\nRULES = a\nhelp:\nbuild: x\n.PHONY: help build\n",
    [".gitignore"] = "/live.lua\n",
    ["bin/setup"] = "", ["host/net/tls.c"] = 'getenv("PIGEON_TLS")', ["rules/rules.lua"] = "",
    ["spec/host/net/tls_spec.c"] = "", ["host/tools/aws.c"] = "", ["lua/pigeon/text.lua"] = "",
    ["deploy/README.md"] = "# Deploy: by *hand*, `x_y`\n\n## Twice\n## Twice\n",
    ["README.md"] = [=[
# Pigeon

## A heading
Text [link](deploy/README.md) and [anchor](deploy/README.md#deploy-by-hand-x_y),
[here](#a-heading),
[second
one](deploy/README.md#twice-1), [web](https://example.com/nothing), [mail](mailto:x@example.com),
make sense of bin/nothing. `make build RULES=x`, `make -j2 help`, `bin/setup run`, `net/tls.c`,
`tls.c`, `host/`, `spec/host/NAME_spec.c`, `*_spec.c`, `_spec.c`, `cp rules/rules.lua live.lua`,
`/usr/bin/nothing`, `build/tools/aws`, `v2/raw_crash/`, PIGEON_TLS, PIGEON_NO_*.
[folder]: deploy

    make build        # make nothing of it
    bin/setup package && make help

```
$ make build >x
```
]=],
  }

  it("passes names that exist", function() passes("pages", project) end)

  -- a line of a page, the finding
  for _, case in ipairs {
    { "[a](deploy/NO.md)", "link to deploy/NO.md: there is no such file" },
    { "[a\nb](deploy/NO.md)", "link to deploy/NO.md: there is no such file", 3 },
    { "[a]: deploy/NO.md", "link to deploy/NO.md: there is no such file" },
    { "[a](#nowhere)", "link to #nowhere: page.md has no heading for it" },
    { "[a](deploy/README.md#twice-2)", "link to deploy/README.md#twice-2: deploy/README.md has no heading for it" },
    { "`make nothing`", "make nothing: the Makefile has no such target" },
    { "`make build SHADOW=x`", "make SHADOW=x: the Makefile has no SHADOW" },
    { "    git pull && make build nothing", "make nothing: the Makefile has no such target" },
    { "```\nmake nothing\n```", "make nothing: the Makefile has no such target", 3 },
    { "`bin/nothing x`", "there is no bin/nothing" },
    { "    x | ./bin/nothing", "there is no bin/nothing" },
    { "`host/net/no.c`", "there is no host/net/no.c" },
    { "`net/no.c`", "there is no net/no.c" },
    { "`spec/lua/NAME_spec.lua`", "there is no spec/lua/NAME_spec.lua" },
    { "`no.c`", "there is no file no.c" },
    { "`RUNBOOK.md`", "there is no file RUNBOOK.md" },
    { "`build/tools/no`", "there is no build/tools/no" },
    { "PIGEON_NOTHING", "nothing reads a variable PIGEON_NOTHING" },
    { "`AWS_NOTHING=x`", "nothing reads a variable AWS_NOTHING" },
  } do
    it("finds " .. case[1]:gsub("\n", " "), function()
      finds("pages", with(project, "page.md", "\n" .. case[1] .. "\n"),
        ("page.md:%d: %s"):format(case[3] or 2, case[2]))
    end)
  end

  it("finds a target that the Makefile's header does not list", function()
    finds("pages", with(project, "Makefile", "#   make help   this\nRULES = a\nhelp build:\n.PHONY: help build\n"),
      "Makefile: its header does not list make build")
  end)

  it("lets CHANGELOG.md name what is gone, but not link to it", function()
    finds("pages", with(project, "CHANGELOG.md", "`make nothing`, `bin/nothing`, PIGEON_NOTHING, [x](no.md)\n"),
      "CHANGELOG.md:1: link to no.md: there is no such file")
  end)
end)

describe("limits", function()
  local function lines(n) return ("x\n"):rep(n) end

  it("passes files as long as they may be", function()
    passes("limits", { ["README.md"] = lines(200), ["CHANGELOG.md"] = lines(1000), ["deploy/README.md"] = lines(300),
      ["host/x.c"] = lines(400), ["host/a/b/x.h"] = lines(400), ["spec/host/x.c"] = lines(700),
      ["spec/system/x_spec.lua"] = lines(700), ["lua/pigeon/x.lua"] = lines(701), Makefile = lines(195) })
  end)

  for path, limit in pairs { ["README.md"] = 200, ["deploy/README.md"] = 300, ["CONTRIBUTING.md"] = 300,
    ["host/x.c"] = 400, ["host/tools/a/x.h"] = 400, ["spec/host/x.c"] = 700, ["spec/support/x.h"] = 700,
    ["spec/lua/x.lua"] = 700, Makefile = 195 } do
    it(("does not let %s have %d lines"):format(path, limit + 1), function()
      finds("limits", { [path] = lines(limit + 1) }, ("%s has %d lines, %d at most"):format(path, limit + 1, limit))
    end)
  end

  it("does not let a line of C be wider than 90, but for a URL", function()
    passes("limits", { ["host/x.c"] = ("/"):rep(90) .. "\n/* https://" .. ("x"):rep(90) .. " */\n" })
    finds("limits", { ["host/x.c"] = "\n" .. ("/"):rep(91) .. "\n" }, "host/x.c:2 is 91 wide, 90 at most")
  end)
end)

describe("wording", function()
  local habit, word = "x is " .. "no list", "to m" .. "end it"

  it("passes what is rare, and what is English", function()
    local rest = ("x\n"):rep(6664)
    passes("wording", { a = habit .. "\n" .. word .. "\nthere is no x; it is no longer so; There are no y\n" .. rest,
      ["CHANGELOG.md"] = habit, LICENSE = habit })
  end)

  for _, text in ipairs { habit, word, habit:upper(), "these are " .. "no", "m" .. "ends", "m" .. "ended" } do
    it("finds " .. text, function()
      finds("wording", { ["a/b.c"] = "x\n" .. text .. "\n" },
        ("a/b.c:2:%s\n1 lines of 2; at most 0.3 of 1,000"):format(text))
    end)
  end
end)

describe("misuse", function()
  for _, checker in ipairs { "layers", "pages", "limits", "wording" } do
    it("is " .. checker .. " x y", function()
      local pipe = assert(io.popen(("spec/lint/%s x y 2>&1"):format(checker)))
      assert.matches("^usage: spec/lint/" .. checker, pipe:read("a"))
      assert.equal(2, select(3, pipe:close()))
    end)
  end
end)
