#!/usr/bin/env bash
# Runs the checks of this folder: all.sh [cheap] [--tap]. Each prints `file:line: message`.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

checks=(layers.py limits.py formats.py headers.sh format.sh shell.sh paths.sh cppcheck.sh)
tap=
for argument; do
    case $argument in
    cheap) cheap=1 ;;
    --tap) tap=1 ;;
    *) echo "usage: all.sh [cheap] [--tap]" >&2; exit 2 ;;
    esac
done
# These take minutes.
[ -n "${cheap:-}" ] || checks+=(tidy.sh)

number=0 failed=0
[ -z "$tap" ] || echo "1..${#checks[@]}"
for check in "${checks[@]}"; do
    number=$((number + 1)) verdict=ok
    output=$("tests/lint/$check" 2>&1) || { verdict='not ok'; failed=$((failed + 1)); }
    if [ -n "$tap" ]; then
        echo "$verdict $number lint ${check%.*}"
        [ -z "$output" ] || printf '# %s\n' "${output//$'\n'/$'\n'# }"
    else
        printf '%-6s %s\n' "$verdict" "${check%.*}"
        [ -z "$output" ] || printf '%s\n' "$output"
    fi
done
[ "$failed" = 0 ]
