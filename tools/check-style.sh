#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a compiler doesn't see: banned calls, clock reads outside the clock, missing licence lines, leftovers,
# paths of somebody's machine. Files above 800 lines and functions above 70 are listed, but don't fail.
# Usage: check-style.sh [source directory]
set -eu
cd "${1:-$(dirname "$0")/..}"

list_files() {
    find . \( -name .git -o -name 'build' -o -name 'build-*' -o -name .cache \) -prune -o -type f "$@" -print |
        sed 's|^\./||' | sort
}

failures=0

# In C the words must be calls, outside comments and strings.
list_files \( -name '*.c' -o -name '*.h' \) | xargs awk '
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
code ~ pattern["memory"] && FILENAME != "base/mem.c" && FILENAME !~ /^examples\// {
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
for file in $(list_files \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.sh' -o -name '*.cmake' \
    -o -name 'CMakeLists.txt' -o -name 'Makefile' -o -name '*.map' \)); do
    if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
        echo "$file:1: no SPDX line"
        failures=1
    fi
done

# Leftovers and machine paths, in everything that is text. This file holds the patterns itself.
texts=$(list_files \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.cmake' -o -name '*.md' \
    -o -name '*.yaml' -o -name '*.sh' -o -name 'Makefile' -o -name 'CMakeLists.txt' -o -name '*.json' \) |
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
