local batch_failures = require "pigeon.settings.batch_failures"

describe("batch_failures.parse", function()
  for setting, partial in pairs {
    [""] = {},
    ["crashes"] = { crashes = true },
    [" crashes ,\tA-b_9\n"] = { crashes = true, ["A-b_9"] = true },
    ["crashes,ordered.fifo"] = { crashes = true }, -- a FIFO batch fails as a whole
    [("q"):rep(80)] = { [("q"):rep(80)] = true },
  } do
    it(("understands %q"):format(setting), function()
      assert.same(partial, batch_failures.parse(setting))
    end)
  end

  it("takes nothing where the variable is not set", function()
    assert.same({}, batch_failures.parse(nil))
  end)

  local NO_NAME = ", is not the name of an SQS queue, which is the last part of its ARN: letters, digits, - and _"
  for setting, problem in pairs {
    [" "] = 'entry 1 of " " is empty; name a queue there, or drop the comma',
    ["a,"] = 'entry 2 of "a," is empty; name a queue there, or drop the comma',
    ["a,,b"] = 'entry 2 of "a,,b" is empty; name a queue there, or drop the comma',
    ["a,b,a"] = 'entry 3, "a", names the queue of entry 1 again',
    ["a b"] = 'entry 1, "a b"' .. NO_NAME,
    ["x,arn:aws:sqs:us-west-2:1:crashes"] = 'entry 2, "arn:aws:sqs:us-west-2:1:crashes"' .. NO_NAME,
    ["a.fifo.b"] = 'entry 1, "a.fifo.b"' .. NO_NAME,
    ["*"] = 'entry 1, "*"' .. NO_NAME,
    [("q"):rep(81)] = ('entry 1, "%s", has 81 bytes; at most 80 are allowed'):format(("q"):rep(81)),
  } do
    it(("refuses %q"):format(setting:sub(1, 40)), function()
      local partial, why = batch_failures.parse(setting)
      assert.is_nil(partial)
      assert.equal("PIGEON_BATCH_FAILURES: " .. problem, why)
    end)
  end
end)
