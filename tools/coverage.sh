#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lines and branches that the suite took, per source file and folder, from a build with --coverage.
# Usage: coverage.sh BUILD_DIR
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "$0")/.." && pwd)

# gcov writes its reports where it runs; only its summary is wanted.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
find "$build/CMakeFiles" -path '*/cleat_*' -name '*.gcda' | sort | while IFS= read -r data; do
    gcov -b -c "$data" 2>/dev/null
done | awk -v source="$source/" '
/^File / {
    name = $0
    sub(/^File ./, "", name)
    sub(/.$/, "", name)
    ours = index(name, source) == 1 && name ~ /\.c$/
    name = substr(name, length(source) + 1)
}
ours && /^Lines executed/ { split($0, parts, /[:% ]+/); lines[name] = parts[3] }
ours && /^Taken at least once/ {
    split($0, parts, /[:% ]+/)
    branches[name] = parts[5]
    folder = name
    sub(/\/.*/, "", folder)
    taken[folder] += parts[5] * parts[7] / 100
    total[folder] += parts[7]
    ours = 0
}
END {
    for (name in branches) printf "%-40s lines %6.2f%%  branches %6.2f%%\n", name, lines[name], branches[name] | "sort"
    close("sort")
    for (folder in total) printf "%-40s branches %.1f%% of %d\n", folder "/", 100 * taken[folder] / total[folder], total[folder] | "sort"
}'
