--- deploy/Containerfile: that its stages have what their commands need. No container engine runs
-- here; what the commands do is tried elsewhere (spec/system/package_spec.lua, repackage_spec.lua).
local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

-- The stages: a list of {name, base, {instruction, words}...}, also by name; continued lines are one.
local stages = {}
for line in read("deploy/Containerfile"):gsub("\\\n", " "):gmatch("[^\n]+") do
  local instruction, words = line:match("^(%u+) (.*)$")
  if instruction == "FROM" then
    local stage = { name = words:match(" AS (%l+)$"), base = words:match("^%S+") }
    stages[#stages + 1] = stage
    if stage.name then stages[stage.name] = stage end
  elseif instruction then
    local stage = stages[#stages]
    stage[#stage + 1] = { instruction, words }
  end
end

-- The words of all instructions of a kind in a stage.
local function words_of(stage, instruction)
  local found = {}
  for _, row in ipairs(stage) do
    if row[1] == instruction then found[#found + 1] = row[2] end
  end
  return found
end

local function folder()
  local pipe = io.popen("mktemp -d")
  local path = pipe:read("l")
  pipe:close()
  return path
end

describe("deploy/Containerfile", function()
  it("ends with the zip alone, which --output takes, and has Debian 12 in all other stages", function()
    assert.equal("scratch", stages[#stages].base)
    assert.same({ "--from=build /pigeon/build/pigeon*.zip /" }, words_of(stages[#stages], "COPY"))
    for i = 1, #stages - 1 do assert.equal("debian:bookworm-slim", stages[i].base) end
  end)

  it("copies what is there, from here or from a stage before", function()
    local before = {}
    for _, stage in ipairs(stages) do
      for _, words in ipairs(words_of(stage, "COPY")) do
        local from, sources = words:match("^%-%-from=(%l+)"), {}
        if from then
          assert.is_true(before[from], words)
        else
          for word in words:gmatch("%S+") do sources[#sources + 1] = word end
          assert.is_true(#sources > 1, words)
          for i = 1, #sources - 1 do assert.is_true(os.execute("test -e " .. sources[i]), sources[i]) end
        end
      end
      before[stage.name or ""] = true
    end
  end)

  it("copies all that make package reads", function()
    local path = folder()
    for _, words in ipairs(words_of(stages.build, "COPY")) do
      local sources, target = words:match("^(.*) (%S+)$")
      target = path .. "/" .. target:gsub("^%./$", "")
      -- as COPY does: a folder's contents; files into a folder
      os.execute(("mkdir -p %s && for s in %s; do if [ -d $s ]; then cp -r $s/. %s; else cp $s %s/; fi; done")
        :format(target, sources, target, target))
    end
    local pipe = io.popen(("cd %s && env -u MAKEFLAGS -u MAKELEVEL make -n package 2>&1"):format(path))
    local said = pipe:read("a")
    local ok = pipe:close()
    for script in said:gmatch("%f[%w]bin/[%w/_-]+") do
      assert.is_true(os.execute(("test -x %s/%s"):format(path, script)), script)
    end
    os.execute("rm -rf " .. path)
    assert.is_true(ok, said)
    assert.matches("bin/build/package", said, 1, true)
  end)

  it("has in the stage desk the packages that test and package need, and luacheck", function()
    local installed = table.concat(words_of(stages.desk, "RUN"), " ")
    for name in ("lua5.4 lua-busted lua-cjson lua-check zip unzip"):gmatch("%S+") do
      assert.matches(" " .. name .. " ", installed, 1, true)
    end
  end)

  it("gives luacheck the words of the rules, and busted's in specs", function()
    local path = folder()
    for _, command in ipairs(words_of(stages.desk, "RUN")) do
      local made = command:match("printf .*")
      if made then assert.is_true(os.execute((made:gsub("/pigeon/luacheck", path .. "/luacheck")
        :gsub("^", "mkdir " .. path .. "/luacheck; ")))) end
    end
    os.execute(("cp lua/pigeon/rules/words.lua %s/luacheck && mkdir %s/spec && cp rules/rules.lua %s"):format(
      path, path, path))
    local function check(file, text)
      if text then
        local out = assert(io.open(path .. "/" .. file, "w"))
        out:write(text)
        out:close()
      end
      return os.execute(("cd %s && XDG_CONFIG_HOME=%s luacheck --quiet %s >said"):format(path, path, file)), path
    end
    assert.is_true(check("rules.lua"))
    assert.is_true(check("spec/a_spec.lua", 'describe("x", function() print(1) end)\n'))
    assert.is_nil((check("b.lua", "return function(object) print(object) end\n")))
    assert.is_nil((check("c.lua", 'return function() return ignored("x") end\n')))
    os.execute("rm -rf " .. path)
  end)

  it("is used by the lines of rules/README.md: its stage, its file, its folder", function()
    local page = read("rules/README.md")
    assert.matches("docker build -t pigeon --target desk -f deploy/Containerfile REPOSITORY", page, 1, true)
    local commands = {}
    for command in page:gmatch('\n    docker run %-%-rm %-v "${PWD}:/rules" pigeon (%l+)') do
      commands[#commands + 1] = command
    end
    assert.same({ "check", "test", "package" }, commands)
    assert.same({ "/rules" }, words_of(stages.desk, "WORKDIR"))
    assert.same({ '["bootstrap"]' }, words_of(stages.desk, "ENTRYPOINT"))
    assert.matches("--from /pigeon/pigeon.zip ", page, 1, true)
    assert.equal("--from=build /pigeon/build/pigeon*.zip /pigeon/pigeon.zip", words_of(stages.desk, "COPY")[1])
  end)
end)
