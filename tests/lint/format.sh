#!/usr/bin/env bash
# Every C file is as clang-format would write it (.clang-format; `clang-format -i FILE` mends it).
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
# shellcheck disable=SC2046 # no spaces in the project's names
clang-format --dry-run --Werror $(find core small applets tests -name '*.[ch]' | sort)
