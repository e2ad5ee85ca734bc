#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the benchmarks, one line of JSON each. The last lines are what is made of several of them.
# Usage: bench.sh BUILD_DIR [PODS]
# The caches are loaded from an embedded API server with PODS (100,000) pods and a tenth of them.
set -eu
build=$1
pods=${2:-100000}
tenth=$((pods / 10))
changes=${BENCH_CHANGES:-10000}
work=$(mktemp -d)
server='' client=''

end() {
    for pid in $client $server; do
        kill "$pid" 2>/dev/null || true # it may have ended by itself
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap end EXIT
trap 'exit 1' INT TERM

# Waits for line $2 of those that begin with $3 in file $1, and prints it without its first word.
line() {
    tries=0
    while [ "$(grep -c "^$3" "$1" || true)" -lt "$2" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 2400 ]; then
            echo "bench.sh: no $3 in two minutes: $(cat "$1")" >&2
            exit 1
        fi
        sleep 0.05
    done
    grep "^$3" "$1" | sed -n "$2p" | sed 's/^[A-Z]* *//'
}

field() { # NAME JSON
    printf '%s\n' "$2" | sed "s/.*\"$1\":\([0-9.]*\).*/\1/"
}

server_start() { # PODS
    rm -f "$work/orders"
    mkfifo "$work/orders"
    exec 3<>"$work/orders"
    : >"$work/server"
    "$build/bench/serve_pods" "$1" --write-kubeconfig "$work/config" <"$work/orders" >"$work/server" &
    server=$!
    line "$work/server" 1 READY >/dev/null
}

server_stop() {
    kill "$server"
    wait "$server" || true
    server=''
}

# Loads a cache and prints what it took (also: $printed). RATE: changes a second that follow, or 0.
client_run() { # PROGRAM PODS FIELDS RATE
    : >"$work/client"
    "$build/bench/$1" --kubeconfig "$work/config" --resource v1/pods --fields "$3" >"$work/client" &
    client=$!
    line "$work/client" 1 SYNCED >/dev/null
    sleep 1 # what comes behind the load: reconciles of all, memory that is given back
    kill -USR1 "$client"
    result=$(line "$work/client" 1 COUNT)
    if [ "$4" -gt 0 ]; then
        done=$(grep -c '^CHANGED' "$work/server" || true)
        echo "$changes $4" >&3
        line "$work/server" $((done + 1)) CHANGED >/dev/null
        sleep 0.5
        kill -USR1 "$client"
        after=$(line "$work/client" 2 COUNT)
        spent=$(echo "$(field cpu_seconds "$after") $(field cpu_seconds "$result") \
            $(field events "$after") $(field events "$result")" |
            awk '{ printf "%.1f", ($1 - $2) * 1e6 / ($3 - $4) }')
        printed="{\"bench\":\"$1\",\"pods\":$2,\"fields\":\"$3\",\"changes_per_second\":$4,\"cpu_us_per_change\":$spent}"
    else
        printed="{\"bench\":\"$1\",\"pods\":$2,\"fields\":\"$3\",${result#\{}"
    fi
    kill "$client"
    wait "$client" || true
    client=''
    printf '%s\n' "$printed"
}

# Bytes of resident memory for each more pod.
growth() { # FIELDS SMALL LARGE
    echo "$(field rss_kb "$2") $(field rss_kb "$3") $pods $tenth" |
        awk -v fields="$1" '{ printf "{\"figure\":\"resident growth per pod\",\"fields\":\"%s\",\"bytes\":%d}\n", \
            fields, ($2 - $1) * 1024 / ($3 - $4) }'
}

"$build/bench/pods" 20000 >"$work/pods.json"
echo "{\"bench\":\"value\",$("$build/bench/value" "$work/pods.json" | sed 's/^{//')"
rm "$work/pods.json"
echo "{\"bench\":\"queue\",$("$build/bench/queue" | sed 's/^{//')"
echo "{\"bench\":\"handshake\",$("$build/bench/handshake" | sed 's/^{//')"

server_start "$tenth"
client_run cache "$tenth" all 0
small_all=$printed
client_run cache "$tenth" metadata 0
small_metadata=$printed
for rate in 500 2000 10000; do
    client_run reconcile "$tenth" all "$rate"
done
server_stop

server_start "$pods"
client_run cache "$pods" all 0
large_all=$printed
client_run cache "$pods" metadata 0
large_metadata=$printed
client_run reconcile "$pods" all 0
client_run reconcile "$pods" all 2000
server_stop

growth all "$small_all" "$large_all"
growth metadata "$small_metadata" "$large_metadata"
echo "$(field peak_rss_kb "$large_all") $(field rss_kb "$large_all")" |
    awk '{ printf "{\"figure\":\"peak to steady resident\",\"ratio\":%.3f}\n", $1 / $2 }'
echo "bench.sh: webhook needs a load generator: $build/bench/webhook --port N --cert FILE --key FILE" >&2
