--- For the simulation: a shadow script that differs from the rules, and breaks on some objects.
return function(object)
  local id = crash_id(object.key)
  if not id then return ignore("not a crash id") end
  if id:find("^.......3") then error("this one breaks") end
  if id:find("^.......5") then return defer("another opinion") end
  return accept(id, { "normal" })
end
