--- Lists as people have them, through the program: simulate, replay --dry-run, and the commands that
-- the refusals name.
local cjson = require "cjson"
local system = require "spec.support.system"

local PIGEON = "PIGEON_QUEUE=normal " .. system.build .. "/bootstrap "
local FIXTURES = "spec/fixtures/lists/"
local folder

-- Runs a line of the shell in this folder: status, stdout, stderr.
local function run(line)
  local out, err = folder .. "/out", folder .. "/err"
  local _, _, status = os.execute(("{ %s\n} >%s 2>%s"):format(line, out, err))
  return status, system.read(out), system.read(err)
end

local function file_of(text)
  local path = folder .. "/list"
  system.write(path, text)
  return path
end

-- How many objects each verdict has, of what a line of the shell prints.
local function counted(command, options)
  local status, said, complained = run(("%s %ssimulate --json %s"):format(command, PIGEON, options or ""))
  assert.are.equal("", complained)
  assert.are.equal(0, status)
  return cjson.decode(said).verdicts
end

local function key(i)
  return system.key(system.id(i))
end

describe("pigeon simulate", function()
  before_each(function() folder = system.run("mktemp -d"):gsub("\n", "") end)
  after_each(function() os.execute("rm -rf " .. system.quote(folder)) end)

  for _, name in ipairs { "aws1.json", "aws1.text", "aws1.table", "aws2.yaml", "aws2.yaml-stream", "aws2.keys.json",
    "aws2.keys.text", "aws2.pairs.json" } do
    it("understands what the AWS CLI printed: " .. name, function()
      assert.are.same({ accept = 1, defer = 1, ignore = 2, fail = 0 }, counted("<" .. FIXTURES .. name))
      assert.are.same({ accept = 1, defer = 1, ignore = 2, fail = 0 },
        counted(("sed 's/$/\r/' %s |"):format(FIXTURES .. name)))
    end)
  end

  it("understands lines of every system", function()
    for _, stop in ipairs { "\n", "\r\n", "\r" } do
      local list = file_of("\xEF\xBB\xBF" .. key(1) .. stop .. key(2) .. stop)
      assert.are.equal(2, counted("<" .. list).accept)
    end
  end)

  it("takes a document of many objects, and goes on behind it", function()
    local keys = {}
    for i = 1, 2500 do keys[i] = '    "' .. key(i) .. '"' end
    local list = file_of("[\n" .. table.concat(keys, ",\n") .. "\n]\n" .. key(2501))
    assert.are.equal(2501, counted("<" .. list).accept)
  end)

  it("makes keys of crash ids, and reads an inventory by its manifest", function()
    assert.are.equal(1, counted("<" .. file_of(system.id(1)), "--ids v2/raw_crash").accept)
    local manifest = folder .. "/manifest.json"
    system.write(manifest, '{"fileFormat":"CSV","fileSchema":"Size, Key, IsLatest"}')
    local list = file_of(('"1","%s","true"\n"1","%s","false"\n'):format(key(1), key(1)))
    assert.are.equal(1, counted("<" .. list, "--manifest " .. manifest).accept)
    system.write(manifest, "[")
    local status, _, complained = run(("%ssimulate --manifest %s <%s"):format(PIGEON, manifest, list))
    assert.are.equal(1, status)
    assert.matches("^pigeon simulate: %-%-manifest [^\n]*manifest.json is not JSON", complained)
  end)

  it("refuses what is not text with a command that helps", function()
    local list = file_of(key(1) .. "\n")
    for form, make in pairs { ["gzip %-dc"] = "gzip -c", ["iconv %-f UTF%-16 "] = "iconv -f UTF-8 -t UTF-16",
      ["bzip2 %-dc"] = "bzip2 -c" } do
      local file = folder .. "/FILE"
      local status, said, complained = run(("%s <%s >%s; %ssimulate <%s"):format(make, list, file, PIGEON, file))
      assert.are.equal(1, status)
      assert.are.equal("", said)
      local command = complained:match("^pigeon simulate: the list is [^;\n]*; do: (" .. form .. "[^|]*|) bin/pigeon ")
      assert.is_truthy(command, complained)
      assert.are.equal(1, counted((command:gsub("FILE", file))).accept)
    end
  end)

  -- A document of 60 MB, and how many objects it has: what is before, between and after the objects, and
  -- an object with "KEY" for its key.
  local function big_document(before, object, after)
    local path, size, count = folder .. "/document", 0, 0
    local file <close> = assert(io.open(path, "w"))
    file:write(before)
    repeat
      count = count + 1
      local text = object:gsub("KEY", key(count))
      size = size + #text + 2
      file:write(count > 1 and ",\n" or "", text)
    until size > 60e6
    file:write(after)
    return path, count
  end

  it("takes a document of 60 MB, with time and memory enough to read it", function()
    local event = system.run(system.build .. "/bootstrap event s3 --key KEY")
    local path, count = big_document('{"Records":[\n', event:match('^{"Records":%[(.*)%]}'), "\n]}\n")
    assert.are.equal(count, counted("<" .. path).accept)
    local _, said = run(PIGEON .. "replay --dry-run <" .. path)
    assert.matches("^would publish " .. count .. " messages: ", said)
    local object = '{\n"Key": "KEY",\n"ETag": "' .. ("0"):rep(600) .. '"\n}'
    path, count = big_document('{\n"Contents": [\n', object, "\n]\n}\n")
    assert.are.equal(count, counted("<" .. path).accept)
  end)

  it("refuses a document that is too long with a command that helps", function()
    local path = folder .. "/FILE"
    os.execute(([[lua5.4 -e 'print("{ \"Contents\": [") for i = 1, 700000 do
      print(("  {\n    \"Key\": \"%%s\"\n  },"):format(("%s"):gsub("^(.*)0000000.", "%%1" .. i))) end
      print("  {\"Key\": \"a\"}\n]}")' >%s]]):format(key(1) .. ("x"):rep(20), path))
    local status, _, complained = run(PIGEON .. "simulate <" .. path)
    assert.are.equal(1, status)
    local command = complained:match("^pigeon simulate: line 1 begins a JSON document of more than 64 MB; "
      .. "make lines of it: (.* FILE)\n$")
    assert.is_truthy(command, complained)
    local _, said = run(("cd %s; %s | wc -l"):format(folder, command))
    assert.are.equal("700001\n", said)
  end)

  it("fails with a line's number, and where the rules want nothing shows the first", function()
    local status, said = run(("%ssimulate <%s"):format(PIGEON, file_of(key(1) .. "\n" .. system.id(2) .. "\n")))
    assert.are.equal(1, status)
    assert.matches("\n  fail %(first: line 2%): a crash id alone; %-%-ids", said)
    local _, complained
    status, _, complained = run(("%ssimulate <%s"):format(PIGEON, file_of("\nsome words\n")))
    assert.are.equal(1, status)
    assert.matches('^pigeon simulate: the rules accept and defer none of 1 objects; line 2 is "some words": ',
      complained)
    status, _, complained = run(PIGEON .. "simulate </dev/null")
    assert.are.equal(1, status)
    assert.matches("^pigeon simulate: the list is empty", complained)
  end)
end)

describe("pigeon replay --dry-run", function()
  before_each(function() folder = system.run("mktemp -d"):gsub("\n", "") end)
  after_each(function() os.execute("rm -rf " .. system.quote(folder)) end)

  it("counts objects, whatever form they came in", function()
    local list = file_of(('["%s",\n"%s"]\n%s\t%s\n"crashes","%s"\n'):format(key(1), key(2), key(3), key(4), key(5)))
    local status, said = run(("%sreplay --dry-run --from 4 --rate 1000 <%s"):format(PIGEON, list))
    assert.are.equal(0, status)
    assert.are.equal("would publish 2 messages: 2 objects accepted\ndeferred 0, ignored 0\n", said)
    local _, complained
    status, _, complained = run(("%sreplay --dry-run --from 6 <%s"):format(PIGEON, list))
    assert.are.equal(1, status)
    assert.matches("\npigeon replay: the list has 5 objects, so %-%-from 6 leaves none\n$", complained)
  end)

  it("keeps to its rate also where a line has many objects", function()
    local list = file_of(('["%s","%s","%s","%s","%s"]'):format(key(1), key(2), key(3), key(4), key(5)))
    local before = os.time()
    assert.are.equal(0, (run(("%sreplay --dry-run --rate 1 <%s"):format(PIGEON, list))))
    assert.is_true(os.time() - before >= 3)
  end)
end)
