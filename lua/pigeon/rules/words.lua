--- The words a rules script may use, and no others: plain data in luacheck's own form for
-- read_globals, and Lua 5.1, because luacheck runs on that.
return {
  -- verdicts, and a destination that is not a queue
  "accept", "defer", "ignore", "exchange",
  -- to decide with
  "queues", "env", "crash_id", "sample",
  -- of Lua, without pcall, coroutine and metatables: they could catch a spent budget
  "ipairs", "pairs", "select", "type", "tostring", "tonumber", "error", "assert",

  -- without rep, dump and pack: one call of rep or pack can take all memory
  string = { fields = {
    "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match",
    "packsize", "reverse", "sub", "unpack", "upper",
  } },
  table = { fields = { "concat", "insert", "remove", "sort", "unpack" } },
  -- without random: a retry must decide the same
  math = { fields = {
    "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "huge",
    "log", "max", "maxinteger", "min", "mininteger", "modf", "pi", "rad", "sin", "sqrt",
    "tan", "tointeger", "type", "ult",
  } },
}
