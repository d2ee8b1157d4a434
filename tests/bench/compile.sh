#!/usr/bin/env bash
# compile.sh FOLDER: the static programs of the bench, into FOLDER.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
# The kernel's headers as build.sh has put them together for musl.
headers=$here/../../build/deps/$(uname -m)/include
compile=("${BENCH_CC:-musl-gcc}" -std=gnu11 -D_GNU_SOURCE -Os -static -isystem "$headers")
"${compile[@]}" -o "$1/empty" "$here/empty.c"
"${compile[@]}" -o "$1/floor" "$here/floor.c" "$here/floor_descriptor.c" "$here/floor_parts.c" \
    "$here/floor_seal.c"
"${compile[@]}" -o "$1/floor_function" "$here/floor_function.c" "$here/floor_descriptor.c" \
    "$here/floor_parts.c"
"${compile[@]}" -o "$1/echo" "$here/echo.c"
"${compile[@]}" -o "$1/loop" "$here/loop.c"
"${compile[@]}" -o "$1/floor_tools" "$here/floor_tools.c" "$here/floor_seal.c"
"${compile[@]}" -o "$1/moments" "$here/moments.c"
"${compile[@]}" -o "$1/floor_init" "$here/floor_init.c"
"${compile[@]}" -o "$1/stamp" "$here/stamp.c"
gcc -std=gnu11 -D_GNU_SOURCE -Os -o "$1/peak" "$here/peak.c"
