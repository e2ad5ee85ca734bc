#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deploy/monitoring: prometheusrule.yaml must be made of rules.yaml, every alert have a page in docs/runbooks, a test
# where it fires and one where it doesn't; promtool then checks and tests the rules. Without promtool, and with all
# else well, the status is 77. With --update prometheusrule.yaml is written anew.
# Usage: check-monitoring.sh [--update] [ROOT]
set -eu
update=
if [ "${1:-}" = --update ]; then
    update=1
    shift
fi
cd "${1:-$(dirname "$0")/..}"
folder=deploy/monitoring
failed=0
say() {
    echo "monitoring: $1"
    failed=1
}

temporary=$(mktemp)
trap 'rm -f "$temporary"' EXIT
{
    echo "# SPDX-License-Identifier: Apache-2.0"
    # shellcheck disable=SC2016
    echo '# For the Prometheus operator. Made of rules.yaml by `tools/check-monitoring.sh --update`.'
    cat <<'HEAD'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: cleat
  namespace: cleat-system
  labels:
    app.kubernetes.io/name: cleat
spec:
HEAD
    sed -n '/^groups:/,$p' "$folder/rules.yaml" | sed 's/^\(.\)/  \1/'
} >"$temporary"
if [ -n "$update" ]; then
    cp "$temporary" "$folder/prometheusrule.yaml"
    chmod 644 "$folder/prometheusrule.yaml"
    echo "monitoring: $folder/prometheusrule.yaml written"
    exit 0
elif ! diff -u "$folder/prometheusrule.yaml" "$temporary"; then
    say "prometheusrule.yaml isn't made of rules.yaml; run 'tools/check-monitoring.sh --update'"
fi

alerts=$(sed -n 's/^ *- alert: //p' "$folder/rules.yaml")
[ -n "$alerts" ] || say "rules.yaml has no alerts"
for alert in $alerts; do
    page=docs/runbooks/$alert.md
    grep -q "runbook_url: $page\$" "$folder/rules.yaml" || say "$alert has no runbook_url: $page"
    grep -q "($alert.md)" docs/runbooks/README.md || say "docs/runbooks/README.md doesn't name $alert"
    grep -q "^# $alert: fires\$" "$folder/rules_test.yaml" || say "$alert isn't tested to fire"
    [ "$(grep -c "^# $alert: " "$folder/rules_test.yaml")" -ge 2 ] || say "$alert isn't tested to stay quiet"
    if [ ! -f "$page" ]; then
        say "$page is missing"
        continue
    fi
    for part in Meaning Impact Diagnosis Mitigation; do
        grep -q "^## $part\$" "$page" || say "$page has no part $part"
    done
done
for page in docs/runbooks/*.md; do
    name=$(basename "$page" .md)
    [ "$name" = README ] || echo "$alerts" | grep -qx "$name" || say "$page is about no alert"
done
[ "$failed" = 0 ] || exit 1

if ! command -v promtool >/dev/null; then
    echo "monitoring: all well, but there is no promtool to test the rules with"
    exit 77
fi
promtool check rules "$folder/rules.yaml" >"$temporary" 2>&1 || { cat "$temporary"; exit 1; }
(cd "$folder" && promtool test rules rules_test.yaml) >"$temporary" 2>&1 || { cat "$temporary"; exit 1; }
echo "monitoring: $(echo "$alerts" | wc -l) alerts, each with a page and tested"
