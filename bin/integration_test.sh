#!/bin/sh
# Sends one event of each kind through Pigeon (spec/fixtures/sample_keys) and reads the
# queue: the accepted crash id must be there once, and nothing else. Declares a queue of its
# own, and deletes it.
#
# Usage: integration_test.sh
#
# Pigeon reads the PIGEON_* variables; without PIGEON_HOST it publishes to the private
# broker (bin/rabbitmq start). Status 1 when an answer or the queue is wrong.
set -eu
[ "${1:-}" != --help ] || exec sed -n '2,/^set/s/^# \{0,1\}//p' "$0"

root=$(cd "$(dirname "$0")/.." && pwd)
consume=$root/build/tools/consume

if [ $# -gt 0 ]; then
    sed -n 's/^# \(Usage.*\)/\1/p' "$0" >&2
    exit 2
fi
if [ ! -x "$consume" ]; then
    echo "integration_test.sh: nothing is built yet, run: make build" >&2
    exit 1
fi
if [ -z "${PIGEON_HOST:-}" ]; then
    env=$("$root/bin/rabbitmq" env)
    eval "$env"
fi

PIGEON_QUEUE=pigeon-integration-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
export PIGEON_QUEUE
log=$(mktemp)
trap '"$consume" --delete "$PIGEON_QUEUE" || :; rm -f "$log"' EXIT
trap 'exit 130' HUP INT TERM
"$consume" --declare "$PIGEON_QUEUE"

expected=
failed=
while read -r kind key || [ "$kind" ]; do
    if answer=$("$root/bin/generate_event" --key "$key" | "$root/bin/run_invoke.sh" 2>"$log"); then
        result=ok
    else
        result=FAILED
        failed=yes
    fi
    printf '%-6s  %-10s  %s\n' "$result" "$kind" "$key"
    if [ "$result" = FAILED ]; then
        echo "answer: $answer"
        cat "$log"
    fi
    if [ "$kind" = accepted ]; then
        expected="item: ${key##*/}"
    fi
done <"$root/spec/fixtures/sample_keys"

arrived=$("$consume" "$PIGEON_QUEUE")
if [ -z "$expected" ]; then
    echo "FAILED  no key of spec/fixtures/sample_keys is \"accepted\", so nothing had to arrive"
    failed=yes
elif [ "$arrived" = "$expected" ]; then
    printf '%-6s  %-10s  %s\n' ok arrived "$arrived"
else
    printf '%-6s  %-10s  %s\n' FAILED arrived "${arrived:-nothing}" "" expected "$expected"
    failed=yes
fi
[ -z "$failed" ]
