#!/bin/bash
# What CI runs: all checks, and the table of make bench, which fails nothing unless it
# breaks. The last line is "N passed, N failed", whatever happened.
set -euo pipefail

if [ $# -ne 0 ]; then
    echo "Usage: run_circle.sh" >&2
    exit 2
fi
cd "$(dirname "$0")/.."

# The total is held back to be the last line: make has a word of its own after a failure.
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
