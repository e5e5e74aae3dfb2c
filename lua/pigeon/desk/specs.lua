--- Runs specs again in this process, without output: with busted's own parts, each time anew.
local specs = {}

-- A busted without a run behind it: the module itself can be called only once.
local function new_busted()
  local busted = require("busted.core")()
  package.loaded["busted"], package.loaded["busted.init"] = nil, nil
  require("busted")(busted)
  return busted
end

-- What busted's runner does with these options before the specs are loaded.
local function prepare(busted, options)
  if not options["auto-insulate"] then busted.register("file", "file", {}) end
  if options.lazy then
    busted.register("setup", "lazy_setup")
    busted.register("teardown", "lazy_teardown")
  end
  busted.sort = options["sort-tests"]
  busted.randomize = options["shuffle-tests"]
  busted.randomseed = tonumber(options.seed) or 0
  if options.helper and options.helper ~= "" then
    assert(require("busted.modules.helper_loader")()(busted, options.helper, { arguments = options.Xhelper }))
  end
  require("busted.modules.filter_loader")()(busted, {
    tags = options.tags, excludeTags = options["exclude-tags"], filter = options.filter,
    filterOut = options["filter-out"], nokeepgoing = true,
  })
end

-- Specs print once, in the run that people see. busted.lua has let print and io.write use this method.
local function quietly(call)
  local methods = getmetatable(io.stdout).__index
  local write = methods.write
  methods.write = function(file, ...)
    if file == io.stdout or file == io.stderr then return file end
    return write(file, ...)
  end
  local ok, problem = pcall(call)
  methods.write = write
  if not ok then error(problem, 0) end
end

--- busted's options, and the paths of specs -> why they fail (the first message), or nil where all
-- pass. The run ends with the first failure.
function specs.failure(options, paths)
  local failure
  quietly(function()
    local busted = new_busted()
    local function fail(_, _, message)
      failure = failure or tostring(message)
      busted.skipAll = true
      return nil, true
    end
    busted.subscribe({ "failure" }, fail)
    busted.subscribe({ "error" }, fail)
    prepare(busted, options)
    require("busted.modules.test_file_loader")(busted, options.loaders)(paths, {}, {
      excludes = {}, recursive = false,
    })
    require("busted.execute")(busted)(1, {
      seed = options.seed, shuffle = options["shuffle-files"], sort = options["sort-files"],
    })
  end)
  return failure
end

return specs
