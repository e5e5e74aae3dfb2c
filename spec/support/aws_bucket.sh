#!/bin/sh
# An aws for the specs of bin/notify: $FAKE/stack has the stack, $FAKE/bucket the notification of
# its bucket, which a put replaces as S3 does. Notes each call in $FAKE/calls.
set -eu
echo "$*" >>"$FAKE/calls"
case "$1 $2" in
"cloudformation describe-stacks") cat "$FAKE/stack" ;;
"s3api get-bucket-notification-configuration")
    [ ! -e "$FAKE/refused" ] || { echo AccessDenied >&2; exit 254; }
    cat "$FAKE/bucket"
    # what somebody else puts meanwhile
    [ ! -e "$FAKE/meanwhile" ] || mv "$FAKE/meanwhile" "$FAKE/bucket" ;;
"s3api put-bucket-notification-configuration")
    for last; do :; done
    cat "${last#file://}" >"$FAKE/bucket" ;;
*) exit 252 ;;
esac
