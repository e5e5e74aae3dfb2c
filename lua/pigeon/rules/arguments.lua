--- How many arguments Pigeon's own words take: all of them, and never more.
return { accept = 2, defer = 1, ignore = 1, exchange = 2, crash_id = 1, sample = 2 }
