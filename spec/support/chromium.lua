--- A browser without a window: shows a page and tells what became of it.
local cjson = require "cjson"
local system = require "spec.support.system"

local chromium = {}

local quote = system.quote

-- Shows a page in a frame of its own, so that it is as narrow as wanted (a window is not), with all details open, and
-- then replaces everything by what it saw.
local WRAPPER = [[
<!DOCTYPE html><meta charset="utf-8"><style>body { margin: 0 } iframe { border: 0; display: block }</style>
<iframe id="frame" style="width:%dpx;height:900px" srcdoc="%s"></iframe>
<script>
function luminance(color) {
  const part = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  return 0.2126 * part(color[0]) + 0.7152 * part(color[1]) + 0.0722 * part(color[2])
}
function numbers(color) { return color.match(/[\d.]+/g).map(Number) }
function paper(element) {
  for (; element; element = element.parentElement) {
    const color = numbers(getComputedStyle(element).backgroundColor)
    if (color[3] === undefined || color[3] > 0) return color
  }
  return [255, 255, 255]
}
function contrast(element) {
  const both = [luminance(numbers(getComputedStyle(element).color)), luminance(paper(element))].sort((a, b) => a - b)
  return (both[1] + 0.05) / (both[0] + 0.05)
}
function hasText(element) {
  return [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")
}
function look(page) {
  for (const details of page.querySelectorAll("details")) details.open = true
  const all = [...page.body.querySelectorAll("*")]
  const least = Math.min(...all.filter(hasText).map(contrast))
  const bars = [...page.querySelectorAll(".bar")]
  return {
    scroll: page.documentElement.scrollWidth, client: page.documentElement.clientWidth,
    right: Math.max(...all.map((element) => Math.ceil(element.getBoundingClientRect().right))),
    contrast: least, paper: paper(page.body), text: page.body.innerText, title: page.title,
    language: page.documentElement.lang,
    headings: [...page.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((heading) => +heading.tagName[1]),
    tables: page.querySelectorAll("table").length,
    captions: [...page.querySelectorAll("table > caption")].filter((caption) => caption.innerText.trim()).length,
    unscoped: page.querySelectorAll("th:not([scope])").length,
    active: page.querySelectorAll("script, img, iframe, object, embed, link, form, base, svg").length,
    handlers: all.filter((element) => [...element.attributes].some((it) => it.name.startsWith("on"))).length,
    bars: bars.map((bar) => Math.round(bar.getBoundingClientRect().width)),
    hidden: bars.every((bar) => bar.closest("[aria-hidden=true]")),
  }
}
addEventListener("load", () => {
  const facts = look(document.getElementById("frame").contentDocument)
  facts.hacked = "hacked" in window
  document.documentElement.innerHTML = "<body><p id='facts'>" + encodeURIComponent(JSON.stringify(facts)) + "</p>"
})
</script>
]]

-- Runs it on a file -> what it prints, and its console's lines.
local function run(path, more)
  local profile, log = system.run("mktemp -d"):gsub("\n", ""), os.tmpname()
  local ok, said = pcall(system.run, ("timeout -k 5 120 chromium --headless --no-sandbox --disable-gpu --no-first-run "
    .. "--disable-dev-shm-usage --user-data-dir=%s --enable-logging=stderr --virtual-time-budget=10000 %s %s 2>%s")
    :format(quote(profile), more, quote("file://" .. path), quote(log)))
  local console, complained = {}, system.read(log)
  for line in complained:gmatch("[^\n]*CONSOLE[^\n]*") do console[#console + 1] = line end
  os.remove(log)
  os.execute("rm -rf " .. quote(profile))
  if not ok then error(said .. "\n" .. complained, 2) end
  return said, console
end

--- Shows a file -> what its console says, a list of lines.
function chromium.console(path)
  return select(2, run(path, "--dump-dom"))
end

--- Shows a page {its bytes} so many pixels wide, dark or light -> {what the wrapper's look() saw, console = lines}.
function chromium.look(page, width, dark)
  local wrapper = os.tmpname()
  os.remove(wrapper)
  wrapper = wrapper .. ".html"
  system.write(wrapper, WRAPPER:format(width, (page:gsub("&", "&amp;"):gsub('"', "&quot;"))))
  local said, console = run(wrapper, ("--dump-dom --window-size=%d,900 --blink-settings=preferredColorScheme=%d")
    :format(width, dark and 0 or 1))
  os.remove(wrapper)
  local facts = said:match('<p id="facts">([^<]*)</p>') or error("the page was not looked at: " .. said:sub(1, 2000))
  facts = cjson.decode((facts:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)))
  facts.console = console
  return facts
end

--- Prints a file -> how many pages of paper it takes.
function chromium.print(path)
  local pdf = os.tmpname()
  run(path, "--no-pdf-header-footer --print-to-pdf=" .. quote(pdf))
  local _, pages = system.read(pdf):gsub("/Type /Page\n", "")
  os.remove(pdf)
  return pages
end

return chromium
