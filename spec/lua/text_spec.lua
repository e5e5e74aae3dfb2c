local clean = require("pigeon.text").clean

describe("text.clean", function()
  for _, case in ipairs {
    { "plain text stays", "v2/raw_crash/~ x", "v2/raw_crash/~ x" },
    { "nothing stays nothing", "", "" },
    { "UTF-8 stays", "é\u{FFFD}日本\u{10FFFF}", "é\u{FFFD}日本\u{10FFFF}" },
    { "control characters become spaces", "a\nb\0c\x7fd\x1be", "a b c d e" },
    { "C1 controls become spaces", "a\u{80}b\u{85}c\u{9f}d\u{a0}", "a b c d\u{a0}" },
    { "a bare byte becomes U+FFFD", "a\xffb\x80", "a\u{FFFD}b\u{FFFD}" },
    { "a sequence cut short becomes U+FFFD", "\xe6\x97x\xc3", "\u{FFFD}\u{FFFD}x\u{FFFD}" },
    { "overlong forms become U+FFFD", "\xc0\xaf", "\u{FFFD}\u{FFFD}" },
    { "surrogates become U+FFFD", "\xed\xa0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}" },
    { "what is above U+10FFFF becomes U+FFFD", "\xf4\x90\x80\x80", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}" },
  } do
    it(case[1], function()
      assert.equal(case[3], clean(case[2], 100))
    end)
  end

  it("cuts, and says so", function()
    assert.equal("abc...", clean("abcdef", 3))
    assert.equal("abcdef", clean("abcdef", 6))
  end)

  it("never cuts through a character", function()
    for limit = 1, 12 do
      local cut = clean("日本日本日本", limit)
      assert.is_truthy(utf8.len(cut))
      assert.is_nil(cut:find("\u{FFFD}", 1, true))
    end
  end)

  it("makes any bytes valid and free of controls", function()
    math.randomseed(7)
    for _ = 1, 2000 do
      local bytes = {}
      for i = 1, math.random(40) do
        bytes[i] = string.char(math.random(0, 255))
      end
      local cleaned = clean(table.concat(bytes), 30)
      assert.is_truthy(utf8.len(cleaned))
      for _, code in utf8.codes(cleaned) do
        assert.is_true(code >= 32 and code < 127 or code >= 160)
      end
    end
  end)
end)
