--- What people write out of habit, in a line of a rule, and what they read.
local source = require "pigeon.source"

local function problem_of(text)
  local tree, problem = source.parse(text, "rules.lua")
  assert.is_nil(tree)
  return ("%d: %s: %s"):format(problem.line, problem.what, problem.fix)
end

-- A line within a rule is line 3.
local function in_a_rule(line)
  return "return function(object)\n  local n, size = 1, object.size\n" .. line .. '\n  return ignore("x")\nend\n'
end

local COMMENT = "`#` does not begin a comment: write --"
local BRACE, WITHOUT = "the `{` after `%s` does not begin a block: ", "remove the `{`, and write end for its `}`"
local LIST = "a list is written with { }, without [ ]: "
local TEST = 'Lua has no `[ ]` around a condition: write if a == "b" then'
local CONFLICT = "a mark of a merge conflict: keep one of the two texts, and remove the lines of <, = and >"

describe("a habit of another language is told in words:", function()
  for line, problem in pairs {
    ["# the size"] = COMMENT, ["n = 2 # the size"] = COMMENT, ["# it's the size"] = COMMENT,
    ["// the size"] = "`//` does not begin a comment: write --",
    ["// it's the size"] = "`//` does not begin a comment: write --",
    ["n = 2 // the size"] = "`//` divides, and does not begin a comment: write --",
    ["/* the size */"] = "`/*` does not begin a comment: write --[[ and, where it ends, ]]",

    ["if (n == 1) { return ignore('a') }"] = BRACE:format("if") .. "write if ... then ... end",
    ["if n == object.size {\nn = 2\n}"] = BRACE:format("if") .. "write if ... then ... end",
    ["if object.key:find('a') { n = 2 }\nn = 3"] = BRACE:format("if") .. "write if ... then ... end",
    ["while (n > 1) { return }"] = BRACE:format("while") .. "write while ... do ... end",
    ["for _, q in ipairs(queues) { n(q) }"] = BRACE:format("for") .. "write for ... do ... end",
    ["if n == 1 then {\nn = 2\n}"] = BRACE:format("then") .. WITHOUT,
    ["local function f(x) {\nreturn x\n}"] = BRACE:format("function") .. WITHOUT,
    ["if n == 1 then n = 2\n} else {\nn = 3\n}"] = { 4, "`}` does not end a block: write end" },
    ["try {\nlocal m = f()\n}"] = { 3, "Lua has no `try`: a rule cannot catch an error: check before, with if" },

    ["if n == 1:\nn = 2"] = "`:` does not begin a block: write if ... then ... end",

    ["if n == 1 then\nn = 2\nelif n == 2 then\nn = 3 end"] = { 5, "Lua has no `elif`: write elseif" },
    ["if n == 1 then\nn = 2\nelsif (n == 2) then\nn = 3 end"] = { 5, "Lua has no `elsif`: write elseif" },
    ["if n == 1 then\nreturn ignore('a')\nfi"] = { 5, "Lua has no `fi`: write end" },
    ["if n == 1 then\nn = 2\nfi"] = { 5, "Lua has no `fi`: write end" },
    ["if [ n == 1 ]; then n = 2 end"] = TEST, ["if [[ n == 1 ]]; then n = 2 end"] = TEST,
    ["if n == 1; then n = 2 end"] = "`;` before `then`: remove the `;`",
    ["if $n == 1 then n = 2 end"] = "Lua has no `$`: write the name without it",
    ["var m = 2"] = "Lua has no `var`: write local",

    ["if n === 1 then n = 2 end"] = 'Lua has no `===`: "is" is written ==',
    ["if n !== 1 then n = 2 end"] = 'Lua has no `!==`: "is not" is written ~=',
    ["if n <> 1 then n = 2 end"] = 'Lua has no `<>`: "is not" is written ~=',
    ["if n => 1 then n = 2 end"] = 'Lua has no `=>`: "at least" is written >=',
    ["if n =< 1 then n = 2 end"] = 'Lua has no `=<`: "at most" is written <=',
    ["if n =~ 1 then n = 2 end"] = 'Lua has no `=~`: "is not" is written ~=; for a pattern write x:find("pattern")',
    ["if n is 1 then n = 2 end"] = 'Lua has no `is`: "is" is written ==',
    ["if n is not 1 then n = 2 end"] = 'Lua has no `is`: "is not" is written ~=',
    ["if n in { 1, 2 } then n = 2 end"] = '`in` is for loops only: write x == "a" or x == "b"',
    ["if n not in { 1, 2 } then n = 2 end"] = 'Lua has no `not in`: write x ~= "a" and x ~= "b"',
    ["if n < 10% then n = 2 end"] = "10% is not a number: write 10: sample() and throttles are percent already",
    ["if n > 20MB then n = 2 end"] = "20MB is not a number: write 20 * 1024 * 1024",
    ["n = 20_000_000"] = "20_000_000 is not a number: write 20000000",
    ["if n > 20,000,000 then n = 2 end"] = "a number has no commas: write 20000000",
    ["n--\nif n == 4 then n = 2 end"] = "`--` after `n` begins a comment: write n = n - 1",
    ["if n-- > 0 then n = 2 end"] = { 3, "`--` after `n` begins a comment: write n = n - 1" },
    ["if n == 1 AND size == 2 then n = 2 end"] = "Lua has no `AND`: write and",
    ["for i = 1, 3 do continue end"] = "Lua has no `continue`: turn the condition round: if ... then ... end around "
      .. "the rest of the loop",
    ['if "a" in size then n = 2 end'] = '`in` is for loops only: write x:find("a", 1, true)',
    ["n > 5"] = "a line that begins with a value and `>` does nothing with it: write return, or local x =, before it",
    ["function (x) return x end"] = "a function without a name, which nothing takes: write return before it where it "
      .. "is the rule, else local function and a name",
    ["return ignore(too large)"] = "the `)` of the `(` of line 3 is missing before `large`: text needs "
      .. "quotes around it",
    ["if (n == 1 then n = 2 end"] = "`)` is missing before `then`: write ) there",
    ["if n:find('\\d+') then n = 2 end"] = "the string '\\d+': invalid escape sequence: in a pattern write %d; for a "
      .. "backslash \\\\",
    ["n = { '0' = 'defer' }"] = '`=` after a key of a table: write ["0"] = value',
    ["n = { zero: 'defer' }"] = "`:` after a key of a table: write zero = value",
    ["n = { ['0'] = 'defer' ['1'] = 'accept' }"] = 'a comma is missing before ["1"]: write one',
    ["if n == 1 than n = 2 end"] = "Lua has no `than`: write then",
    ["if n == 1 then return ignore('a') edn"] = "`end` is missing for the `if` of line 3: did you mean end, for edn?",
    ["if n == 1 then\nn = 2\nend if\nlocal m = 3"] = { 5, "Lua has no `end if`: write end" },
    ["if n == 1, size == 2 then n = 2 end"] = "`then` is missing before `,`: between two conditions write and",
    ["if n == 1 and if size == 2 then n = 2 end"] = "a value is missing before `if`: one `if` is enough: remove "
      .. "this one",
    ["if n > 20 bytes then n = 2 end"] = "`then` is missing before `bytes`: a number has no unit: remove it",
    ["for i = 1; i < 5; i++ do end"] = "`;` in a for: write for i = first, last do",
    ["return ignore('a') if n == 1"] = "an `if` behind what it is about: the condition comes first: write if ... then "
      .. "... end",
    ["return ignore(reason = 'a')"] = '`=` between ( and ): arguments have no names, only an order: "is" is written '
      .. "==; else remove the name and its =",
    ["break"] = "break outside of a loop: a rule ends with return",

    ["n++"] = "Lua has no `++`: write n = n + 1", ["++n"] = "Lua has no `++`: write n = n + 1",
    ["local m == 5"] = "`==` compares: a value is set with =",

    ["return accept(n, ['normal'])"] = LIST .. 'write { "normal" }',
    ["return accept(n, { ['normal'], ['b'] })"] = LIST .. 'write { "normal" }',
    ["local t = { 'a' => 1 }"] = 'Lua has no `=>`: in a table write ["key"] = value',
    ["if object:key == 'a' then n = 2 end"] = "`:key` calls a function: write object.key",
    ["if size:sub == 'a' then n = 2 end"] = "`:sub` needs its arguments: write size:sub(...)",
    ["<<<<<<< HEAD\nn = 2\n=======\nn = 3\n>>>>>>> it's"] = CONFLICT, ["=======\nn = 3\n>>>>>>> it's"] = CONFLICT,
    ["return ignore('a')\nn = 2"] = { 4, "`end` is missing for the `function` of line 1, before `n`: write end where "
      .. "it ends; nothing may follow return in its block" },
  } do
    it(("%q"):format(line):gsub("\\\n", " "), function()
      local number, words = 3, problem
      if type(problem) == "table" then number, words = problem[1], problem[2] end
      assert.equal(number .. ": " .. words, problem_of(in_a_rule(line)))
    end)
  end

  it("a line after the last return", function()
    assert.equal("2: `local` after `return`: nothing may follow return in its block: put it above, or remove it",
      problem_of("return function(object) return ignore('x') end\nlocal n = 1\n"))
  end)

  it("but not where the same names are the script's own", function()
    local text = "local fi, case, done = {}, 1, tostring\nfi.x = case // 2\ndone(case)\nlocal x = case +\n"
    assert.matches("^5: a value is missing before the end of the file", problem_of(text))
  end)
end)
