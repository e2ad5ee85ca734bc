#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares every C file with what clang-format 14 (Debian 12's) makes of it; other versions lay some lines
# out differently, so that they only warn. With --fix the files are rewritten.
# Usage: check-format.sh [--fix]
set -eu
cd "$(dirname "$0")/.."

tool=$(command -v clang-format-14 || command -v clang-format || true)
if [ -z "$tool" ]; then
    echo "format: clang-format isn't installed" >&2
    exit 1
fi
files=$(find base value kube client webhooks controller certs cel kinds apiserver server include bench \
    examples tests -type f \( -name '*.c' -o -name '*.h' \) 2>/dev/null | sort)
if [ "${1:-}" = --fix ]; then
    printf '%s\n' "$files" | xargs "$tool" -i
    exit 0
fi
if printf '%s\n' "$files" | xargs "$tool" --dry-run -Werror 2>&1 | grep -E 'error|warning'; then
    case $("$tool" --version) in
    *"version 14."*) echo "format: run 'make format-fix'"; exit 1 ;;
    *) echo "format: differs, but this isn't clang-format 14; ignored" ;;
    esac
else
    echo "format: clean"
fi
