#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The image's files are all that the program needs: in nothing but them, as the user without rights, the whole story of
# the demo comes to its end. 77 where it can't be tried: without root or buildah.
# Usage: check.sh CLEAT SOURCE_DIR
set -eu
cleat=$1
source=$2
if [ "$(id -u)" -ne 0 ] || ! command -v buildah >/dev/null; then
    echo "needs root and buildah: skipped"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$source/tools/image.sh" "$cleat" "$work/image.tar" "$work/root"
if find "$work/root" -perm -0002 ! -type l ! -path "$work/root/tmp" | grep .; then
    echo "anybody may write these" >&2
    exit 1
fi
# Containers have /proc and /dev; here they are there for as long as the program runs. Where that
# may not be, only a part is tried.
mkdir -p "$work/root/proc" "$work/root/dev"
inside() {
    # shellcheck disable=SC2016
    timeout 110 unshare --mount sh -c 'mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" && root=$1 && shift &&
        exec chroot --userspec=65532:65532 "$root" /usr/bin/cleat "$@"' sh "$work/root" "$@" </dev/null
}
if ! unshare --mount true 2>/dev/null; then
    chroot --userspec=65532:65532 "$work/root" /usr/bin/cleat version
    exit 0
fi
inside version
inside demo --exit >"$work/story" 2>&1 || {
    tail -30 "$work/story" >&2
    exit 1
}
tail -2 "$work/story"
