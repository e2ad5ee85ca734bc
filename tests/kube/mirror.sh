#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `cleat serve` against a real Kubernetes control plane, outside of it: tests/kube/mirror.sh CLEAT
# KUBECONFIG names a throw-away cluster and an administrator of it whose API server reaches
# 127.0.0.1; the garbage collector and the namespace controller must run. Everything is done as a
# user does it, by kubectl; the server runs as its ServiceAccount, with the roles of `cleat
# manifests` and no more. What is made here is removed at the end.
set -euo pipefail

cleat=$(readlink -f "${1:?usage: mirror.sh CLEAT}")
examples=$(cd "$(dirname "$0")/../../examples" && pwd)
: "${KUBECONFIG:?names the cluster}"
work=$(mktemp -d)
server=
steps=0

fail() {
    echo "FAILED: $*" >&2
    tail -n 15 "$work"/serve.log >&2 || true
    exit 1
}

step() {
    steps=$((steps + 1))
    echo "$steps  $*"
}

# Until the command succeeds, at most $1 seconds.
within() {
    local seconds=$1 end=$((SECONDS + $1))
    shift
    until "$@" > "$work/out" 2>&1; do
        [ $SECONDS -lt $end ] || fail "not within $seconds s: $* ($(tail -n 1 "$work/out"))"
        sleep 0.1
    done
}

# The command must fail with these words.
denied() {
    local words=$1
    shift
    if "$@" > "$work/out" 2>&1; then fail "allowed: $*"; fi
    grep -q "$words" "$work/out" || fail "other words than \"$words\": $(cat "$work/out")"
}

gone() { ! kubectl get "$@" > /dev/null 2>&1; }
# is PATH VALUE OBJECT...: the field at a JSON path.
is() {
    local path=$1 value=$2
    shift 2
    [ "$(kubectl get "$@" -o jsonpath="$path")" = "$value" ]
}
password() { is '{.data.password}' "$2" secret registry-credentials -n "$1"; }
ready() { is '{.status.conditions[?(@.type=="Ready")].reason}' "$1" mirror registry-credentials; }

port() {
    local try
    for try in 1 2 3 4 5 6 7 8 9; do
        try=$((20000 + RANDOM % 12000))
        if ! (exec 3<> "/dev/tcp/127.0.0.1/$try") 2> /dev/null; then
            echo "$try"
            return
        fi
    done
    fail "no free port"
}

clean_up() {
    trap - EXIT
    [ -z "$server" ] || kill -TERM "$server" 2> /dev/null || true
    kubectl delete mirrors --all --timeout=30s > /dev/null 2>&1 || true
    kubectl delete clusterrolebinding cleat-scraper > /dev/null 2>&1 || true
    "$cleat" manifests --webhook-url "$url" | kubectl delete --wait=false -f - > /dev/null 2>&1 || true
    "$cleat" manifests --crds | kubectl delete --wait=false -f - > /dev/null 2>&1 || true
    kubectl delete namespace --wait=false platform team-a team-b team-c other > /dev/null 2>&1 || true
    rm -rf "$work"
}

serve() {
    "$cleat" serve --kubeconfig "$work/kubeconfig" --webhook-bind-address "127.0.0.1:$webhook" \
        --webhook-url "$url" --metrics-bind-address "127.0.0.1:$metrics" \
        --health-probe-bind-address "127.0.0.1:$health" --leader-elect \
        --leader-elect-lease-duration 3s --leader-elect-renew-deadline 2s \
        --leader-elect-retry-period 200ms 2>> "$work/serve.log" &
    server=$!
    within 30 curl -sf "http://127.0.0.1:$health/readyz"
}

# The API server takes a new webhook configuration to heart a moment after it was stored.
hooked() {
    ! kubectl create -f "$examples/mirror-wrong.yaml" --dry-run=server > /dev/null 2> "$work/hooked" &&
        grep -q 'admission webhook "[a-z.]*" denied the request' "$work/hooked"
}

webhook=$(port) metrics=$(port) health=$(port)
url=https://127.0.0.1:$webhook
trap clean_up EXIT

step "the manifests are accepted as they are"
"$cleat" manifests --crds | kubectl apply -f - > /dev/null
kubectl wait --for condition=Established crd/mirrors.cleat.dev --timeout=20s > /dev/null
is '{.status.conditions[?(@.type=="NonStructuralSchema")].status}' "" crd mirrors.cleat.dev ||
    fail "the schema isn't structural"
