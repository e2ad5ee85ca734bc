#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deploy/install.yaml must be what `cleat manifests` prints. With --update it is written anew.
# Usage: check-manifests.sh [--update] CLEAT
set -eu
update=
if [ "$1" = --update ]; then
    update=1
    shift
fi
cleat=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
temporary=$(mktemp)
trap 'rm -f "$temporary"' EXIT
{
    echo "# SPDX-License-Identifier: Apache-2.0"
    # shellcheck disable=SC2016
    echo '# Made of deploy/base by `make manifests`. The CRD is a file of its own, crds.yaml.'
    "$cleat" manifests
} >"$temporary"
if [ -n "$update" ]; then
    cp "$temporary" deploy/install.yaml
    chmod 644 deploy/install.yaml
    echo "manifests: deploy/install.yaml written"
elif ! diff -u deploy/install.yaml "$temporary"; then
    echo "manifests: deploy/install.yaml isn't what cleat manifests prints; run 'make manifests'"
    exit 1
else
    echo "manifests: deploy/install.yaml is up to date"
fi
