-- The commands of deploy/BACKFILL.md do what the page says.
local cjson = require "cjson"

local page = assert(io.open("deploy/BACKFILL.md")):read("a")

-- The line of the page that has these words, without what is put into its place in the pipe.
local function command(words)
  for line in page:gmatch("    ([^\n]+)") do
    if line:find(words, 1, true) then return line end
  end
  error("no such command: " .. words)
end

-- Runs a line in a folder with these files; returns the named file.
local function run(line, files, result)
  local folder = io.popen("mktemp -d"):read("l")
  os.execute("mkdir " .. folder .. "/results")
  for name, text in pairs(files) do
    assert(io.open(folder .. "/" .. name, "w")):write(text):close()
  end
  local ok = os.execute(("cd %s && { %s\n}"):format(folder, line))
  local text = ok and assert(io.open(folder .. "/" .. result)):read("a")
  os.execute("rm -rf " .. folder)
  return text
end

local REPORT = {
  ["results/a.csv"] = 'crashes,v2/raw%20a,,failed,200,PermanentFailure,"rules.lua:3: boom, failed,"\n'
    .. 'crashes,b,v1,failed,200,PermanentFailure,Lambda returned function error\n',
  ["results/b.csv"] = 'crashes,c,,succeeded,200,,"accept: normal, submitter"\n'
    .. 'crashes,d,,succeeded,200,,"ignore: a, failed,"\n',
  ["manifest.csv"] = "crashes,e\ncrashes,c\ncrashes,v2/raw%20a\ncrashes,d\ncrashes,b\n",
}

describe("deploy/BACKFILL.md", function()
  it("makes a manifest of keys, URL-encoded", function()
    assert.equal("crashes,v2/raw_crash/a%20b%2B%C3%A9%2Cx\ncrashes,k\n",
      run(command("@uri"), { keys = "v2/raw_crash/a b+é,x\nk\n" }, "manifest.csv"))
  end)

  it("makes a manifest of crash ids", function()
    assert.equal("crashes,v2/raw_crash/000/20180313/00007bd0-2d1c-4865-af09-80bc01180313\n",
      run(command("[0:3]"), { ids = "00007bd0-2d1c-4865-af09-80bc01180313\n" }, "manifest.csv"))
  end)

  it("creates a job with arguments that are JSON", function()
    local job = assert(page:match("    (aws s3control create%-job.-\n)\n"))
    local names = {}
    for name, json in job:gmatch("%-%-(%l+) '({.-})'[%s\\]") do
      names[name] = cjson.decode((json:gsub([['"$etag"']], "e")))
    end
    assert.equal("2.0", names.operation.LambdaInvoke.InvocationSchemaVersion)
    assert.same({ "Bucket", "Key" }, names.manifest.Spec.Fields)
    assert.same({ "AllTasks", true }, { names.report.ReportScope, names.report.Enabled })
  end)

  it("makes the next manifest of what failed", function()
    local line = assert(page:match("`(grep %-h [^`]*)`"))
    assert.equal("crashes,v2/raw%20a\ncrashes,b\n", run(line, REPORT, "manifest.csv"))
  end)

  it("makes a manifest of what the report does not have", function()
    assert.equal("crashes,e\n", run(command("cat results") .. "\n" .. command("comm -23"), REPORT, "rest.csv"))
  end)

  it("counts each outcome", function()
    local line = command("uniq -c"):gsub("#.*", "") .. " >counts"
    assert.matches('1 failed,200,PermanentFailure,"rules.lua:3: boom, failed,"', run(line, REPORT, "counts"), 1, true)
  end)
end)
