#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs to a fresh directory and builds every example out of tree against what was installed: once with
# pkg-config (shared), once with find_package.
# Usage: check.sh SOURCE_DIR BUILD_DIR CC
set -eu
source=$1
build=$2
cc=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

cmake --install "$build" --prefix "$root/usr" >"$root/install.log" || {
    cat "$root/install.log"
    exit 1
}
PKG_CONFIG_PATH=$(dirname "$(find "$root/usr" -name cleat.pc)")
export PKG_CONFIG_PATH
libdir=$(dirname "$PKG_CONFIG_PATH")

# A program that uses next to nothing comes first, so that there is always one.
cat >"$root/smallest.c" <<'C'
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/log.h>

int main(void)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(16);
    struct cleat_err err = CLEAT_ERR_INIT;
    (void)cleat_buffer_text(&buffer, "installed");
    int rc = cleat_str_is(cleat_buffer_view(&buffer), "installed") ? 0 : 1;
    cleat_buffer_fini(&buffer);
    cleat_info(NULL, "nothing", cleat_log_err(&err));
    return rc;
}
C

count=0
for example in "$root/smallest.c" "$source"/examples/*.c; do
    [ -e "$example" ] || continue
    packages=cleat
    if grep -q '<cleat/apiserver\.h>' "$example"; then
        packages="cleat cleat-apiserver"
    fi
    if grep -q '<jansson\.h>\|<cleat/jansson\.h>' "$example"; then
        packages="$packages jansson"
    fi
    # shellcheck disable=SC2046,SC2086
    "$cc" -std=c11 -Wall -Wextra -Wno-unused-parameter -Werror -O1 -o "$root/$(basename "$example" .c)" "$example" \
        $(pkg-config --cflags $packages) $(pkg-config --libs $packages) "-Wl,-rpath,$libdir"
    count=$((count + 1))
done
"$root/smallest"
readelf -d "$libdir/libcleat.so" | grep -q 'SONAME.*\[libcleat\.so\.0\]'

# The static library has everything that the shared one has; what it needs itself is linked as usual.
# shellcheck disable=SC2046
"$cc" -std=c11 -o "$root/smallest-static" "$root/smallest.c" $(pkg-config --cflags cleat) \
    "$libdir/libcleat.a" $(pkg-config --libs $(pkg-config --print-requires-private cleat)) -pthread -lm
"$root/smallest-static"

mkdir "$root/project"
cat >"$root/project/CMakeLists.txt" <<C
cmake_minimum_required(VERSION 3.25)
project(outside C)
find_package(cleat REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
file(GLOB sources $root/smallest.c $source/examples/*.c)
foreach(source \${sources})
    get_filename_component(name \${source} NAME_WE)
    add_executable(\${name} \${source})
    target_link_libraries(\${name} PRIVATE cleat::cleat PkgConfig::JANSSON)
    if(TARGET cleat::apiserver)
        target_link_libraries(\${name} PRIVATE cleat::apiserver)
    endif()
endforeach()
C
cmake -S "$root/project" -B "$root/project/build" -DCMAKE_PREFIX_PATH="$root/usr" \
    -DCMAKE_C_COMPILER="$cc" >"$root/cmake.log" && cmake --build "$root/project/build" >>"$root/cmake.log" || {
    cat "$root/cmake.log"
    exit 1
}
"$root/project/build/smallest"
echo "install: $count programs built out of tree"
