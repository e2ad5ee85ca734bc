#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the very commands that `cleat demo` prints with a real kubectl: on an embedded API server of its own with RBAC,
# where Cleat is installed as in a cluster, user and server being two identities. Ends with 77 without a kubectl.
# Usage: demo.sh CLEAT SOURCE_DIR
set -eu
cleat=$1
source=$2
command -v kubectl >/dev/null || exit 77

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
export HOME="$root" KUBECACHEDIR="$root/cache" KUBECONFIG="$root/kubeconfig"
unset KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT || true

fail() {
    echo "$*"
    echo "---- server"
    cat "$root/serve.log" 2>/dev/null || true
    exit 1
}

# until_true COMMAND…: again and again, for half a minute.
until_true() {
    tries=0
    until "$@" >"$root/output" 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || fail "never: $*: $(cat "$root/output")"
        sleep 0.2
    done
}

# api_server NAME [FLAGS…]: starts one and leaves its URL in $url and its process in $started.
api_server() {
    name=$1
    shift
    "$cleat" apiserver --write-kubeconfig "$root/$name" "$@" >"$root/$name.url" 2>"$root/$name.log" &
    started=$!
    servers="$started $servers" # the last first
    until_true test -s "$root/$name.url"
    url=$(cat "$root/$name.url")
}

# A port that was free a moment ago.
free_port() {
    api_server "port$1"
    kill "$started"
    wait "$started" || true
    port=${url##*:}
}

# The files of deploy/ as a reader applies them.
api_server plain --rbac
KUBECONFIG="$root/plain" kubectl apply --validate=false -f "$source/deploy/crds.yaml" -f "$source/deploy/install.yaml" \
    >"$root/output" 2>&1 || fail "deploy/ can't be applied: $(cat "$root/output")"
[ "$(KUBECONFIG="$root/plain" kubectl get deployment cleat --namespace cleat-system -o 'jsonpath={.spec.replicas}')" = 2 ] ||
    fail "deploy/install.yaml gave no Deployment"
kill "$started"

free_port 1
webhooks=https://127.0.0.1:$port
free_port 2
health=http://127.0.0.1:$port

printf 'server-token,system:serviceaccount:cleat-system:cleat,1,"system:serviceaccounts,system:serviceaccounts:cleat-system"\n' \
    >"$root/tokens"
api_server kubeconfig --rbac --token-file "$root/tokens"
sed 's/"token":"[^"]*"/"token":"server-token"/' "$root/kubeconfig" >"$root/server"
"$cleat" manifests --crds | kubectl apply --validate=false -f - >/dev/null
"$cleat" manifests --webhook-url "$webhooks" | kubectl apply --validate=false -f - >/dev/null
"$cleat" serve --kubeconfig "$root/server" --webhook-url "$webhooks" --webhook-bind-address "${webhooks#https://}" \
    --health-probe-bind-address "${health#http://}" --metrics-bind-address 0 --leader-elect \
    --log-format text 2>"$root/serve.log" &
servers="$! $servers"
until_true kubectl --kubeconfig /dev/null --server "$health" get --raw /readyz

# What the demo says, as lines of "STEP|COMMAND".
"$cleat" demo --exit </dev/null >"$root/demo" 2>&1 || fail "the demo fails: $(cat "$root/demo")"
sed -n -e 's/^ *\([0-9][0-9]*\)  \(.*\)$/= \2/p' -e 's/^      \$ \(.*\)$/$ \1/p' "$root/demo" >"$root/lines"

has_password() {
    [ "$(kubectl get secret registry-credentials --namespace "$1" -o 'jsonpath={.data.password}')" = "$2" ]
}
has_no_copy() {
    ! kubectl get secret registry-credentials --namespace "$1" 2>"$root/missing" && grep -q NotFound "$root/missing"
}

# What must have come of a step before the next begins.
check_step() {
    case $1 in
    "a Secret and a Mirror"*) until_true has_password team-b aHVudGVyMg== ;;
    "a new matching namespace"*) until_true has_password team-c aHVudGVyMg== ;;
    "the source changes"*) until_true has_password team-a Y29ycmVjdC1ob3JzZQ== ;;
    "a hand edit"*) until_true has_password team-a Y29ycmVjdC1ob3JzZQ== ;;
    "a namespace leaves"*) until_true has_no_copy team-b ;;
    "the Mirror is deleted"*)
        until_true has_no_copy team-a
        until_true has_no_copy team-c
        until_true has_password platform Y29ycmVjdC1ob3JzZQ==
        ;;
    esac
}

cd "$source"
step=
count=0
while IFS= read -r line; do
    text=${line#? }
    case $line in
    '='*)
        check_step "$step"
        step=$text
        continue
        ;;
    esac
    count=$((count + 1))
    case "$step $text" in
    *"denied kubectl"*)
        if eval "$text" >"$root/output" 2>&1 </dev/null; then
            fail "allowed: $text"
        fi
        # kubectl 1.20 keeps what the server says of an invalid object to itself.
        grep -q -e "denied the request" -e '^The request is invalid$' "$root/output" || fail "$text: $(cat "$root/output")"
        ;;
    *"kubectl get "*) until_true sh -c "$text" ;;
    *) eval "$text" >"$root/output" 2>&1 </dev/null || fail "$text: $(cat "$root/output")" ;;
    esac
done <"$root/lines"
check_step "$step"
[ "$count" -ge 10 ] || fail "the demo prints $count commands only"
echo "kubectl: $count commands of the demo"