"$cleat" manifests --webhook-url "$url" | kubectl apply -f - > "$work/out" 2>&1 || fail "$(cat "$work/out")"
if grep -i warning "$work/out"; then fail "the API server warns of the manifests"; fi
denied "failed calling webhook" kubectl create -f "$examples/mirror.yaml"

step "the server becomes ready as its ServiceAccount"
token=$(kubectl create token cleat -n cleat-system)
kubectl config view --raw --minify --flatten > "$work/admin"
KUBECONFIG=$work/admin kubectl config set-credentials cleat --token="$token" > /dev/null
KUBECONFIG=$work/admin kubectl config set-context --current --user=cleat > /dev/null
KUBECONFIG=$work/admin kubectl config view --raw --minify --flatten > "$work/kubeconfig"
serve
within 20 hooked

step "metrics are for whom the API server lets read them"
# scrape TOKEN: the HTTP status of a scrape with it ("": without any).
scrape() {
    curl -sk -o "$work/scrape" -w '%{http_code}' ${1:+-H "Authorization: Bearer $1"} "https://127.0.0.1:$metrics/metrics"
}
kubectl create serviceaccount scraper -n cleat-system > /dev/null
kubectl create clusterrolebinding cleat-scraper --clusterrole=cleat-metrics-reader \
    --serviceaccount=cleat-system:scraper > /dev/null
[ "$(scrape "")" = 401 ] || fail "a scrape without a token"
[ "$(scrape nobodys)" = 401 ] || fail "a scrape with a token that nobody has"
[ "$(scrape "$(kubectl create token default -n default)")" = 403 ] || fail "a scrape by anybody"
within 10 test "$(scrape "$(kubectl create token scraper -n cleat-system)")" = 200
grep -q '^leader_election_master_status' "$work/scrape" || fail "no metrics"

step "copies in every selected namespace, none elsewhere"
for name in platform team-a team-b other; do kubectl create namespace $name; done > /dev/null
kubectl label namespace team-a team-b team=true > /dev/null
kubectl create secret generic registry-credentials -n platform --from-literal=password=hunter2 > /dev/null
kubectl apply -f "$examples/mirror.yaml" > /dev/null
within 10 password team-a aHVudGVyMg==
within 10 password team-b aHVudGVyMg==
within 10 ready Synced
is '{.status.ready}/{.status.desired}' 2/2 mirror registry-credentials || fail "status"
is '{.spec.source.apiVersion}' v1 mirror registry-credentials || fail "no apiVersion was filled in"
gone secret registry-credentials -n other || fail "a copy in a namespace that isn't selected"
within 10 kubectl get events.events.k8s.io -n default -o jsonpath='{.items[?(@.reason=="Copied")].note}'
is '{.items[?(@.reason=="Copied")].regarding.name}' registry-credentials events.events.k8s.io -n default ||
    fail "no event Copied"

step "applied again nothing changes"
before=$(kubectl get secret registry-credentials -n team-a -o jsonpath='{.metadata.resourceVersion}')
kubectl apply -f "$examples/mirror.yaml" | grep -q unchanged || fail "kubectl apply sees a difference"
kubectl annotate mirror registry-credentials touched=yes > /dev/null
within 10 ready Synced
is '{.metadata.resourceVersion}' "$before" secret registry-credentials -n team-a || fail "written again"

