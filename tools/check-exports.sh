#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares what a shared library exports with its list in tests/exports, and with what the public headers
# declare as exported. With --update the list is written anew.
# Usage: check-exports.sh [--update] LIBRARY LIST [HEADER PATTERN]
set -eu
update=
if [ "$1" = --update ]; then
    update=1
    shift
fi
library=$1
list=$2
cd "$(dirname "$0")/.."
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

nm -D --defined-only "$library" | awk '$2 ~ /[TDBRVW]/ { sub(/@.*/, "", $3); print $3 }' |
    grep -v -e '^__' -e '^_init$' -e '^_fini$' | LC_ALL=C sort >"$temporary/exported"
if [ -n "$update" ]; then
    cp "$temporary/exported" "$list"
    echo "exports: $(wc -l <"$list") symbols written to $list"
    exit 0
fi

# Declarations may run over several lines: the name is the word before the first parenthesis.
cat include/cleat/*.h | awk '
/^CLEAT_EXPORT/ { text = ""; inside = 1 }
inside {
    text = text " " $0
    if (text ~ /[(;]/) {
        inside = 0
        gsub(/CLEAT_[A-Z_]+/, "", text)
        sub(/[(;].*/, "", text)
        n = split(text, words, /[ *]+/)
        while (n > 0 && words[n] == "") n--
        print words[n]
    }
}' | LC_ALL=C sort >"$temporary/declared_all"
case $list in
*apiserver*) grep '^cleat_apiserver_' "$temporary/declared_all" >"$temporary/declared" || true ;;
*) grep -v '^cleat_apiserver_' "$temporary/declared_all" >"$temporary/declared" || true ;;
esac

status=0
if ! diff -u "$list" "$temporary/exported"; then
    echo "exports: differ from $list; if that is meant, run 'make exports'"
    status=1
fi
LC_ALL=C comm -23 "$temporary/declared" "$temporary/exported" >"$temporary/missing"
if [ -s "$temporary/missing" ]; then
    sed 's/^/declared, but not in the library: /' "$temporary/missing"
    status=1
fi
LC_ALL=C comm -13 "$temporary/declared" "$temporary/exported" >"$temporary/undeclared"
if [ -s "$temporary/undeclared" ]; then
    sed 's/^/exported, but in no public header: /' "$temporary/undeclared"
    status=1
fi
[ "$status" -ne 0 ] || echo "exports: $(wc -l <"$temporary/exported") symbols as listed"
exit "$status"
