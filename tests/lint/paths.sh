#!/usr/bin/env bash
# No path of somebody's machine, no signature of a tool, no leftover of a merge.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
pattern='(^|[^A-Za-z0-9_.])/(work|farm)/|/home/[a-z]+/(src|git|dev)|^(<<<<<<<|>>>>>>>) '
! grep -rnIE --exclude-dir=build --exclude-dir=.git --exclude=.git --exclude=paths.sh "$pattern" .
