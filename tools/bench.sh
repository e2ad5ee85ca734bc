#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the benchmarks that make their own input; those that need a cluster or a load generator are named.
# Usage: bench.sh BUILD_DIR ITEMS
set -eu
build=$1
items=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A Kubernetes List of generated pods, about 1.5 KB each.
awk -v items="$items" 'BEGIN {
    printf "{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":["
    for (i = 0; i < items; i++) {
        app = "app-" i % 200
        printf "%s{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s-%d\",\"namespace\":\"ns-%d\"", \
            i ? "," : "", app, i, i % 50
        printf ",\"uid\":\"%08x-0000-4000-8000-%012x\",\"resourceVersion\":\"%d\"", i, i, i + 1
        printf ",\"labels\":{\"app\":\"%s\",\"tier\":\"%s\",\"pod-template-hash\":\"%x\"}", \
            app, i % 2 ? "web" : "db", (i % 200) * 7919
        printf ",\"creationTimestamp\":\"2026-01-02T03:%02d:%02dZ\"}", int(i / 60) % 60, i % 60
        printf ",\"spec\":{\"nodeName\":\"node-%d\",\"restartPolicy\":\"Always\",\"serviceAccountName\":\"default\"", i % 100
        printf ",\"containers\":[{\"name\":\"main\",\"image\":\"registry.example.com/%s:1.%d\"", app, i % 7
        printf ",\"env\":[{\"name\":\"A\",\"value\":\"%d\"},{\"name\":\"B\",\"value\":\"two\"}]", i % 10
        printf ",\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"128Mi\"}}}]}"
        printf ",\"status\":{\"phase\":\"Running\",\"podIP\":\"10.%d.%d.%d\",\"conditions\":[{\"type\":\"Ready\"", \
            i / 65536 % 256, i / 256 % 256, i % 256
        printf ",\"status\":\"True\",\"lastTransitionTime\":\"2026-01-02T03:04:05Z\"}]}}"
    }
    print "]}"
}' >"$work/pods.json"

status=0
for bench in "$build"/bench/*; do
    [ -x "$bench" ] && [ -f "$bench" ] || continue
    name=$(basename "$bench")
    case $name in
    cache | reconcile) echo "$name: needs a cluster: $bench --kubeconfig FILE --resource v1/pods" ;;
    webhook) echo "$name: needs a load generator: $bench --port N --cert FILE --key FILE" ;;
    value) "$bench" "$work/pods.json" || status=1 ;;
    *) "$bench" || status=1 ;;
    esac
done
exit "$status"
