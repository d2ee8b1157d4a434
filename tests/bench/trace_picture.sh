#!/usr/bin/env bash
# docs/trace.svg: the picture in README, drawn from the fastest of some traces of the default container.
# SPDX-License-Identifier: Apache-2.0
#
# tests/bench/trace_picture.sh >PICTURE.svg     as root, from the project's root (`make trace-picture`)
#   SHIMBOX=build/shimbox   the binary
#   RUNS=60                 traces to choose from
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir -p "$work/bundle/rootfs"/{bin,dev,etc,proc,sys,tmp}
"$here/compile.sh" "$work"
cp "$work/empty" "$work/bundle/rootfs/bin/true"
"${SHIMBOX:-build/shimbox}" spec --bundle "$work/bundle" -- /bin/true
for run in $(seq "${RUNS:-60}"); do
    "${SHIMBOX:-build/shimbox}" --trace="$work/$run.json" run \
        --bundle "$work/bundle"
done
python3 "$here/trace_svg.py" "$work"/*.json
