--- The table of `make bench`, or its JSON.
local bill = require "spec.support.bill"
local cjson = require "cjson"

local report = { progress = false }

local rows = {}

--- What is measured now, where somebody watches.
function report.progress_of(what)
  if report.progress then io.stderr:write("\r\27[K", what) end
end

--- A row {name, unit, floor, pigeon}. `most` is the limit of the ratio, or of the value where there is no floor.
function report.add(row)
  if row.floor then row.ratio = row.pigeon / row.floor end
  if row.most then row.holds = (row.ratio or row.pigeon) <= row.most end
  if row.most_value then row.holds = row.holds and row.pigeon <= row.most_value end
  rows[#rows + 1] = row
end

local function number(value)
  return value and (value < 100 and "%.2f" or "%.0f"):format(value) or ""
end

local function print_table()
  local line = "%-45s %8s %8s %6s %8s"
  print((line:format("median", "floor", "Pigeon", "ratio", "at most")))
  for _, row in ipairs(rows) do
    local unit = row.unit ~= "" and ", " .. row.unit or ""
    local most = row.most and number(row.most) .. (row.holds and "" or " !") or ""
    print((line:format(row.name .. unit, number(row.floor), number(row.pigeon), number(row.ratio), most)))
  end
  print("\n" .. bill.WORDS)
end

--- All rows, for people or as JSON.
function report.print(with_json)
  report.progress_of("")
  if with_json then print(cjson.encode(rows)) else print_table() end
end

return report