step "a new namespace, a changed source"
kubectl create -f - > /dev/null << 'END'
{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-c", "labels": {"team": "true"}}}
END
within 10 password team-c aHVudGVyMg==
kubectl patch secret registry-credentials -n platform --type merge \
    --patch '{"data":{"password":"Y29ycmVjdC1ob3JzZQ=="}}' > /dev/null
for name in team-a team-b team-c; do within 10 password $name Y29ycmVjdC1ob3JzZQ==; done

step "wrong Mirrors are denied"
denied "Secrt" kubectl apply -f "$examples/mirror-wrong.yaml"
denied "denied the request" kubectl create -f - << 'END'
{"apiVersion": "cleat.dev/v1alpha1", "kind": "Mirror", "metadata": {"name": "rival"}, "spec": {
 "source": {"kind": "Secret", "namespace": "other", "name": "registry-credentials"},
 "targets": {"namespaces": ["team-a"]}}}
END
denied "Unsupported value" kubectl create -f - << 'END'
{"apiVersion": "cleat.dev/v1alpha1", "kind": "Mirror", "metadata": {"name": "typo"}, "spec": {
 "source": {"kind": "Secret", "namespace": "other", "name": "x"}, "targets": {}, "onConflict": "replace"}}
END
kubectl create serviceaccount intern -n other > /dev/null
kubectl create clusterrolebinding cleat-test-intern --clusterrole=cleat-test-mirrors \
    --serviceaccount=other:intern > /dev/null
kubectl create clusterrole cleat-test-mirrors --verb=create --resource=mirrors.cleat.dev > /dev/null
denied "denied the request" kubectl create --as=system:serviceaccount:other:intern -f - << 'END'
{"apiVersion": "cleat.dev/v1alpha1", "kind": "Mirror", "metadata": {"name": "steal"}, "spec": {
 "source": {"kind": "Secret", "namespace": "platform", "name": "registry-credentials"},
 "targets": {"namespaces": ["other"]}, "copy": {"name": "stolen"}}}
END
kubectl delete clusterrole,clusterrolebinding cleat-test-intern cleat-test-mirrors --ignore-not-found > /dev/null

step "copies are kept from others' hands"
change() {
    kubectl patch secret registry-credentials -n team-a --type merge --patch '{"data":{"password":"AAAA"}}' \
        --dry-run=server
}
unchangeable() { ! change > "$work/change" 2>&1 && grep -q "denied the request" "$work/change"; }
within 10 unchangeable
denied "Mirror registry-credentials" change
denied "Mirror registry-credentials" kubectl delete secret registry-credentials -n team-a
denied "Mirror registry-credentials" kubectl label secret registry-credentials -n team-a cleat.dev/mirror-
kubectl annotate secret registry-credentials -n team-a note=mine > /dev/null

step "what was damaged while the server was down is repaired"
kill -KILL "$server"
wait "$server" 2> /dev/null || true
kubectl patch secret registry-credentials -n team-a --type merge --patch '{"data":{"password":"AAAA"}}' > /dev/null
kubectl delete secret registry-credentials -n team-b > /dev/null
serve
within 15 password team-a Y29ycmVjdC1ob3JzZQ==
within 15 password team-b Y29ycmVjdC1ob3JzZQ==
is '{.metadata.annotations.note}' mine secret registry-credentials -n team-a || fail "a foreign annotation is lost"

step "a namespace leaves the selection, another is deleted"
kubectl label namespace team-b team- > /dev/null
within 10 gone secret registry-credentials -n team-b
kubectl delete namespace team-c --wait=false > /dev/null
within 30 gone namespace team-c
within 10 is '{.status.ready}/{.status.desired}' 1/1 mirror registry-credentials

step "a conflict is told, and mended when its cause goes"
kubectl create secret generic registry-credentials -n team-b --from-literal=password=own > /dev/null
kubectl label namespace team-b team=true > /dev/null
within 10 ready Conflict
password team-b b3du || fail "somebody's Secret was overwritten"
kubectl delete secret registry-credentials -n team-b > /dev/null
within 75 password team-b Y29ycmVjdC1ob3JzZQ== # what is in the way isn't watched, but looked at each minute
within 10 ready Synced

step "consent: a namespace refuses and loses its copy"
kubectl label namespace team-b cleat.dev/copies=refuse > /dev/null
within 10 gone secret registry-credentials -n team-b
kubectl label namespace team-b cleat.dev/copies- > /dev/null
within 10 password team-b Y29ycmVjdC1ob3JzZQ==

step "orphans stay, copies go with their Mirror, the source stays"
kubectl patch mirror registry-credentials --type merge --patch '{"spec":{"onDelete":"Orphan"}}' > /dev/null
within 10 is '{.metadata.ownerReferences}' "" secret registry-credentials -n team-a
kubectl patch mirror registry-credentials --type merge --patch '{"spec":{"onDelete":"Delete"}}' > /dev/null
within 10 is '{.metadata.ownerReferences[0].kind}' Mirror secret registry-credentials -n team-a
within 10 is '{.metadata.ownerReferences[0].kind}' Mirror secret registry-credentials -n team-b
kubectl delete mirror registry-credentials --cascade=foreground --timeout=60s > /dev/null
within 60 gone secret registry-credentials -n team-a
within 60 gone secret registry-credentials -n team-b
password platform Y29ycmVjdC1ob3JzZQ== || fail "the source is gone"

step "the roles were enough, and the server ends in order"
if grep -i 'forbidden' "$work/serve.log"; then fail "the server asked for what it may not do"; fi
kill -TERM "$server"
status=0
wait "$server" || status=$?
server=
[ $status = 0 ] || fail "exit status $status"
echo "all $steps steps done"
