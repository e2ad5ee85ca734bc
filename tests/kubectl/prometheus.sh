#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A real Prometheus scrapes a real server as in a cluster: over TLS by the CA from the Secret, with the token of somebody
# who is bound to cleat-metrics-reader. It loads the alert rules, of which none may fire, and answers every query of the
# dashboard. Ends with 77 without kubectl, prometheus or promtool.
# Usage: prometheus.sh CLEAT SOURCE_DIR
set -eu
cleat=$1
source=$2
for program in kubectl prometheus promtool; do
    command -v "$program" >/dev/null || exit 77
done

root=$(mktemp -d)
servers=
finish() {
    for server in $servers; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    rm -rf "$root"
}
trap finish EXIT
trap 'exit 1' INT TERM
export HOME="$root" KUBECACHEDIR="$root/cache" KUBECONFIG="$root/admin"
unset KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT || true

fail() {
    echo "$*"
    for log in serve prometheus; do
        echo "---- $log"
        tail -20 "$root/$log.log" 2>/dev/null || true
    done
    exit 1
}

# until_true COMMAND…: again and again, for a minute.
until_true() {
    tries=0
    until "$@" >"$root/output" 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "never: $*: $(cat "$root/output")"
        sleep 0.2
    done
}

# api_server NAME [FLAGS…]: starts one; its port is in $port, its process in $started.
api_server() {
    name=$1
    shift
    "$cleat" apiserver --write-kubeconfig "$root/$name" "$@" >"$root/$name.url" 2>"$root/$name.log" &
    started=$!
    servers="$started $servers"
    until_true test -s "$root/$name.url"
    port=$(sed 's/.*://' "$root/$name.url")
}

# A port that was free a moment ago.
free_port() {
    api_server "port$1"
    kill "$started"
    wait "$started" || true
}

free_port 1 && webhook=$port
free_port 2 && metrics=$port
free_port 3 && web=$port
# Kubernetes' CSV: token, user, uid.
echo 'scrape-token,prometheus,u-1' >"$root/tokens"
api_server admin --rbac --token-file "$root/tokens"
"$cleat" manifests --crds | kubectl apply --validate=false -f - >"$root/output" 2>&1 || fail "$(cat "$root/output")"
"$cleat" manifests --webhook-url "https://127.0.0.1:$webhook" |
    kubectl apply --validate=false -f - >"$root/output" 2>&1 || fail "$(cat "$root/output")"

"$cleat" serve --leader-elect --webhook-url "https://127.0.0.1:$webhook" --webhook-bind-address "127.0.0.1:$webhook" \
    --metrics-bind-address "127.0.0.1:$metrics" --health-probe-bind-address 0 2>"$root/serve.log" &
servers="$! $servers"
until_true kubectl get secret cleat-webhook-cert --namespace cleat-system
kubectl get secret cleat-webhook-cert --namespace cleat-system -o 'jsonpath={.data.ca\.crt}' | base64 -d >"$root/ca.crt"
kubectl create configmap settings --namespace default --from-literal=a=b >"$root/output"
kubectl create namespace team >"$root/output"
cat >"$root/mirror.yaml" <<'END'
apiVersion: cleat.dev/v1alpha1
kind: Mirror
metadata: {name: settings}
spec:
  source: {kind: ConfigMap, namespace: default, name: settings}
  targets: {namespaces: [team]}
END
until_true kubectl apply --validate=false -f "$root/mirror.yaml"

printf 'scrape-token' >"$root/token"
cat >"$root/prometheus.yaml" <<END
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$source/deploy/monitoring/rules.yaml]
scrape_configs:
- job_name: cleat
  scheme: https
  authorization: {credentials_file: $root/token}
  tls_config: {ca_file: $root/ca.crt, server_name: cleat.cleat-system.svc}
  static_configs: [{targets: ["127.0.0.1:$metrics"]}]
END
prometheus --config.file="$root/prometheus.yaml" --storage.tsdb.path="$root/data" \
    --web.listen-address="127.0.0.1:$web" >"$root/prometheus.log" 2>&1 &
servers="$! $servers"

query() {
    promtool query instant "http://127.0.0.1:$web" "$1" 2>&1
}
# holds QUERY: it has a result.
holds() {
    query "$1" | grep -q '=>'
}

# Not before it is bound to the role.
until_true holds 'up{job="cleat"} == 0'
kubectl create clusterrolebinding reader --clusterrole=cleat-metrics-reader --user=prometheus >"$root/output"
until_true holds 'up{job="cleat"} == 1' # a refusal counts for half a minute
until_true holds 'leader_election_master_status{job="cleat"} == 1'
until_true holds 'cleat_mirror_copies_ready{job="cleat",mirror="settings"} == 1'
until_true holds 'rate(process_cpu_seconds_total{job="cleat"}[10s])'

sed -n 's/^ *"expr": "\(.*\)",*$/\1/p' "$source/deploy/monitoring/dashboard.json" |
    sed 's/\\"/"/g; s/\$job/cleat/g; s/\$__rate_interval/10s/g' >"$root/queries"
count=0
while read -r expression; do
    count=$((count + 1))
    query "$expression" >"$root/output" || fail "$expression: $(cat "$root/output")"
    case $expression in
    *' > 0'* | *'< +Inf'*) ;; # what isn't there while all is well
    *) grep -q '=>' "$root/output" || fail "nothing for $expression" ;;
    esac
done <"$root/queries"
[ "$count" -gt 60 ] || fail "only $count queries in the dashboard"
if holds 'ALERTS{alertstate="firing"}'; then
    fail "alerts fire: $(query 'ALERTS{alertstate="firing"}')"
fi
echo "prometheus: $(query 'scrape_samples_scraped' | sed 's/.*=> \([0-9]*\).*/\1/') samples a scrape, $count queries answered"
