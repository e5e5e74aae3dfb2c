#!/bin/bash
# What CI runs: all checks, then make bench, which fails only if it breaks. What failed is told
# once more at the end, and the last line is always "N passed, N failed".
#
# Usage: run_circle.sh
set -euo pipefail
[ "${1:-}" != --help ] || exec sed -n '2,/^set/s/^# \{0,1\}//p' "$0"

if [ $# -ne 0 ]; then
    sed -n 's/^# \(Usage.*\)/\1/p' "$0" >&2
    exit 2
fi
cd "$(dirname "$0")/.."

# Prints failures and total last, because make and the bench print more after them.
failures=""
total="0 passed, 1 failed"
while IFS= read -r line; do
    if [[ $line =~ ^[0-9]+\ passed,\ [0-9]+\ failed$ ]]; then
        total=$line
    elif [[ $failures || $line == "Failed, once more:" ]]; then
        failures+=$line$'\n'
    else
        printf '%s\n' "$line"
    fi
done < <(make check 2>&1)
status=0
wait $! || status=$?

if ! make bench 2>&1; then
    status=1
    failures=${failures:-$'Failed, once more:\n'}$'FAILED make bench\n'
    count=${total##* passed, }
    total="${total%% *} passed, $((${count% failed} + 1)) failed"
fi

printf '%s%s\n' "$failures" "$total"
exit $status
