local html = require "pigeon.desk.page.html"

-- As a browser shows it, with the escapes in brackets.
local function shown(bytes)
  return (html.text(bytes):gsub('<span class="escape">(.-)</span>', "[%1]"))
end

describe("a text of HTML", function()
  local CASES = {
    { "plain ASCII", "v2/raw_crash/a-b_c.d", "v2/raw_crash/a-b_c.d" },
    { "nothing", "", "" },
    { "a tag", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;" },
    { "an entity and quotes", [[&lt;"']], "&amp;lt;&quot;&#39;" },
    { "the end of a style", "]]></style>", "]]&gt;&lt;/style&gt;" },
    { "letters of other languages", "\u{E4}\u{4E2D}\u{1F426}", "\u{E4}\u{4E2D}\u{1F426}" },
    { "control characters", "a\0\t\n\r\x1B\x7Fb", [[a[\x00\t\n\r\x1B\x7F]b]] },
    { "C1 control characters", "\u{85}\u{9F}\u{A0}", "[\\u{85}\\u{9F}]\u{A0}" },
    { "marks that change the direction", "\u{200E}\u{200F}\u{061C}\u{202A}\u{202E}\u{2066}\u{2069}",
      "[\\u{200E}\\u{200F}\\u{61C}\\u{202A}\\u{202E}\\u{2066}\\u{2069}]" },
    { "what nobody sees", "\u{AD}\u{200B}\u{2060}\u{FEFF}\u{2028}\u{E0041}\u{FE0F}",
      "[\\u{AD}\\u{200B}\\u{2060}\\u{FEFF}\\u{2028}\\u{E0041}\\u{FE0F}]" },
    { "bytes that are not UTF-8", "a\xFF\xC3<\xE2\x82", [=[a[\xFF\xC3]&lt;[\xE2\x82]]=] },
    { "surrogates and what is too long", "\xED\xA0\x80\xC0\xAF", [=[[\xED\xA0\x80\xC0\xAF]]=] },
    { "a text that looks like an escape", [[\x00]], [[\x00]] },
  }
  for _, case in ipairs(CASES) do
    it("has " .. case[1], function() assert.equal(case[3], shown(case[2])) end)
  end

  it("keeps letters from right to left together, and nothing that follows them", function()
    assert.equal('a/<bdi dir="rtl">\u{5D0}\u{5D1}</bdi>/1-<bdi dir="rtl">\u{628}</bdi>.exe',
      html.text("a/\u{5D0}\u{5D1}/1-\u{628}.exe"))
  end)

  it("has nothing of HTML in it but its own elements, whatever the bytes", function()
    math.randomseed(7)
    for _ = 1, 300 do
      local bytes = {}
      for i = 1, math.random(0, 1024) do
        bytes[i] = string.char(math.random(4) == 1 and ("<>&\"'"):byte(math.random(5)) or math.random(0, 255))
      end
      local text = html.text(table.concat(bytes))
      assert.is_truthy(utf8.len(text))
      local rest = text:gsub('<span class="escape">[\\%w{}]+</span>', ""):gsub('</?bdi[ dirtl="]*>', "")
        :gsub("&%a+;", ""):gsub("&#39;", "")
      assert.is_nil(rest:find("[<>&\"'%c]"))
    end
  end)

  it("is an element of its own", function()
    assert.equal('<bdi dir="ltr">&lt;</bdi>', html.quote("<"))
  end)
end)

describe("a number", function()
  it("has commas", function()
    local numbers = { 0, 7, 999, 1000, 123456, 1000000, 1234567890 }
    for i, number in ipairs { "0", "7", "999", "1,000", "123,456", "1,000,000", "1,234,567,890" } do
      assert.equal(number, html.number(numbers[i]))
    end
  end)

  it("is one line, or several", function()
    assert.same({ "0 lines", "1 line", "2,000 lines" },
      { html.count(0, "line"), html.count(1, "line"), html.count(2000, "line") })
  end)
end)
