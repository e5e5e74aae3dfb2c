--- The local AWS of host/tools/aws.c, driven by its stdin.
local system = require "spec.support.system"

local aws = {}
aws.__index = aws

--- Who may call it, for system.env tables.
aws.IDENTITY = {
  AWS_ACCESS_KEY_ID = "AKIASPECSPECSPEC",
  AWS_SECRET_ACCESS_KEY = "wJalr/XUtnFEMI+K7MDENG-of-the-spec",
  AWS_SESSION_TOKEN = "IQoJb3JpZ2luX2VjE/of+the/spec//////////wEaCXVz==",
}

--- Starts one: with https where a certificate and its key are given.
function aws.start(certificate, key)
  local self = setmetatable({ folder = system.run("mktemp -d"):gsub("\n", ""), told = 0 }, aws)
  local words = { "env" }
  for name, value in pairs(aws.IDENTITY) do words[#words + 1] = system.quote(name .. "=" .. value) end
  words[#words + 1] = "PIGEON_AWS_REGION=us-west-2 " .. system.build .. "/tools/aws"
  if certificate then words[#words + 1] = system.quote(certificate) .. " " .. system.quote(key) end
  self.input = assert(io.popen(("%s >%s/log"):format(table.concat(words, " "), self.folder), "w"))
  self.url = system.wait("the local AWS", function() return self:log():match("^(https?://[%d.]+:%d+)\n") end)
  return self
end

function aws:log()
  local file = io.open(self.folder .. "/log")
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text
end

--- Sends it one command, and waits until it has obeyed.
function aws:tell(line, ...)
  assert(self.input:write(line:format(...), "\n"))
  self.input:flush()
  self.told = self.told + 1
  system.wait("the local AWS to obey", function()
    assert(not self:log():find("\nerror\n", 1, true), line)
    local _, obeyed = self:log():gsub("\nok%f[\n]", "")
    return obeyed == self.told
  end)
end

--- The calls since the last time: "ssm /name ok" each.
function aws:calls()
  local list = {}
  for call in self:log():gmatch("\ncall ([^\n]*)") do list[#list + 1] = call end
  local new = table.move(list, (self.seen or 0) + 1, #list, 1, {})
  self.seen = #list
  return new
end

function aws:stop()
  self.input:close()
  os.execute("rm -rf " .. system.quote(self.folder))
end

return aws
