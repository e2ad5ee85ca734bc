#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the tests that break things on purpose and prints what all of them did as one table; with --update also
# puts the table into docs/reliability.md. Fails where a test failed, or where none said what it did.
# Usage: faults.sh [--update] BUILD_DIR [argument of ctest]…
#        faults.sh --table LOG    only the table of a log
set -eu
cd "$(dirname "$0")/.."

# The lines "TALLY name=… runs=… injections=… least=… crashes=… leaks=… wrong=… note=…" of a log, added up by
# name. Fails where anything is wrong or a row fell short of its least.
table() {
    awk '
    /^TALLY name=/ {
        split("", value)
        line = substr($0, 7)
        at = index(line, " note=")
        note = at ? substr(line, at + 6) : ""
        count = split(at ? substr(line, 1, at - 1) : line, words, " ")
        for (i = 1; i <= count; i++) {
            equals = index(words[i], "=")
            value[substr(words[i], 1, equals - 1)] = substr(words[i], equals + 1)
        }
        name = value["name"]
        if (!(name in runs)) { names[++rows] = name; notes[name] = note }
        runs[name] += value["runs"]; injections[name] += value["injections"]; least[name] += value["least"]
        crashes[name] += value["crashes"]; leaks[name] += value["leaks"]; wrong[name] += value["wrong"]
    }
    END {
        for (i = 2; i <= rows; i++)
            for (j = i; j > 1 && names[j] < names[j - 1]; j--) {
                swap = names[j]; names[j] = names[j - 1]; names[j - 1] = swap
            }
        print "| fault | runs | injections | crashes | leaks | wrong | what |"
        print "|---|---|---|---|---|---|---|"
        for (i = 1; i <= rows; i++) {
            name = names[i]
            printf "| %s | %d | %d | %d | %d | %d | %s |\n", name, runs[name], injections[name],
                crashes[name], leaks[name], wrong[name], notes[name]
            all_runs += runs[name]; all += injections[name]
            bad += crashes[name] + leaks[name] + wrong[name]
            all_crashes += crashes[name]; all_leaks += leaks[name]; all_wrong += wrong[name]
            if (injections[name] < least[name] || injections[name] == 0) void = void " " name
        }
        printf "| **all** | %d | %d | %d | %d | %d | |\n", all_runs, all, all_crashes, all_leaks, all_wrong
        if (void != "") print "too little to mean anything:" void >"/dev/stderr"
        exit rows == 0 || bad > 0 || void != ""
    }' "$1"
}

# Puts a table between the marks of the document.
update() {
    awk -v table="$1" '
    /<!-- end of the table -->/ { inside = 0 }
    !inside { print }
    /<!-- table of make faults -->/ {
        inside = 1
        print ""
        while ((getline line < table) > 0) print line
        print ""
    }' docs/reliability.md >"$2"
    cat "$2" >docs/reliability.md
}

if [ "${1-}" = --table ]; then
    table "$2"
    exit
fi
update=
if [ "${1-}" = --update ]; then
    update=1
    shift
fi
build=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0
rm -f "$build/Testing/Temporary/LastTest.log"
ctest --test-dir "$build" --output-on-failure -L '^fault$' "$@" || status=1
echo
table "$build/Testing/Temporary/LastTest.log" >"$scratch/table" || {
    echo "faults: something went wrong, or too little was done"
    status=1
}
cat "$scratch/table"
[ -z "$update" ] || update "$scratch/table" "$scratch/document"
exit "$status"
