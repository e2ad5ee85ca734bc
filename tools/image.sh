#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A container image from scratch: the program, the libraries that it loads, CA certificates, a user without rights, and
# nothing else: no base image, no shell. Written as an OCI archive, its size printed.
# Usage: image.sh CLEAT ARCHIVE [ROOT]: CLEAT is a release build; ROOT keeps the image's files too.
set -eu
program=$1
archive=$2
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
root=${3:-$work/root}
rm -rf "$root"
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp"

install -m 755 "$program" "$root/usr/bin/cleat"
strip "$root/usr/bin/cleat"

# ldd tells "name => path (address)" and, of the loader, "path (address)". Each goes where it was found.
ldd "$program" | sed -n 's/^[^/]*\(\/[^ ]*\) (0x.*/\1/p' | sort -u >"$work/libraries"
while read -r library; do
    install -D -m 755 "$(readlink -f "$library")" "$root$library"
done <"$work/libraries"

install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'cleat:x:65532:65532:cleat:/:/sbin/nologin' >"$root/etc/passwd"
echo 'cleat:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"

version=$("$program" version | sed -n '1s/^cleat \([^ ]*\).*/\1/p')
# A store of its own: nothing is left behind, and neither an overlay file system nor a daemon is needed.
printf '[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/store"\n' "$work" "$work" >"$work/storage.conf"
export CONTAINERS_STORAGE_CONF="$work/storage.conf" BUILDAH_ISOLATION=chroot
container=$(buildah from scratch)
buildah copy --quiet --chown 0:0 "$container" "$root" / >/dev/null
buildah config --user 65532:65532 --entrypoint '["/usr/bin/cleat"]' --cmd serve --port 9443 --port 8443 --port 8081 \
    --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    --label org.opencontainers.image.title=cleat --label "org.opencontainers.image.version=$version" \
    --label org.opencontainers.image.licenses=Apache-2.0 "$container"
rm -f "$archive"
buildah commit --quiet --disable-compression=false --format oci --timestamp "${SOURCE_DATE_EPOCH:-0}" "$container" \
    "oci-archive:$archive:cleat:$version" >/dev/null
buildah rm "$container" >/dev/null

bytes() { du -sb "$1" | cut -f1; }
echo "image: cleat:$version in $archive, $(wc -l <"$work/libraries") libraries," \
    "$(($(bytes "$root") / 1024)) KiB unpacked, $(($(bytes "$archive") / 1024)) KiB packed"
