#!/bin/bash
# A cluster on loopback: three RabbitMQ nodes, 1, 2 and 3, and the quorum queue "crashes"
# with a replica on each. A node is a bin/rabbitmq of its own folder in build/cluster.
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
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$root/build/cluster
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
        echo $((first + 60)) | tee "$dir/epmd.port" >"$dir/$node/epmd.port"
        (umask 077 && printf %s "$cookie" >"$dir/$node/.erlang.cookie")
        chmod 400 "$dir/$node/.erlang.cookie"
        {
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

kill_node() {
    local pid
    pid=$(cat "$dir/$1/broker.pid" 2>/dev/null) || return 0
    # A pid may have been given to somebody else since.
    [[ ! /proc/$pid/cwd -ef $dir/$1 ]] || kill -KILL "$pid"
}

end() {
    local node
    trap - EXIT
    # Whoever is starting one holds its lock.
    for node in 1 2 3; do
        (flock 9 && kill_node "$node") 9>"$dir/$node/lock"
    done
    [[ -z $epmd ]] || kill "$epmd" 2>/dev/null || :
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
    epmd=
    trap end EXIT
    trap 'exit 1' HUP INT TERM
    prepare
    epmd -port "$(cat epmd.port)" -address 127.0.0.1 </dev/null &
    epmd=$!
    for node in 1 2 3; do
        rabbitmq "$node" start --keep </dev/null &
        starts+=($!)
    done
    for node in "${starts[@]}"; do wait "$node"; done
    await_members
    rabbitmq 1 eval "rabbit_amqqueue:declare($queue, true, false, $arguments, none, <<\"spec\">>)." >declared
    touch ready
    while read -r _; do :; done
}

# Until each of the three knows all of them: under load one may have begun a cluster of its own.
await_members() {
    # RabbitMQ 3 has all/0, 4 has list_members/0.
    local ask='length(try rabbit_nodes:list_members() catch error:undef -> rabbit_nodes:all() end).'
    local node members try
    for try in {1..300}; do
        members=
        for node in 1 2 3; do
            members+=$(rabbitmq "$node" eval "$ask" 2>&1) || :
        done
        [[ $members != 333 ]] || return 0
        sleep 0.2
    done
    echo "cluster: after $try looks the nodes know this many members, one after the other: $members" >&2
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
    run | wait | env | leader) [[ $# -eq 1 ]] || usage ;;
    port | kill | kill_busy | start | runs) [[ $# -eq 2 && $node == [123] ]] || usage ;;
    *) usage ;;
esac
case $command in
    run) run ;;
    wait) wait_ready ;;
    env) env_lines ;;
    leader) leader ;;
    port) cat "$dir/$node/port" ;;
    kill) kill_node "$node" ;;
    kill_busy) kill_busy "$node" ;;
    start) rabbitmq "$node" start --keep ;;
    runs) rabbitmq "$node" env >/dev/null 2>&1 ;;
esac
