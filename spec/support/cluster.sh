#!/bin/bash
# A cluster on loopback: three RabbitMQ nodes, 1, 2 and 3, and the quorum queue "crashes"
# with a replica on each. A node is a bin/rabbitmq of its own folder in build/cluster
# (build/cluster-4.0 with RABBITMQ=4.0).
#
# Each node has an epmd of its own, where the other two are fault proxies before their ports:
# so the way between two nodes can be cut, and that of their clients is left alone.
#
# Usage: cluster.sh run               until its stdin ends: it cannot outlive its owner
#        cluster.sh wait              until it runs
#        cluster.sh env               the variables that lead Pigeon to it, for eval
#        cluster.sh leader            the node that leads the queue
#        cluster.sh port NODE         its port
#        cluster.sh runs NODE         whether it runs
#        cluster.sh kill NODE         kill -9
#        cluster.sh kill_busy NODE    the same, by itself, once it owes 100 confirms
#        cluster.sh start NODE        starts it again, with all that it had
#        cluster.sh stop NODE         stops it in good order
#        cluster.sh pause NODE        SIGSTOP; resume NODE: SIGCONT
#        cluster.sh cut NODE NODE     packets between these two vanish, until "heal"
#        cluster.sh apart NODE NODE   whether neither has a connection to the other any more
#        cluster.sh paused NODE       whether it paused itself, as pause_minority has it
#        cluster.sh heal              all reach each other again; returns when all are back
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$root/build/cluster${RABBITMQ:+-$RABBITMQ}
queue='{resource, <<"/">>, queue, <<"crashes">>}'
arguments='[{<<"x-queue-type">>, longstr, <<"quorum">>}]'

usage() {
    sed -n 's/^# \{0,1\}//; /^Usage/,/^set/p' "${BASH_SOURCE[0]}" | sed '/^set/d' >&2
    exit 2
}

rabbitmq() {
    local node=$1
    shift
    RABBITMQ_DIR=$dir/$node "$root/bin/rabbitmq" "$@"
}

