#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A code block that follows a comment with a file's name must be that file, and both examples must be shown.
# Usage: check-readme.sh [source directory]
set -eu
cd "${1:-$(dirname "$0")/..}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

awk -v scratch="$scratch" '
/^<!-- [A-Za-z0-9_\/.-]+ -->$/ { file = $2; next }
/^```/ && inside { inside = 0; close(out); next }
/^```/ && file != "" {
    inside = 1
    out = scratch "/" ++count
    printf "" >out
    print count, file
    file = ""
    next
}
inside { print >out }
NF { file = "" }' README.md >"$scratch/blocks"

status=0
while read -r number file; do
    diff -u "$file" "$scratch/$number" || {
        echo "README.md: the block differs from $file"
        status=1
    }
done <"$scratch/blocks"
for file in examples/controller.c examples/webhook.c; do
    grep -q " $file\$" "$scratch/blocks" || {
        echo "README.md: $file isn't shown"
        status=1
    }
done

# Links to files of the tree lead somewhere, in every document.
for document in *.md docs/*.md; do
    folder=$(dirname "$document")
    grep -oE '\]\([^)#:]+' "$document" | sed 's/^](//' | while read -r target; do
        [ -e "$folder/$target" ] || echo "$document: no $target"
    done
done >"$scratch/links"
if [ -s "$scratch/links" ]; then
    cat "$scratch/links"
    status=1
fi
[ "$status" -eq 0 ] && echo "readme: $(wc -l <"$scratch/blocks") blocks as their files"
exit "$status"
