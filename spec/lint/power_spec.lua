--- The changes of spec/simulation/power still fit host/: otherwise `make simulation-power` ends there.
describe("the small wrong changes of host/", function()
  local changes = dofile("spec/simulation/power/changes.lua")

  local function count(text, part)
    local n, at = 0, 1
    while true do
      local first, last = text:find(part, at, true)
      if not first then return n end
      n, at = n + 1, last + 1
    end
  end

  it("are 40 at least", function() assert.is_true(#changes >= 40) end)

  for _, change in ipairs(changes) do
    local name, path, old, new = table.unpack(change)
    it(("fit: %s"):format(name), function()
      local file = assert(io.open(path))
      local text = file:read("a")
      file:close()
      assert.equal(1, count(text, old), ("%s has to have this once: %s"):format(path, old))
      assert.is_true(old ~= new)
    end)
  end
end)
