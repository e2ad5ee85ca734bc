#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails on an exported declaration in include/cleat without a docstring right above it, on empty ones, and on
# a public header that doesn't open with a paragraph.
# Usage: check-docs.sh [source directory]
set -eu
cd "${1:-$(dirname "$0")/..}"

find include/cleat -name '*.h' | sort | xargs awk '
function bad(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failures++
}

FNR == 1 { above = ""; headers++ }
FNR == 2 && $0 !~ /^\/\*/ { bad("doesn\x27t open with a paragraph about its noun") }

# A comment is remembered until something else than a declaration follows.
/^[ \t]*\/\*\*/ { comment = ""; inside = 1 }
inside { comment = comment $0 }
inside && /\*\// { inside = 0; above = comment; next }
inside { next }

/^[ \t]*CLEAT_EXPORT/ {
    declarations++
    plain = above
    gsub(/[^A-Za-z]/, "", plain)
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    if (above == "") bad("no docstring: " $0)
    else if (length(plain) < 8) bad("empty docstring: " $0)
}

{ above = "" }

END {
    printf "docs: %d headers, %d declarations, %d problems\n", headers, declarations, failures
    exit failures > 0
}' || exit 1 # not xargs' own status
