#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The table of locks in ARCHITECTURE.md must have the classes of base/lock_classes.def in their order, and every
# name that a thread is started with must be in the table of threads.
# Usage: check-locks.sh [source directory]
set -eu
cd "${1:-$(dirname "$0")/..}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

sed -n 's/^CLEAT_LOCK_CLASS(\([A-Z_]*\), "\(.*\)").*/\1 | \2/p' base/lock_classes.def >"$scratch/classes"
sed -n 's/^| \([A-Z][A-Z_]*\) | \([^|]*\) | .*/\1 | \2/p' ARCHITECTURE.md >"$scratch/documented"
diff -u "$scratch/classes" "$scratch/documented" || {
    echo "ARCHITECTURE.md: the table of locks isn't base/lock_classes.def"
    status=1
}

# Names given as text; those that are formatted are looked for by what stands before the slash.
grep -rhoE 'cleat_(thread|ticker)_start\([^"]*"[a-z/]+"|snprintf\(name, sizeof\(name\), "(work|jobs|http)/' \
    base client controller certs apiserver server kinds | sed 's/[^"]*"\([a-z]*\).*/\1/' | sort -u >"$scratch/threads"
while read -r name; do
    grep -qE "^\| .*\`$name[\`/]" ARCHITECTURE.md || {
        echo "ARCHITECTURE.md: thread $name isn't in the table"
        status=1
    }
done <"$scratch/threads"
[ "$status" -eq 0 ] && echo "locks: $(wc -l <"$scratch/classes") classes, $(wc -l <"$scratch/threads") names of threads"
exit "$status"
