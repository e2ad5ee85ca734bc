#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check-monitoring.sh itself: what is planted in a copy of the tree must be found.
set -eu
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
status=0

fresh() {
    rm -rf "$root/tree"
    mkdir -p "$root/tree/deploy" "$root/tree/docs"
    cp -r "$tools/../deploy/monitoring" "$root/tree/deploy/monitoring"
    cp -r "$tools/../docs/runbooks" "$root/tree/docs/runbooks"
    cd "$root/tree"
}

# find TEXT WHAT: the check must fail and say TEXT.
find_it() {
    result=0
    "$tools/check-monitoring.sh" "$root/tree" >"$root/output" 2>&1 || result=$?
    if [ "$result" -ne 1 ] || ! grep -q "$1" "$root/output"; then
        echo "check-monitoring gave $result and not '$1' for: $2"
        cat "$root/output"
        status=1
    fi
}

fresh
rm docs/runbooks/CleatDown.md
find_it "docs/runbooks/CleatDown.md is missing" "a page that is missing"
fresh
cp docs/runbooks/CleatDown.md docs/runbooks/CleatUp.md
find_it "CleatUp.md is about no alert" "a page too many"
fresh
sed -i 's/^## Impact$/## Effect/' docs/runbooks/CleatDown.md
find_it "CleatDown.md has no part Impact" "a page without a part"
fresh
sed -i '/(CleatDown.md)/d' docs/runbooks/README.md
find_it "README.md doesn't name CleatDown" "a page that isn't listed"
fresh
sed -i 's/^# CleatDown: fires$/# CleatDown/' deploy/monitoring/rules_test.yaml
find_it "CleatDown isn't tested to fire" "an alert without its test"
fresh
sed -i 's/^# CleatQueueStuck: a burst$/# a burst/' deploy/monitoring/rules_test.yaml
find_it "CleatQueueStuck isn't tested to stay quiet" "an alert without the other test"
fresh
sed -i 's/for: 5m/for: 6m/' deploy/monitoring/rules.yaml
find_it "prometheusrule.yaml isn't made of rules.yaml" "rules that were changed alone"
fresh
sed -i '/runbook_url: .*CleatDown.md/d' deploy/monitoring/rules.yaml
find_it "CleatDown has no runbook_url" "an alert without a link"

# Without promtool all the rest is looked at.
fresh
mkdir "$root/bin"
for command in sh basename cat cp chmod diff dirname grep mktemp rm sed wc; do
    ln -s "$(command -v "$command")" "$root/bin/$command"
done
result=0
PATH="$root/bin" "$tools/check-monitoring.sh" "$root/tree" >"$root/output" 2>&1 || result=$?
[ "$result" -eq 77 ] || { echo "without promtool: $result"; cat "$root/output"; status=1; }

command -v promtool >/dev/null || exit "$([ "$status" -eq 0 ] && echo 77 || echo 1)"
fresh
sed -i 's/absent(up{job="cleat"} == 1)/up{job="cleat"} == 2/' deploy/monitoring/rules.yaml
"$tools/check-monitoring.sh" --update "$root/tree" >"$root/output"
find_it "FAILED" "a rule that doesn't fire"
fresh
sed -i 's/absent(up{job="cleat"} == 1)/absent(up{job="cleat" == 1)/' deploy/monitoring/rules.yaml
"$tools/check-monitoring.sh" --update "$root/tree" >"$root/output"
find_it "parse error" "a rule that can't be read"
[ "$status" -ne 0 ] || echo "monitoring: whatever was planted was found"
exit "$status"
