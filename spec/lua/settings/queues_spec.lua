local queues = require "pigeon.settings.queues"

describe("queues.parse", function()
  for setting, list in pairs {
    ["normal"] = { { name = "normal", throttle = 100 } },
    ["normal,submitter"] = { { name = "normal", throttle = 100 }, { name = "submitter", throttle = 100 } },
    ["normal,15:submitter"] = { { name = "normal", throttle = 100 }, { name = "submitter", throttle = 15 } },
    ["normal,submitter,jimbob"] = {
      { name = "normal", throttle = 100 }, { name = "submitter", throttle = 100 },
      { name = "jimbob", throttle = 100 },
    },
    ["100:a,15:b,0:c"] = {
      { name = "a", throttle = 100 }, { name = "b", throttle = 15 }, { name = "c", throttle = 0 },
    },
    [" a ,\t7 : b c\n"] = { { name = "a", throttle = 100 }, { name = "b c", throttle = 7 } },
    ["007:bond"] = { { name = "bond", throttle = 7 } },
    [("n"):rep(255)] = { { name = ("n"):rep(255), throttle = 100 } },
  } do
    it("understands " .. setting:sub(1, 40):gsub("\n", "\\n"), function()
      local parsed = queues.parse(setting)
      assert.same(list, parsed)
      for _, queue in ipairs(parsed) do
        assert.equal("integer", math.type(queue.throttle))
      end
    end)
  end

  local THROTTLE = ', which is not a whole number from 0 to 100'
  for setting, problem in pairs {
    [""] = 'entry 1 of "" is empty; name a queue there, or drop the comma',
    ["  "] = 'entry 1 of "  " is empty; name a queue there, or drop the comma',
    [","] = 'entry 1 of "," is empty; name a queue there, or drop the comma',
    ["a,,b"] = 'entry 2 of "a,,b" is empty; name a queue there, or drop the comma',
    ["a,"] = 'entry 2 of "a," is empty; name a queue there, or drop the comma',
    ["a, ,b"] = 'entry 2 of "a, ,b" is empty; name a queue there, or drop the comma',
    [":q"] = 'entry 1, ":q", has no throttle before its colon',
    [" : "] = 'entry 1, ":", has no queue name after its colon',
    ["a,10:"] = 'entry 2, "10:", has no queue name after its colon',
    ["abc:q"] = 'entry 1, "abc:q", has the throttle "abc"' .. THROTTLE,
    ["a,101:q"] = 'entry 2, "101:q", has the throttle "101"' .. THROTTLE,
    ["-1:q"] = 'entry 1, "-1:q", has the throttle "-1"' .. THROTTLE,
    ["+1:q"] = 'entry 1, "+1:q", has the throttle "+1"' .. THROTTLE,
    ["1.5:q"] = 'entry 1, "1.5:q", has the throttle "1.5"' .. THROTTLE,
    ["0x9:q"] = 'entry 1, "0x9:q", has the throttle "0x9"' .. THROTTLE,
    ["1e1:q"] = 'entry 1, "1e1:q", has the throttle "1e1"' .. THROTTLE,
    ["99999999999999999999:q"] =
      'entry 1, "99999999999999999999:q", has the throttle "99999999999999999999"' .. THROTTLE,
    ["15:a:b"] = 'entry 1, "15:a:b", has a second colon; a queue name cannot contain one here',
    ["a,b,15:a"] = 'entry 3, "15:a", names the queue of entry 1 again',
    ["amq.gen-1"] = 'entry 1, "amq.gen-1", has a name that begins with amq., which the broker reserves',
  } do
    it(("refuses %q"):format(setting), function()
      local list, why = queues.parse(setting)
      assert.is_nil(list)
      assert.equal("PIGEON_QUEUE: " .. problem, why)
    end)
  end

  it("refuses a name over 255 bytes and shows its beginning", function()
    local list, why = queues.parse("a," .. ("n"):rep(256))
    assert.is_nil(list)
    assert.matches('^PIGEON_QUEUE: entry 2, "nnn.*", has a name of 256 bytes; at most 255 are allowed$', why)
  end)
end)
