-- What luacheck accepts, run from the project's root. It runs this in Lua 5.1.
std = "lua54"

files["spec"] = { std = "+busted" }

-- A rules script has the words of Pigeon and no others.
files["spec/simulation/task"] = { std = "none", read_globals = dofile("lua/pigeon/rules/words.lua") }
files["rules"] = { std = "none", read_globals = dofile("lua/pigeon/rules/words.lua") }
