#!/bin/sh
# Sends an event to Pigeon as Lambda does. Prints the answer on stdout, and the function's log
# on stderr. Status 1 when the answer is an error.
#
# Usage: run_invoke.sh <EVENT      the log is at DEBUG, unless AWS_LAMBDA_LOG_LEVEL is set
#
# Pigeon reads the PIGEON_* variables; without PIGEON_HOST it publishes to the private
# broker (bin/rabbitmq start). INFO has no line for a key that was deferred; DEBUG has.
set -eu
[ "${1:-}" != --help ] || exec sed -n '2,/^set/s/^# \{0,1\}//p' "$0"

root=$(cd "$(dirname "$0")/.." && pwd)

if [ $# -gt 0 ]; then
    sed -n 's/^# \(Usage.*\)/\1/p' "$0" >&2
    exit 2
fi
for program in bootstrap tools/lambda; do
    if [ ! -x "$root/build/$program" ]; then
        echo "run_invoke.sh: build/$program is not built yet, run: make build" >&2
        exit 1
    fi
done
if [ -z "${PIGEON_HOST:-}" ]; then
    env=$("$root/bin/rabbitmq" env)
    eval "$env"
fi
event=$(cat)
if [ -z "$(printf %s "$event" | tr -d '[:space:]')" ]; then
    echo "run_invoke.sh: no event on stdin" >&2
    exit 2
fi
export AWS_LAMBDA_LOG_LEVEL="${AWS_LAMBDA_LOG_LEVEL:-DEBUG}"
# Lambda waits 0.5 s for the end, which does not belong to the answer here.
printf '%s\n' "$event" | "$root/build/tools/lambda" --grace 10000 -- "$root/build/bootstrap"
