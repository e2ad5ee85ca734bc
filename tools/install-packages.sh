#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian or Ubuntu packages that are missing, and says which. As root with apt-get, else with
# a visible sudo. Groups: build (default), test (adds what the tests need), ci (adds compilers, formatter and what reads
# metrics and builds images), image (adds what builds an image).
# Usage: install-packages.sh [build|test|ci|image]
set -eu

packages="build-essential cmake ninja-build pkg-config libmicrohttpd-dev libcurl4-openssl-dev libjansson-dev
libssl-dev libyaml-dev libgnutls28-dev libxxhash-dev libpcre2-dev"
case ${1:-build} in
build) ;;
test) packages="$packages check nghttp2-proxy openssl" ;;
ci) packages="$packages check nghttp2-proxy openssl clang clang-format prometheus buildah" ;;
image) packages="$packages binutils buildah ca-certificates" ;;
*)
    echo "usage: $0 [build|test|ci|image]" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "This isn't Debian or Ubuntu: install the equivalents of these packages yourself:" >&2
    echo "$packages" >&2
    exit 0
fi

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() {
    for package in "$@"; do
        installed "$package" || printf ' %s' "$package"
    done
}

install_all() {
    if [ "$(id -u)" -eq 0 ]; then
        sudo=
    elif command -v sudo >/dev/null; then
        sudo=sudo
    else
        echo "Missing packages:$*. Install them as root: apt-get install$*" >&2
        exit 1
    fi
    echo "Installing packages that are missing:$*"
    echo "+ $sudo apt-get update && $sudo apt-get install -y --no-install-recommends$*"
    $sudo apt-get update -q
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $*
}

# shellcheck disable=SC2086
missing=$(missing_of $packages)
[ -z "$missing" ] || install_all "$missing"

# clang's sanitizer and fuzzer libraries carry its version in their package's name.
if [ "${1:-build}" = ci ]; then
    version=$(clang --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
    missing=$(missing_of "libclang-rt-$version-dev")
    [ -z "$missing" ] || install_all "$missing"
fi
