--- The table of `make bench`, or its JSON.
local bill = require "spec.support.bill"
local cjson = require "cjson"

local report = { progress = false }

local rows = {}

--- What is measured now, where somebody watches.
function report.progress_of(what)
  if report.progress then io.stderr:write("\r\27[K", what) end
end

-- What a unit is of what the driver measures: nanoseconds, and kB.
local SCALES <const> = { us = 1e3, ms = 1e6, kB = 1 }

--- A row {name, unit, of} of what drive() measured of two programs. of: "wall", "cpu" or "peak", or a function
-- that makes a figure of it.
function report.compare(row, least, pigeon)
  local function figure(found)
    return (type(row.of) == "function" and row.of(found) or found[row.of]) / SCALES[row.unit]
  end
  row.floor, row.pigeon = figure(least), figure(pigeon)
  row.noise = figure(pigeon.again) / figure(pigeon.once)
  row.of = nil
  report.add(row)
end

--- A row {name, unit, floor, pigeon, noise}. `most` is the limit of the ratio, or of the value where there is no floor.
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
  local line = "%-43s %7s %7s %6s %7s %5s"
  print((line:format("median", "floor", "Pigeon", "ratio", "at most", "noise")))
  for _, row in ipairs(rows) do
    local unit = row.unit ~= "" and ", " .. row.unit or ""
    local most = row.most and number(row.most) .. (row.holds and "" or " !") or ""
    print((line:format(row.name .. unit, number(row.floor), number(row.pigeon), number(row.ratio), most,
      number(row.noise))))
  end
  print("\nnoise: Pigeon beside itself, half of its turns by the other half\n" .. bill.WORDS)
end

--- All rows, for people or as JSON.
function report.print(with_json)
  report.progress_of("")
  if with_json then print(cjson.encode(rows)) else print_table() end
end

return report
