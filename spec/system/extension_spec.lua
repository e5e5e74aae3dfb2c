--- The contract with Lambda's runtime that is more than events: how a function is started, and how it ends.
local cjson = require "cjson"
local broker = require "spec.support.broker"
local system = require "spec.support.system"

local NAME = "pigeon-good-end" -- of its extension

describe("a function", function()
  local env

  before_each(function()
    env = system.vhost({ "normal" })
  end)

  after_each(function()
    system.drop(env)
  end)

  -- Its life with an event or two, with these variables too, started by this command.
  local function live(changes, command)
    local all = {}
    for _, part in ipairs({ env, changes or {} }) do
      for name, value in pairs(part) do all[name] = value end
    end
    local events = { system.event(system.key(system.id(1))), system.event(system.key(system.id(2))) }
    return system.invoke({ env = all, events = events, command = command })
  end

  local function assert_published(outcome)
    assert.same({ "null", "null" }, outcome.answers)
    assert.same({ system.id(1), system.id(2) }, system.consume(env))
  end

  -- How its connection ended, by the level of the broker's line about that: "info" with a goodbye,
  -- "warning" without.
  local function ending()
    local line = "%[(%a+)%] %S+ closing AMQP connection [^\n]* %- pigeon [^\n]*vhost: '"
      .. env.PIGEON_VIRTUAL_HOST:gsub("%-", "%%-") .. "'"
    return system.wait("the broker's words", function() return broker.log():match(line) end)
  end

  describe("ends", function()
    for _, case in ipairs({ { "by default" }, { "with PIGEON_EXTENSION=on", "on" }, { "with it empty", "" } }) do
      it("well " .. case[1] .. ": Lambda sends SIGTERM, and the broker gets a goodbye", function()
        local outcome = live({ PIGEON_EXTENSION = case[2] })
        assert_published(outcome)
        assert.equal(0, outcome.status)
        assert.equal("", outcome.said)
        assert.same({}, system.said(outcome.log, "extension"))
        assert.equal("info", ending())
      end)
    end

    it("by SIGKILL with PIGEON_EXTENSION=off, without a goodbye", function()
      local outcome = live({ PIGEON_EXTENSION = "off" })
      assert_published(outcome)
      assert.equal(0, outcome.status)
      assert.same({}, system.said(outcome.log, "extension"))
      assert.equal("warning", ending())
    end)

    it("before it starts, with PIGEON_EXTENSION=maybe", function()
      local outcome = live({ PIGEON_EXTENSION = "maybe" })
      assert.equal('PIGEON_EXTENSION: "maybe" is neither "on" nor "off"', outcome.decoded[1].errorMessage)
    end)
  end)

  it("goes on with one warning where it cannot register", function()
    -- Somebody else has its name.
    local outcome = live(nil, { "spec/support/function.sh", ("register %s {}"):format(NAME), "extension_next",
      "exec " .. system.bootstrap })
    assert_published(outcome)
    local lines = system.said(outcome.log:gsub("^started %d+\n[^\n]*\n", ""), "extension")
    assert.equal(1, #lines)
    assert.equal("WARN", lines[1].level)
    assert.matches("^not registered as an internal extension: http://127%.0%.0%.1:%d+/2020%-01%-01/extension/register: "
      .. 'status 403: {"errorMessage":"Extension with this name already registered".*'
      .. "PIGEON_EXTENSION=off leaves it out$", lines[1].message)
  end)

  describe("is one whatever its arguments, as a container image's ENTRYPOINT and CMD", function()
    for _, words in ipairs({ { "rules.lua" }, { "explain" }, { "check", "rules.lua" } }) do
      it(table.concat(words, " "), function()
        assert_published(live(nil, { system.bootstrap, table.unpack(words) }))
      end)
    end

    it("and the last of them is the handler, where Lambda does not set it", function()
      local unset = { "env", "-u", "_HANDLER", system.bootstrap }
      assert_published(live(nil, { unset[1], unset[2], unset[3], unset[4], "-x", "rules.lua" }))
      local outcome = live(nil, { unset[1], unset[2], unset[3], unset[4], "other.lua" })
      assert.matches("other%.lua", outcome.decoded[1].errorMessage)
      assert.matches("_HANDLER is not set", live(nil, unset).decoded[1].errorMessage)
    end)
  end)

  it("warns once where Lambda may send several events at a time", function()
    local function warnings(concurrency)
      local outcome = live({ AWS_LAMBDA_MAX_CONCURRENCY = concurrency })
      assert_published(outcome)
      return system.said(outcome.log, "AWS_LAMBDA_MAX_CONCURRENCY")
    end
    local lines = warnings("8")
    assert.equal(1, #lines)
    assert.equal("WARN", lines[1].level)
    assert.matches("^AWS_LAMBDA_MAX_CONCURRENCY is 8, .*set PerExecutionEnvironmentMaxConcurrency .* to 1$",
      lines[1].message)
    assert.same({}, warnings("1"))
    assert.same({}, warnings(nil))
  end)

  describe("counts a cold start", function()
    local cases = {
      { "on-demand", 1 }, { "", 1 }, { "provisioned-concurrency", 0 }, { "snap-start", 0 },
      { "lambda-managed-instances", 0 },
    }
    for _, case in ipairs(cases) do
      it(("%d times where the initialization type is %q"):format(case[2], case[1]), function()
        local total = 0
        local outcome = live({ AWS_LAMBDA_INITIALIZATION_TYPE = case[1] })
        for line in outcome.log:gmatch("[^\n]+") do
          total = total + (cjson.decode(line).ColdStarts or 0)
        end
        assert.equal(case[2], total)
        assert_published(outcome)
      end)
    end
  end)
end)
