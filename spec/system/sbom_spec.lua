--- What is in the program: sbom.cdx.json and LICENSES, by the program, in the zip and in the build.
local cjson = require "cjson"
local system = require "spec.support.system"
local zip = require "spec.support.zip"

local function by_name(document)
  local found = {}
  for _, component in ipairs(document.components) do found[component.name] = component end
  return found
end

local function property(component, name)
  for _, one in ipairs(component.properties or {}) do
    if one.name == name then return one.value end
  end
end

local DEBIAN = system.run(". /etc/os-release && echo $VERSION_ID"):gsub("\n", "")

-- The archives that the Makefile links into the program, and those that the compiler adds.
local function linked()
  local names = { ["libc_nonshared.a"] = true, ["libgcc.a"] = true }
  for name in system.read("Makefile"):match("\nARCHIVES = (.-)\n\n"):gmatch("[%w_.-]+%.a") do names[name] = true end
  if DEBIAN == "12" then names["libz.a"], names["libzstd.a"] = nil, nil end -- 13's libcrypto.a calls them
  return names
end

describe("sbom.cdx.json", function()
  local text = system.run(system.bootstrap .. " --sbom")
  local document = cjson.decode(text)
  local components = by_name(document)

  it("is CycloneDX 1.5, with what the specification requires", function()
    assert.same({ "CycloneDX", "1.5", 1 }, { document.bomFormat, document.specVersion, document.version })
    assert.matches("^urn:uuid:%x%x%x%x%x%x%x%x%-%x%x%x%x%-8%x%x%x%-a%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$",
      document.serialNumber)
    assert.is_nil(document.metadata.timestamp) -- the same at any time
    local refs = { [document.metadata.component["bom-ref"]] = true }
    for _, component in ipairs(document.components) do
      assert.truthy(component.type and component.name and component.version)
      assert.is_nil(refs[component["bom-ref"]])
      refs[component["bom-ref"]] = true
    end
    for _, on in ipairs(document.dependencies[1].dependsOn) do assert.is_true(refs[on], on) end
    assert.equal(#document.components - 1, #document.dependencies[1].dependsOn)
  end)

  it("has each archive that is linked once, in the package that has it", function()
    local wanted, found = linked(), {}
    for _, component in ipairs(document.components) do
      for archive in (property(component, "pigeon:archives") or ""):gmatch("%S+") do
        assert.is_nil(found[archive], archive)
        found[archive] = true
      end
    end
    assert.same(wanted, found)
    assert.truthy(wanted["libcrypto.a"] and wanted["libcurl.a"])
  end)

  it("has Debian's version, a licence and a purl of each", function()
    for name, component in pairs(components) do
      if component.type == "library" then
        local installed = name ~= "curl" and system.run(("dpkg-query -W -f '${Version}' '%s'"):format(name))
        assert.equal(installed or component.version, component.version)
        local licence = component.licenses[1]
        assert.truthy(licence.expression or licence.license.id, name)
        assert.equal(1, component.purl:find(("pkg:deb/debian/%s@%s?arch="):format(name,
          (component.version:gsub("%+", "%%2B"))), 1, true), component.purl)
      end
    end
    assert.same({ license = { id = "Apache-2.0" } }, components["libssl-dev"].licenses[1])
    assert.matches("?arch=%w+&distro=debian%-" .. DEBIAN .. "&upstream=openssl$", components["libssl-dev"].purl)
  end)

  it("has curl as the source that it is built from", function()
    local version = components.curl.version
    assert.equal("pkg:deb/debian/curl@" .. version:gsub("%+", "%%2B") .. "?arch=source", components.curl.purl)
    assert.equal(1, components.curl.cpe:find("cpe:2.3:a:haxx:curl:" .. version:match("^[%d.]+") .. ":", 1, true))
    assert.equal(version, system.run("dpkg-parsechangelog -l build/curl/changelog -S Version"):gsub("\n", ""))
  end)

  it("has the operating system, without which a scanner passes over Debian's packages", function()
    assert.same({ ["bom-ref"] = "os", type = "operating-system", name = "debian", version = DEBIAN },
      components.debian)
  end)

  it("dates each package by its changelog", function()
    local of_ssl = system.run("zcat /usr/share/doc/libssl-dev/changelog.Debian.gz | "
      .. "dpkg-parsechangelog -l- -S Timestamp")
    assert.equal(os.date("!%Y-%m-%d", tonumber(of_ssl)), property(components["libssl-dev"], "pigeon:changelog"))
    local version = system.run(system.bootstrap .. " --version")
    for name, component in pairs(components) do
      local date = property(component, "pigeon:changelog")
      local line = ("\n  %s %s%s\n"):format(name, component.version, date and " " .. date or "")
      assert.equal(component.type == "library", version:find(line, 1, true) ~= nil, name)
      assert.truthy(date or component.type ~= "library" or name:find("gcc"), name)
    end
  end)
end)

describe("LICENSES", function()
  local text = system.run(system.bootstrap .. " --licenses")

  it("has the terms of Pigeon and of each package", function()
    for _, words in ipairs { "Mozilla Public License Version 2.0", "Lua.org", "OpenSSL", "Daniel Stenberg",
      "Petri Lehtinen", "Apache License\n +Version 2.0, January 2004", "GCC RUNTIME LIBRARY EXCEPTION" } do
      assert.matches(words, text)
    end
    for _, component in ipairs(cjson.decode(system.run(system.bootstrap .. " --sbom")).components) do
      if component.type == "library" then
        local title = ("\n%s %s\n%s"):format(component.name, component.version, ("-"):rep(78))
        assert.truthy(text:find(title, 1, true), title)
      end
    end
  end)

  zip.only(it)("and the SBOM are in the zip as the program prints them", function()
    local folder = zip.unpack("build", "rules/rules.lua")
    for name, option in pairs { LICENSES = "--licenses", ["sbom.cdx.json"] = "--sbom" } do
      assert.is_true(system.read(folder .. "/" .. name) == system.run(folder .. "/bootstrap " .. option), name)
    end
    zip.remove(folder)
  end)
end)

describe("bin/build/sbom", function()
  local folder
  setup(function() folder = system.run("mktemp -d"):gsub("\n", "") end)
  teardown(function() os.execute("rm -rf " .. folder) end)

  -- Its status, and what it wrote to stderr.
  local function sbom(words)
    local _, _, status = os.execute(("bin/build/sbom %s 2>%s/said"):format(words, folder))
    return status, system.read(folder .. "/said")
  end

  it("gives the same bytes at any time, in any language", function()
    local archives = {}
    for name in pairs(linked()) do
      -- of libcrypto.a it reads what that calls, of curl's folder the papers; of the others the names
      archives[#archives + 1] = name == "libcrypto.a" and "$(cc -print-file-name=libcrypto.a)"
        or (name == "libcurl.a" and "build/curl/" or "/x/") .. name
    end
    local version = system.run(system.bootstrap .. " --version"):match("pigeon (%S+)")
    system.run(("TZ=Asia/Tokyo LC_ALL=C.UTF-8 bin/build/sbom %s %s / %s"):format(folder, version,
      table.concat(archives, " ")))
    for name, option in pairs { LICENSES = "--licenses", ["sbom.cdx.json"] = "--sbom" } do
      assert.is_true(system.read(folder .. "/" .. name) == system.run(system.bootstrap .. " " .. option), name)
    end
  end)

  it("refuses an archive that it does not know", function()
    local status, said = sbom(folder .. " 1.0.0 / build/curl/libcurl.a /usr/lib/libx.a")
    assert.equal(1, status)
    assert.equal("bin/build/sbom: /usr/lib/libx.a is linked; add its package to the rows of bin/build/sbom\n", said)
  end)
end)

describe("pigeon check", function()
  -- What it prints at a time, seconds since 1970, with the queues that there are.
  local function check(now, words)
    local pipe = io.popen(("env -i PATH=\"$PATH\" PIGEON_QUEUE=normal SOURCE_DATE_EPOCH=%d %s check %s"):format(now,
      system.bootstrap, words))
    local said = pipe:read("a")
    return said, select(3, pipe:close())
  end
  local newest = ""
  for date in system.run(system.bootstrap .. " --version"):gmatch(" (%d+%-%d+%-%d+)\n") do
    if date > newest then newest = date end
  end
  local year, month, day = newest:match("^(%d+)-(%d+)-(%d+)$")
  local of_newest = os.time { year = year, month = month, day = day, hour = 12 }

  it("has a note where the newest Debian package in the program is more than 90 days old", function()
    assert.matches("^rules%.lua: %d+ objects decided, nothing found\n$", (check(of_newest + 90 * 86400, "")))
    local said, status = check(of_newest + 91 * 86400, "--strict")
    assert.matches("^bootstrap: note: the newest of its Debian packages, [^ ]+ [^ ]+, is of "
      .. newest:gsub("%-", "%%-") .. ", 91 days ago: [^\n]*\n"
      .. "rules%.lua: %d+ objects decided, no error, no warning, 1 note\n$", said)
    assert.equal(0, status) -- nothing in the rules is wrong
    local finding = cjson.decode((check(of_newest + 365 * 86400, "--json")):match("^[^\n]*"))
    assert.same({ "bootstrap", "note" }, { finding.file, finding.level })
    assert.matches("365 days ago$", finding.what)
  end)
end)
