#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The table of tools/faults.sh: adds up by name, and fails for what must not be.
set -eu
faults=$(cd "$(dirname "$0")/../../tools" && pwd)/faults.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

# expect RESULT WHAT LINE…: the table of these lines gives RESULT.
expect() {
    wanted=$1
    what=$2
    shift 2
    printf '%s\n' "$@" >"$scratch/log"
    result=0
    "$faults" --table "$scratch/log" >"$scratch/output" 2>&1 || result=$?
    if [ "$result" -ne "$wanted" ]; then
        echo "faults.sh gave $result, not $wanted, for: $what"
        cat "$scratch/output"
        status=1
    fi
}

good='runs=1 injections=10 least=5 crashes=0 leaks=0 wrong=0 note=of something'
expect 0 "good lines among others" "Running suite" "TALLY name=b $good" "TALLY name=a $good" "TALLY name=b $good"
grep -qxF '| b | 2 | 20 | 0 | 0 | 0 | of something |' "$scratch/output" || { echo "not added up"; status=1; }
grep -qxF '| **all** | 3 | 30 | 0 | 0 | 0 | |' "$scratch/output" || { echo "no sum"; status=1; }
[ "$(sed -n 3p "$scratch/output" | cut -c1-4)" = "| a " ] || { echo "not in order"; status=1; }
expect 1 "no line" "nothing here"
expect 1 "a crash" "TALLY name=a runs=1 injections=9 least=0 crashes=1 leaks=0 wrong=0 note="
expect 1 "a leak" "TALLY name=a runs=1 injections=9 least=0 crashes=0 leaks=1 wrong=0 note="
expect 1 "a wrong answer" "TALLY name=a runs=1 injections=9 least=0 crashes=0 leaks=0 wrong=1 note="
expect 1 "too little" "TALLY name=a runs=1 injections=9 least=10 crashes=0 leaks=0 wrong=0 note="
expect 1 "nothing at all" "TALLY name=a runs=1 injections=0 least=0 crashes=0 leaks=0 wrong=0 note="
[ "$status" -ne 0 ] || echo "faults: the table is right"
exit "$status"
