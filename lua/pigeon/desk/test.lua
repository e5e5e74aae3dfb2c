--- `pigeon test`: its usage. busted.lua runs the specs, in a Lua of its own.
return {
  usage = [[
Usage: pigeon test [OPTION...] [SPEC...]
       pigeon test --init DIR
Runs specs of rules: busted, under Lua 5.4, with require("pigeon.testing").
It needs Debian's lua5.4, lua-busted and lua-cjson, and no broker.
  SPEC    a file, or a folder of files that end in _spec.lua; else spec/, or
          this folder
  OPTION  busted's own: --filter "a name", --tags TAG, --output TAP, --shuffle
          and more: busted --help lists them; and these:
  --coverage[=MIN]  lists the decisions that no spec reaches: each verdict,
          each destination that is put into a list for accept(), and each
          condition that was never true or never false (comparisons, and what
          if, while, and, or, not look at). Status 1 below MIN percent
  --lcov FILE  writes the same for genhtml and other tools; implies --coverage
  --mutate[=MIN]  where all tests pass: changes the scripts, one place at a time
          (operators, constants, verdicts, dropped statements, throttles), runs
          the specs against each, and lists the changes that no spec notices.
          Those that pigeon diff cannot tell from the script do not count.
          Status 1 below MIN percent; without MIN it is only a report
  --init DIR  runs nothing: writes a first spec of DIR/rules.lua, which expects
          what the rules decide today, and annotations for the Lua language
          server; replaces no file. PIGEON_QUEUE is taken from the environment
Reports go to stdout, or to stderr where --output is for a program. busted's
own --coverage, which counts lines with luacov, is -c here.
An example:
  local testing = require("pigeon.testing")
  local rules = testing.load("rules.lua", { PIGEON_QUEUE = "normal" })
  it("accepts a 1", function()
    assert.accepts(rules, "v2/raw_crash/.../00007bd0-...1180313", { "normal" })
  end)
There are assert.defers, assert.ignores and assert.fails(rules, key) too; where
one fails, the explanation of the key is shown.
Status 1: a test failed, no test ran, or a spec without filters has no test.
]],
}