# The first of 64 free ports, below those that the system gives to outgoing connections.
free_ports() {
    local first port taken
    taken=$(awk 'FNR > 1 {split($2, at, ":"); print at[2]}' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    while :; do
        first=$((10000 + RANDOM % 22000))
        for ((port = first; port < first + 64; port++)); do
            [[ $'\n'$taken$'\n' != *$'\n'"$(printf %04X "$port")"$'\n'* ]] || continue 2
        done
        echo "$first"
        return
    done
}

prepare() {
    local first node other cookie
    first=$(free_ports)
    cookie=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    for node in 1 2 3; do
        mkdir -p "$dir/$node"
        echo $((first + node * 20 - 20)) >"$dir/$node/port"
        echo $((first + 60 + node)) >"$dir/$node/epmd.port"
        (umask 077 && printf %s "$cookie" >"$dir/$node/.erlang.cookie")
        chmod 400 "$dir/$node/.erlang.cookie"
        {
            # What RabbitMQ advises for three zones; 4.3 with Khepri does not need it.
            echo "cluster_partition_handling = pause_minority"
            echo "net_ticktime = 8" # seconds until a silent node counts as gone; by default 60
            echo "cluster_formation.peer_discovery_backend = classic_config"
            echo "cluster_formation.discovery_retry_limit = 20"
            echo "cluster_formation.discovery_retry_interval = 500"
            for other in 1 2 3; do
                echo "cluster_formation.classic_config.nodes.$other =" \
                    "pigeon$((first + other * 20 - 20))@localhost"
            done
        } >"$dir/$node/more.conf"
    done
}

# signal_node NODE SIGNAL
signal_node() {
    local pid
    pid=$(cat "$dir/$1/broker.pid" 2>/dev/null) || return 0
    # A pid may have been given to somebody else since.
    [[ ! /proc/$pid/cwd -ef $dir/$1 ]] || kill "-$2" "$pid"
}

# ------------------------------------------------------------- the ways between the nodes

# The ordered pairs: 12 is the way of the connections that node 1 opens to node 2.
pairs=(12 13 21 23 31 32)

# known_at PORT NAME NAME_PORT: epmd at PORT knows the node for as long as this script runs.
# The request is ALIVE2_REQ of Erlang's distribution protocol.
known_at() {
    local fd length=${#2} answer
    until exec {fd}<>"/dev/tcp/127.0.0.1/$1"; do sleep 0.05; done 2>/dev/null
    # shellcheck disable=SC2059 # the format is the bytes
    printf "$(printf '\\x%02x' 0 $((13 + length)) 120 $(($3 >> 8)) $(($3 & 255)) 77 0 0 6 0 5 0 "$length")%s\0\0" \
        "$2" >&"$fd"
    answer=$(head -c4 <&"$fd" | od -An -tu1)
    [[ $answer =~ ^\ +1(18|21)\ +0\  ]] || { echo "cluster: epmd refused $2: $answer" >&2; exit 1; }
}

# The epmds and proxies; their pids are in `helpers`.
open_ways() {
    local node pair fd port
    for node in 1 2 3; do
        epmd -port "$(cat "$node/epmd.port")" -address 127.0.0.1 </dev/null &
        helpers+=($!)
    done
    for pair in "${pairs[@]}"; do
        mkfifo "way.$pair"
        exec {fd}<>"way.$pair" # open for as long as this script
        port=$(cat "${pair:1}/port")
        "$root/${BUILD:-build}/tools/proxy" $((port + 1)) <"way.$pair" >"way.$pair.answers" &
        helpers+=($!)
        until [[ -s way.$pair.answers ]]; do sleep 0.05; done
        known_at "$(cat "${pair::1}/epmd.port")" "pigeon$port" "$(head -n1 "way.$pair.answers")"
    done
}

# tell PAIR COMMAND...: the proxy has obeyed when this returns.
tell() {
    local answers=$dir/way.$1.answers before
    before=$(wc -l <"$answers")
    printf '%s\n' "${@:2}" >"$dir/way.$1"
    until (($(wc -l <"$answers") >= before + $# - 1)); do sleep 0.02; done
    ! tail -n +$((before + 1)) "$answers" | grep -v '^ok' >&2
}

# Whether neither of the two has a connection to the other.
apart() {
    local there
    there=$(is_connected "$1" "$2") && [[ $there == false ]] &&
        there=$(is_connected "$2" "$1") && [[ $there == false ]]
}

is_connected() {
    rabbitmq "$1" eval "lists:member('pigeon$(cat "$dir/$2/port")@localhost', nodes())."
}

# cut_way NODE NODE
cut_way() {
    local pair
    for pair in "$1$2" "$2$1"; do
        touch "$dir/way.$pair.cut"
        tell "$pair" "now both silence" blackhole
    done
}

# The other ways keep their connections.
heal() {
    local pair
    for pair in "${pairs[@]}"; do
        [[ -e $dir/way.$pair.cut ]] || continue
        tell "$pair" fresh
        rm "$dir/way.$pair.cut"
    done
    await_all
}

# ------------------------------------------------------------- start and end

end() {
    local node
    trap - EXIT
    # Whoever is starting one holds its lock.
    for node in 1 2 3; do
        (flock 9 && signal_node "$node" KILL) 9>"$dir/$node/lock"
    done
    [[ ${#helpers[@]} -eq 0 ]] || kill "${helpers[@]}" 2>/dev/null || :
    rm -rf "$dir"
}

run() {
    local node starts=()
    if [[ -e $dir/pid && /proc/$(cat "$dir/pid")/cwd -ef $dir ]]; then
        echo "cluster: one runs already" >&2
        exit 1
    fi
    rm -rf "$dir"
    mkdir -p "$dir"
    cd "$dir"
    echo $$ >pid
    helpers=()
    trap end EXIT
    trap 'exit 1' HUP INT TERM
    prepare
    open_ways
    for node in 1 2 3; do
        rabbitmq "$node" start --keep </dev/null &
        starts+=($!)
    done
    for node in "${starts[@]}"; do wait "$node"; done
    await_all
    rabbitmq 1 eval "rabbit_amqqueue:declare($queue, true, false, $arguments, none, <<\"spec\">>)." >declared
    touch ready
    while read -r _; do :; done
}

# Until each of the three runs and has the two others beside it: under load one may have begun
# a cluster of its own, and after a cut they come back one after the other.
await_all() {
    # RabbitMQ 3 has all/0, 4 has list_members/0.
    local members='length(try rabbit_nodes:list_members() catch error:undef -> rabbit_nodes:all() end)'
    local node seen try
    for try in {1..600}; do
        seen=
        for node in 1 2 3; do
            seen+="node $node: $(rabbitmq "$node" eval "{$members, length(nodes()), rabbit:is_running()}." 2>&1); " || :
        done
        [[ $seen != "node 1: {3,2,true}; node 2: {3,2,true}; node 3: {3,2,true}; " ]] || return 0
        sleep 0.2
    done
    echo "cluster: after $try looks, {members known, nodes connected, whether it runs}: $seen" >&2
    exit 1
}

wait_ready() {
    while [[ ! -e $dir/ready ]]; do
        [[ /proc/$(cat "$dir/pid" 2>/dev/null)/cwd -ef $dir ]] ||
            { echo "cluster: it ended before it was ready; see what \"run\" printed" >&2; exit 1; }
        sleep 0.1
    done
}

env_lines() {
    local node hosts=
    for node in 1 2 3; do hosts+=,127.0.0.1:$(cat "$dir/$node/port"); done
    rabbitmq 1 env | sed "s/^export PIGEON_HOST=.*/export PIGEON_HOST=${hosts#,}/
        s/^export PIGEON_QUEUE=.*/export PIGEON_QUEUE=crashes/"
}

kill_busy() {
    local owed='lists:sum([N || [{_, N}] <- rabbit_channel:info_all([messages_unconfirmed])])'
    local look="case $owed of N when N >= 100 -> os:cmd(\"kill -KILL \" ++ os:getpid()); _ -> Look() end"
    rabbitmq "$1" eval "spawn(fun() -> (fun Look() -> $look end)() end)."
}

# Asks the nodes in turn until one knows: none does during an election.
leader() {
    local node answer port
    while :; do
        for node in 1 2 3; do
            answer=$(rabbitmq "$node" eval "ra:members({'%2F_crashes', node()})." 2>/dev/null) || continue
            [[ $answer =~ pigeon([0-9]+)@localhost\}\}$ ]] || continue
            port=${BASH_REMATCH[1]}
            grep -lx "$port" "$dir"/[123]/port | sed 's|/port$||; s|.*/||'
            return
        done
        sleep 0.1
    done
}

[[ $# -gt 0 ]] || usage
command=$1
node=${2:-}
case $command in
    run | wait | env | leader | heal) [[ $# -eq 1 ]] || usage ;;
    port | kill | kill_busy | start | stop | pause | resume | runs | paused) [[ $# -eq 2 && $node == [123] ]] || usage ;;
    cut | apart) [[ $# -eq 3 && " ${pairs[*]} " == *" $2$3 "* ]] || usage ;;
    *) usage ;;
esac
case $command in
    run) run ;;
    wait) wait_ready ;;
    env) env_lines ;;
    leader) leader ;;
    port) cat "$dir/$node/port" ;;
    kill) signal_node "$node" KILL ;;
    pause) signal_node "$node" STOP ;;
    resume) signal_node "$node" CONT ;;
    cut) cut_way "$2" "$3" ;;
    apart) apart "$2" "$3" ;;
    heal) heal ;;
    paused) [[ $(rabbitmq "$node" eval "rabbit:is_running().") == false ]] ;;
    kill_busy) kill_busy "$node" ;;
    start) rabbitmq "$node" start --keep ;;
    stop) rabbitmq "$node" stop ;;
    runs) rabbitmq "$node" env >/dev/null 2>&1 ;;
esac
