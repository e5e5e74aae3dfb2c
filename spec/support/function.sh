#!/bin/bash
# A function for the local Lambda that does what its arguments say, one after the other, and
# then begins anew. It writes the replies of the Runtime API to stdout, one a line.
#
#   next                 takes an event
#   next_at_last         asks until it gets one
#   size                 writes how many bytes the event has
#   headers              writes the headers that the event came with
#   env NAME             writes a variable
#   respond BODY         answers; BODY - is the event itself
#   respond_big N        answers with N bytes
#   respond_streaming M  answers with this response mode
#   break                begins an answer and closes the connection in the middle
#   fail TYPE BODY       answers with an error
#   init_error TYPE BODY
#   post PATH            below the version's path, with the body "x"
#   get PATH
#   exit N, hang
#   deaf                 to SIGTERM from now on
#   on_term N            writes "bye" on SIGTERM and exits with N
# PATH may name the event's id as ID.
set -eu
export LC_ALL=C

event='' id='' headers=''

# request METHOD PATH [HEADER...], the body on stdin; sets code, headers and body.
request() {
    local line method=$1 path=$2
    shift 2
    exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
    {
        printf '%s /2018-06-01%s HTTP/1.1\r\nHost: lambda\r\nConnection: close\r\n' "$method" "$path"
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
        echo "event"
        ;;
    next_at_last)
        code=0
        while [[ $code != 200 ]]; do request GET /runtime/invocation/next </dev/null; done
        ;;
    size) echo "size ${#event}" ;;
    headers) printf %s "$headers" ;;
    env) echo "$2=${!2:-}" ;;
    respond) if [[ $2 == - ]]; then respond "$event"; else respond "$2"; fi ;;
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
    hang) exec sleep 1000 ;;
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
        fail | init_error) step "$verb" "$first" "$rest" ;;
        *) step "$verb" "$first${rest:+ $rest}" ;;
        esac
    done
done
