#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every libFuzzer program of a build for some seconds, on a copy of its seeds in the build directory.
# Usage: fuzz.sh BUILD_DIR SECONDS
set -eu
build=$1
seconds=$2
cd "$(dirname "$0")/.."

for program in "$build"/fuzz/fuzz_*; do
    [ -x "$program" ] || continue
    entry=$(basename "$program")
    entry=${entry#fuzz_}
    corpus=$build/corpus/$entry
    mkdir -p "$corpus"
    [ ! -d "tests/fuzz/$entry" ] || cp -R "tests/fuzz/$entry/." "$corpus"
    echo "== $entry, $seconds s"
    "$program" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 -artifact_prefix="$build/" "$corpus"
done
