#!/bin/bash
# What CI runs: all checks, then make bench, which fails only if it breaks. The last line is
# always "N passed, N failed".
#
# Usage: run_circle.sh
set -euo pipefail
[ "${1:-}" != --help ] || exec sed -n '2,/^set/s/^# \{0,1\}//p' "$0"

if [ $# -ne 0 ]; then
    sed -n 's/^# \(Usage.*\)/\1/p' "$0" >&2
    exit 2
fi
cd "$(dirname "$0")/.."

# Prints the total last, because make prints more after a failure.
total="0 passed, 1 failed"
while IFS= read -r line; do
    if [[ $line =~ ^[0-9]+\ passed,\ [0-9]+\ failed$ ]]; then
        total=$line
    else
        printf '%s\n' "$line"
    fi
done < <(make check 2>&1)
status=0
wait $! || status=$?

make bench 2>&1 || status=1

echo "$total"
exit $status
