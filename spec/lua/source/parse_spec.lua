local source = require "pigeon.source"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function scripts()
  local list, pipe = {}, assert(io.popen("ls rules/*.lua lua/pigeon/*.lua lua/pigeon/*/*.lua lua/pigeon/*/*/*.lua"))
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  return list
end

local function parse(text)
  return assert(source.parse(text, "rules.lua"))
end

-- The nodes of a kind, in the order of the text.
local function nodes(text, kind)
  local list = {}
  source.walk(parse(text), function(node)
    if node.kind == kind then list[#list + 1] = node end
  end)
  return list
end

local function written(text, node)
  return text:sub(node.first, node.last)
end

describe("source.parse", function()
  it("gives every node its bytes, within those of its parent, and its line", function()
    local count = 0
    for _, path in ipairs(scripts()) do
      local text = read(path)
      source.walk(parse(text), function(node, parent)
        count = count + 1
        local _, breaks = text:sub(1, node.first - 1):gsub("\n", "")
        assert.equal(breaks + 1, node.line, path .. node.kind)
        assert.is_true(not parent or node.first >= parent.first and node.last <= parent.last, path .. node.kind)
      end)
    end
    assert.is_true(count > 10000)
  end)

  it("gives expressions the bytes that Lua reads as the same value", function()
    for _, path in ipairs(scripts()) do
      local text = read(path)
      source.walk(parse(text), function(node)
        if (node.kind == "String" and not node.bare) or node.kind == "Number" then
          assert.equal(node.value, load("return " .. written(text, node))())
        elseif node.kind == "Binop" or node.kind == "Unop" or node.kind == "Call" or node.kind == "Table" then
          assert(load(("return function(...) return %s\nend"):format(written(text, node))), written(text, node))
        end
      end)
    end
  end)

  for text, tree in pairs {
    ["1 + 2 * 3"] = "(1 + (2 * 3))", ["1 - 2 - 3"] = "((1 - 2) - 3)", ["1 .. 2 .. 3"] = "(1 .. (2 .. 3))",
    ["2 ^ 3 ^ 4"] = "(2 ^ (3 ^ 4))", ["-2 ^ 2"] = "(- (2 ^ 2))", ["not a == b"] = "((not a) == b)",
    ["a or b and c"] = "(a or (b and c))", ["a < b == c"] = "((a < b) == c)", ["1 << 2 + 3"] = "(1 << (2 + 3))",
    ["a & b | c ~ d"] = "((a & b) | (c ~ d))", ["#a + 1"] = "((# a) + 1)", ["2 ^ -3"] = "(2 ^ (- 3))",
  } do
    it("binds operators as Lua does: " .. text, function()
      local function show(node)
        if node.kind == "Binop" then return ("(%s %s %s)"):format(show(node.left), node.op, show(node.right)) end
        if node.kind == "Unop" then return ("(%s %s)"):format(node.op, show(node.operand)) end
        return node.kind == "Name" and node.name or ("%d"):format(node.value)
      end
      assert.equal(tree, show(parse("return " .. text)[1].values[1]))
    end)
  end

  it("has the bytes of an operator, and the line that Lua gives a call", function()
    local text = "return a\n  <= f\n  (1)"
    local binop, call = nodes(text, "Binop")[1], nodes(text, "Call")[1]
    assert.equal("<=", text:sub(binop.op_first, binop.op_last))
    assert.equal(2, binop.op_line)
    assert.same({ 2, 3 }, { call.line, call.call_line })
  end)

  it("resolves names to their locals", function()
    local text = "local a = 1\nlocal function f(a, b)\n  local a = a + b\n  return a, c\nend\n"
      .. "for a = a, 2 do f(a) end\nreturn a"
    local lines = {}
    for _, name in ipairs(nodes(text, "Name")) do
      if not name.declares then
        lines[#lines + 1] = ("%d: %s of %s"):format(name.line, name.name, name.declaration and
          name.declaration.declares .. " " .. name.declaration.line or "nowhere")
      end
    end
    assert.same({ "3: a of parameter 2", "3: b of parameter 2", "4: a of local 3", "4: c of nowhere", "6: a of local 1",
      "6: f of local 2", "6: a of loop 6", "7: a of local 1" }, lines)
  end)

  it("sees the locals of a repeat in its condition, and self in a method", function()
    assert.equal(1, nodes("repeat local x = 1 until x", "Name")[2].declaration.line)
    local use = nodes("local t = {} function t:m() return self end", "Name")[3]
    assert.equal("self", use.declaration.declares)
  end)

  for name, case in pairs {
    ["a byte order mark"] = { "\xEF\xBB\xBFreturn x", 1 }, ["a #! line"] = { "#!/usr/bin/lua\nreturn x", 2 },
    ["CR alone"] = { "-- a\rlocal y\rreturn x", 3 }, ["CR LF"] = { "-- a\r\nlocal y\r\nreturn x", 3 },
    ["a long string before"] = { "local y = [[\n\n]]\nreturn x", 4 },
    ["a long comment before"] = { "--[==[\n]]\n]==]\nreturn x", 4 },
  } do
    it("takes a text with " .. name, function()
      local names = nodes(case[1], "Name")
      assert.equal(case[2], names[#names].line)
      assert.equal("x", written(case[1], names[#names]))
    end)
  end

  local function broken(text)
    local tree, problem = source.parse(text, "rules.lua")
    assert.is_nil(tree)
    assert.equal("rules.lua", problem.file)
    return ("%d: %s"):format(problem.line, problem.what)
  end

  it("ends where things are nested too deep, as Lua does", function()
    local DEEP = "1: nested more than 200 deep (each `..` counts)"
    assert.equal(DEEP, broken("return " .. ("("):rep(250) .. "1" .. (")"):rep(250)))
    assert.equal(DEEP, broken("return 'a'" .. (" .. 'a'"):rep(250)))
    assert.equal(DEEP, broken(("do "):rep(250) .. ("end "):rep(250)))
    assert.matches("^1: ", broken("return " .. ("{"):rep(100000)))
    parse("return " .. ("("):rep(90) .. "1" .. (")"):rep(90))
  end)

  for text, problem in pairs {
    ["goto nowhere"] = "1: no visible label 'nowhere' for <goto> at line 1",
    ["local x <const> = 1\nx = 2"] = "2: attempt to assign to const variable 'x'",
    ["break"] = "1: break outside of a loop",
    ["\nreturn 3x"] = "2: 3x is not a number",
    ["x = '\\q'"] = "1: the string '\\q': invalid escape sequence",
    ["x = 'a\n'"] = "1: a string has no end on its line",
    ["x = [[a"] = "1: a long string has no end", ["--[[ a"] = "1: a long comment has no end",
    ["return 1 end"] = "1: `end`, but nothing is open here",
    ["return 1 return 2"] = "1: `return` after `return`",
    ["x += 1"] = "1: Lua has no `+=`", ["if a & & b then end"] = "1: Lua has no `&&`",
    ["if a || b then end"] = "1: Lua has no `||`", ["if !a then end"] = "1: Lua has no `!`",
    ["if a = b then end"] = "1: `=` in a condition; it sets a value",
    ["if a = = b then end"] = "1: `=` in a condition; it sets a value",
    ["f() = 1"] = "1: `=` sets a value, and only a name or a field can have one",
    ["return function() return ... end"] = "1: `...` in a function that takes none",
    ["x = a ? b : c"] = "1: Lua has no `?`", ["x = é"] = '1: "é" outside of a string',
    ["x = 1\xC2\xA0"] = "1: a space that does not break (U+00A0)", ["x = \1"] = "1: the byte 0x01 outside of a string",
    ["\27Lua"] = "1: compiled Lua, not a script", ["local 5 = 5"] = "1: the local's name is missing before `5`",
  } do
    it(("says in words what is wrong with %q"):format(text):gsub("\n", ""), function()
      assert.equal(problem, broken(text))
      assert.is_nil(load(text, "=x", "t"))
    end)
  end

  -- Tokens of real scripts, dropped, doubled and swapped: Lua and this parser agree on what loads.
  it("takes what Lua takes, and nothing else", function()
    local tokens = require "pigeon.source.tokens"
    local random, loaded = 7, 0
    local function pick(most)
      random = (random * 1103515245 + 12345) % 2147483648
      return random // 65536 % most + 1
    end
    local texts = { read "rules/bucket.lua", read "lua/pigeon/text.lua",
      "::a:: local x <const> = 1 while x do break end goto a" }
    for _ = 1, 1000 do
      local text, parts = texts[pick(#texts)], {}
      for i, token in ipairs(tokens.read(text)) do parts[i] = text:sub(token.first, token.last) end
      local i, j = pick(#parts), pick(#parts)
      local what = pick(4)
      if what == 1 then parts[i] = "" elseif what == 2 then parts[i] = parts[j]
      elseif what == 3 then parts[i], parts[j] = parts[j], parts[i] else parts[i] = parts[i] .. " " .. parts[j] end
      local changed = "\n" .. table.concat(parts, " ") -- a # that is first is for another spec
      local tree, problem = source.parse(changed, "x")
      assert.equal(load(changed, "=x", "t") ~= nil, tree ~= nil, changed .. "\n" .. (problem and problem.what or ""))
      loaded = loaded + (tree and 1 or 0)
    end
    assert.is_true(loaded > 30 and loaded < 970)
  end)
end)

describe("source.walk", function()
  it("leaves out the children of a node where visit returns false", function()
    local kinds = {}
    source.walk(parse("f(function() g() end)"), function(node)
      kinds[#kinds + 1] = node.kind
      return node.kind ~= "Function"
    end)
    assert.same({ "Block", "Call", "Name", "Function" }, kinds)
  end)
end)
