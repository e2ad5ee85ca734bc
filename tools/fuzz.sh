#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every libFuzzer program of a build for some seconds, on a copy of its seeds in the build directory, as many
# at once as there are processors. One line for each; what a failing one said, and its input, follow.
# Usage: fuzz.sh BUILD_DIR SECONDS
set -eu
build=$(cd "$1" && pwd)
seconds=$2
cd "$(dirname "$0")/.."

# One entry, called by xargs below.
if [ "${3-}" ]; then
    entry=$(basename "$3")
    entry=${entry#fuzz_}
    corpus=$build/corpus/$entry
    log=$build/corpus/$entry.log
    mkdir -p "$corpus"
    [ ! -d "tests/fuzz/$entry" ] || cp -R "tests/fuzz/$entry/." "$corpus"
    status=0
    "$3" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$build/crash-$entry-" "$corpus" >"$log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ "$status" -eq 0 ]; then
        echo "fuzz $entry: ok, ${runs:-0} inputs in $seconds s, $(find "$corpus" -type f | wc -l) kept"
    else
        echo "fuzz $entry: FAILED with status $status after ${runs:-?} inputs"
        tail -60 "$log"
    fi
    exit "$status"
fi

find "$build/fuzz" -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x | sort |
    xargs -n 1 -P "$(nproc 2>/dev/null || echo 1)" tools/fuzz.sh "$build" "$seconds"
