--- pigeon.rules.advice by way of the sandbox: what a rule does, and what its author reads.
local sandbox = require "pigeon.rules.sandbox"
local verdict = require "pigeon.rules.verdict"

local QUEUES = { { name = "normal", throttle = 100 }, { name = "submitter", throttle = 15 } }
local OBJECT = { key = "v2/raw_crash/x", bucket = "crashes", event_name = "ObjectCreated:Put" }

-- The body of a rule, which begins at line 2 -> what went wrong.
local function failure(body, object)
  local decide = sandbox.open({ name = "rules.lua", source = "return function(object)\n" .. body .. "\nend" },
    { queues = QUEUES }, verdict.judge)
  local says, why = decide(object or OBJECT)
  assert.is_nil(says)
  return why
end

describe("a failure of a rule is told in words for", function()
  for _, case in ipairs {
    { "a loop without ipairs", "\nfor q in queues do end",
      "rules.lua:3: queues is a table; to go through it write for _, q in ipairs(queues) do" },
    { "the same with two names", "local list = {} for i, q in list do end",
      "rules.lua:2: list is a table; to go through it write for i, q in ipairs(list) do" },
    { "a queue that is not there", "\nlocal q = queues[99].name",
      "rules.lua:3: queues has 2 entries, so there is no queues[99] (lists begin at 1)" },
    { "the first of a list, counted from 0", "local l = { 'a' }\nlocal q = l[0].name",
      "rules.lua:3: there is no l[0] (lists begin at 1)" },
    { "a queue by its name", "local t = queues.normal.throttle",
      'rules.lua:2: queues is a list and has no "normal": look for q.name == "normal"' },
    { "a queue by its name in brackets", "local t = queues['normal'].throttle",
      'rules.lua:2: queues is a list and has no "normal": look for q.name == "normal"' },
    { "a missing size, compared", "\nif object.size > 5 then return ignore('big') end",
      "rules.lua:3: object.size is nil here (not every event has it): write (object.size or 0)" },
    { "the same with the line ends of another system", "local a\r\rlocal b\r\nif object.size > 5 then end",
      "rules.lua:5: object.size is nil here (not every event has it): write (object.size or 0)" },
    { "a missing size, in a sum", "local n = object.key and object.size + 1",
      "rules.lua:2: object.size is nil here (not every event has it): write (object.size or 0)" },
    { "a missing region, in a text", "return ignore('from ' .. object.region)",
      'rules.lua:2: object.region is nil here (not every event has it): write (object.region or "")' },
    { "a missing region, with a method", "return ignore(object.region:sub(1, 2))",
      'rules.lua:2: object.region is nil here (not every event has it): write (object.region or "")' },
    { "a missing region, given to a function", "return ignore(string.upper(object.region))",
      'rules.lua:2: object.region is nil here (not every event has it): write (object.region or "")' },
    { "a verdict without a return", "if object.key then\naccept('x', {})\nend",
      "rules.lua:3: made a verdict and did not return it: write return accept(...)" },
    { "a verdict of a helper without a return",
      "local function no()\nreturn ignore('x')\nend\nif object.size then defer('x') end\nno()",
      "rules.lua:6: made a verdict and did not return it: write return ignore(...)" },
    { "a reason that is missing", "\nreturn ignore()", 'rules.lua:3: ignore needs a reason: ignore("why")' },
    { "a crash id that is missing", "local id = crash_id(object.key)\nif id:sub(1, 1) == 'a' then end",
      "rules.lua:3: id is nil here: check it first, as in: if id then" },
    { "a comma that is missing", "local id = object.key\nreturn accept(id { 'normal' })",
      "rules.lua:3: id is a text, and not a function: is a comma missing after it?" },
    { "a sum of texts", "local id = 'a' .. object.key\nreturn ignore(id + 'b')",
      "rules.lua:3: attempt to add a 'string' with a 'string': texts are joined with .., not with +" },
    { "a function of another language", "\nif object.key:startswith('v1/') then end",
      'rules.lua:3: string has no "startswith" in rules: write object.key:sub(1, 3) == "v1/"' },
    { "a word of another language", "\nif len(object.key) > 5 then end",
      'rules.lua:3: there is no word "len": write #object.key' },
    { "a field of another name", "if object.filename == 'a' then end",
      'rules.lua:2: an object has no "filename": write object.key' },
    { "a text that is not a number", "if tonumber(object.key) > 5 then end",
      "rules.lua:2: tonumber(object.key) is nil, because the text is not a number: write (tonumber(object.key) or 0)" },
    { "a list that begins at 0", "return accept('x', { [0] = 'normal', 'submitter' })",
      "rules.lua:2: accept: destinations[0] is not part of the list: positions begin at 1" },
    { "a list with a gap", "local l = { 'a', 'b', 'c' } l[2] = nil return accept('x', l)",
      "rules.lua:2: accept: destinations[2] is nil, and later entries are not: the list has a gap" },
    { "env that is not set", "\nif env:sub(1, 4) == 'prod' then end",
      'rules.lua:3: env is nil here, because PIGEON_ENV is not set: write (env or "")' },
    { "env that is called", "\nif env('prod') then end",
      'rules.lua:3: env is a text, and not a function: write env == "prod"' },

    -- what it is not sure of stays as it was
    { "a size that is there", "local x\nif object.size > x then end",
      "rules.lua:3: attempt to compare nil with number", { key = "k", size = 5 } },
    { "another nil on the line of a missing size", "local x = {} return x.key.y, object.size",
      "rules.lua:2: attempt to index a nil value (field 'key')" },
    { "a missing size in a comment", "local x\nlocal y = x + 1 -- object.size",
      "rules.lua:3: attempt to perform arithmetic on a nil value (local 'x')" },
    { "a name that no queue has", "local x = {}\nx = x.normal.y -- queues.normal",
      "rules.lua:3: attempt to index a nil value (field 'normal')" },
    { "no verdict at all", "if object.size then ignore('x') end",
      "rules.lua:3: the rule returned nothing, but must return accept(...), defer(...) or ignore(...)" },
  } do
    it(case[1], function()
      assert.equal(case[3], failure(case[2], case[4]))
    end)
  end
end)
