#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a compiler doesn't see: banned calls, clock reads outside the clock, missing licence lines, leftovers,
# paths of somebody's machine. Files above 800 lines and functions above 70 are listed, but don't fail.
# Usage: check-style.sh [source directory]
set -eu
cd "${1:-$(dirname "$0")/..}"

# Files of the tree by the endings of their names: what git knows or would add, else all but builds.
list_files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -co --exclude-standard -- "$@" | while IFS= read -r file; do
            [ ! -f "$file" ] || printf '%s\n' "$file"
        done
    else
        for pattern in "$@"; do
            find . \( -name .git -o -name 'build' -o -name 'build-*' \) -prune -o \
                -type f -name "$pattern" -print | sed 's|^\./||'
        done
    fi | LC_ALL=C sort -u
}

failures=0

# In C the words must be calls, outside comments and strings.
list_files '*.c' '*.h' | xargs awk '
BEGIN {
    everywhere = "strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|gmtime|localtime|gmtime_r|" \
                 "localtime_r|mktime|rand|srand|random|srandom|system|popen|asprintf|vasprintf"
    memory = "malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|free|strdup|strndup"
    clock = "clock_gettime|gettimeofday|time|getrandom|getentropy"
    asleep = "sleep|usleep|nanosleep|clock_nanosleep"
    call("everywhere", everywhere)
    call("memory", memory)
    call("clock", clock)
    call("asleep", asleep)
}

function call(kind, words) {
    pattern[kind] = "(^|[^A-Za-z0-9_.>])(" words ")[ \t]*\\("
}

function bad(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failures++
}

# The line without strings and comments.
function code_of(line) {
    gsub(/\\./, "", line)
    gsub(/"[^"]*"/, "\"\"", line)
    if (in_comment) {
        if (line !~ /\*\//) return ""
        sub(/^.*\*\//, "", line)
        in_comment = 0
    }
    gsub(/\/\*[^*]*\*+([^\/*][^*]*\*+)*\//, "", line)
    if (line ~ /\/\*/) {
        sub(/\/\*.*/, "", line)
        in_comment = 1
    }
    sub(/\/\/.*/, "", line)
    return line
}

function file_end() {
    if (file != "" && lines > 800) printf "note: %s has %d lines\n", file, lines
}

FNR == 1 {
    file_end()
    file = FILENAME
    in_comment = 0
    depth_start = 0
}

{
    lines = FNR
    code = code_of($0)
}

code ~ pattern["everywhere"] { bad("banned call: " $0) }
code ~ pattern["memory"] && FILENAME != "base/mem.c" && FILENAME !~ /^(examples|tests|bench)\// {
    bad("memory only through base/mem.h: " $0)
}
code ~ pattern["clock"] && FILENAME != "base/clock.c" && FILENAME !~ /^(examples|bench)\// {
    bad("clocks and randomness only through struct cleat_clock: " $0)
}
code ~ pattern["asleep"] && FILENAME !~ /^examples\// { bad("no sleeping: " $0) }

# A function starts with a brace alone in the first column and ends with one.
/^\{/ { start = FNR }
/^\}/ && start {
    if (FNR - start > 70 && $0 !~ /;/) printf "note: %s:%d: function of %d lines\n", FILENAME, start, FNR - start
    start = 0
}

END {
    file_end()
    exit failures > 0
}' || failures=1

# Licence line within the first three lines.
for file in $(list_files '*.c' '*.h' '*.def' '*.sh' '*.cmake' '*CMakeLists.txt' '*Makefile' '*.map'); do
    if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
        echo "$file:1: no SPDX line"
        failures=1
    fi
done

# Leftovers and machine paths, in everything that is text. This file holds the patterns itself.
texts=$(list_files '*.c' '*.h' '*.def' '*.cmake' '*.md' '*.yaml' '*.sh' '*Makefile' '*CMakeLists.txt' '*.json' |
    grep -v -e '^tools/check-style\.sh$' -e '^tests/fuzz/.*/' -e '^tests/cases/')
if printf '%s\n' "$texts" | xargs grep -nwE 'TODO|FIXME|XXX'; then
    echo "leftover notes above"
    failures=1
fi
if printf '%s\n' "$texts" |
    xargs grep -nE '(^|[^A-Za-z0-9_.$}])(/work/|/home/[a-z]|/Users/|/root/)|/tmp/build|\.\./shared/'; then
    echo "paths of one machine above"
    failures=1
fi

[ "$failures" -eq 0 ] && echo "style: clean"
exit "$failures"
