-- luacheck's configuration, for runs from the project's root. luacheck reads it with Lua 5.1.
std = "lua54"

files["spec"] = { std = "+busted" }

-- A rules script has the words of Pigeon and no others.
files["spec/simulation/task"] = { std = "none", read_globals = dofile("lua/pigeon/rules/words.lua") }
files["rules"] = { std = "none", read_globals = dofile("lua/pigeon/rules/words.lua") }

-- Annotations for editors; scripts for the specs of pigeon check.
exclude_files = { "rules/types", "spec/fixtures/faulty", "spec/fixtures/right", "build" }
