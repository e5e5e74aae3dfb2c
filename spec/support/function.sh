#!/bin/bash
# A function for the local Lambda that does what its arguments say, one after the other, and
# then begins anew. It writes the replies of the Runtime API to stdout, one a line.
#
#   next                 takes an event
#   next_at_last         asks until it gets one
#   ask, take            the two halves of next
#   size                 writes how many bytes the event has
#   headers              writes the headers that the event came with
#   env NAME             writes a variable
#   respond BODY         answers; BODY - is the event itself
#   respond_as ID BODY   answers with this invocation id; ID - is the event's own
#   respond_big N        answers with N bytes
#   respond_streaming M  answers with this response mode
#   break                begins an answer and closes the connection in the middle
#   fail TYPE BODY       answers with an error
#   init_error TYPE BODY
#   post PATH            below the version's path, with the body "x"
#   get PATH
#   register NAME BODY   an extension, by the Extensions API; NAME -: none
#   extension_next       asks for the last one's next event, and leaves the request open
#   extension_next_as ID
#   exec COMMAND
#   exit N, hang, sleep
#   deaf                 to SIGTERM from now on
#   on_term N            writes "bye" on SIGTERM and exits with N
# PATH may name the event's id as ID.
set -eu
export LC_ALL=C

event='' id='' headers='' invocation='' extension='' version=/2018-06-01

# request METHOD PATH [HEADER...], the body on stdin; sets code, headers and body.
request() {
    local line method=$1 path=$2
    shift 2
    exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
    {
        printf '%s %s HTTP/1.1\r\nHost: lambda\r\nConnection: close\r\n' "$method" "$version$path"
        [[ $# -eq 0 ]] || printf '%s\r\n' "$@"
        printf '\r\n'
        cat
    } >&3
    read -r _ code _ <&3 || exit 9
    headers=''
    while IFS=$'\r' read -r line <&3 && [[ -n $line ]]; do headers+=$line$'\n'; done
    body=$(cat <&3; echo .)
    body=${body%.}
    exec 3>&-
}

post() {
    local path=$1 data=$2
    shift 2
    request POST "$path" "Content-Length: ${#data}" "$@" < <(printf %s "$data")
    echo "$code ${body%$'\n'}"
}

respond() {
    post "/runtime/invocation/$id/response" "$@"
}

step() {
    case $1 in
    next)
        request GET /runtime/invocation/next </dev/null
        if [[ $code != 200 ]]; then
            echo "$code ${body%$'\n'}"
            return
        fi
        event=$body
        id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p' <<<"$headers")
        invocation=$(sed -n 's/^Lambda-Runtime-Invocation-Id: //p' <<<"$headers")
        echo "event"
        ;;
    ask)
        exec 5<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
        printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&5
        ;;
    take) id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: \([^\r]*\).*/\1/p' <&5) ;;
    next_at_last)
        code=0
        while [[ $code != 200 ]]; do request GET /runtime/invocation/next </dev/null; done
        ;;
    size) echo "size ${#event}" ;;
    headers) printf %s "$headers" ;;
    env) echo "$2=${!2:-}" ;;
    respond) if [[ $2 == - ]]; then respond "$event"; else respond "$2"; fi ;;
    respond_as) respond "$3" "Lambda-Runtime-Invocation-Id: ${2/#-/$invocation}" ;;
    register)
        version=/2020-01-01
        post /extension/register "$3" "Lambda-Extension-Name: ${2/#-/}"
        extension=$(sed -n 's/^Lambda-Extension-Identifier: //p' <<<"$headers")
        version=/2018-06-01
        ;;
    extension_next)
        exec 4<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
        printf 'GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: lambda\r\n%s: %s\r\n\r\n' \
            Lambda-Extension-Identifier "$extension" >&4
        ;;
    extension_next_as)
        version=/2020-01-01
        request GET /extension/event/next "Lambda-Extension-Identifier: $2" </dev/null
        version=/2018-06-01
        echo "$code ${body%$'\n'}"
        ;;
    respond_big) respond "$(head -c "$2" /dev/zero | tr '\0' x)" ;;
    respond_streaming) respond '"ok"' "Lambda-Runtime-Function-Response-Mode: $2" ;;
    break)
        exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
        printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\n' "$id" >&3
        printf 'Content-Length: 100\r\n\r\n"half' >&3
        exec 3>&-
        ;;
    fail) post "/runtime/invocation/$id/error" "$3" "Lambda-Runtime-Function-Error-Type: $2" ;;
    init_error) post /runtime/init/error "$3" "Lambda-Runtime-Function-Error-Type: $2" ;;
    post) post "${2/ID/$id}" x ;;
    get)
        request GET "$2" </dev/null
        echo "$code ${body%$'\n'}"
        ;;
    exit) exit "$2" ;;
    exec) exec "$2" ;;
    hang) exec sleep 1000 ;;
    sleep) sleep 1000 ;;
    deaf) trap '' TERM ;;
    on_term) trap 'echo bye >&2; exit '"$2" TERM ;;
    *) echo "function.sh: no such step: $1"; exit 9 ;;
    esac
}

echo "started $$"
while :; do
    for words in "$@"; do
        IFS=' ' read -r verb first rest <<<"$words"
        case $verb in
        fail | init_error | register | respond_as) step "$verb" "$first" "$rest" ;;
        *) step "$verb" "$first${rest:+ $rest}" ;;
        esac
    done
done
