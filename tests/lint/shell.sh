#!/usr/bin/env bash
# shellcheck on every script, bats file and helper. SC2016 (`$` in single quotes) is what scripts for
# other shells and formats of other tools are made of.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
# shellcheck disable=SC2046 # no spaces in the project's names
shellcheck --format=gcc --exclude=SC2016 build.sh .ci/run \
    $(find tests \( -name '*.sh' -o -name '*.bash' -o -name '*.bats' \) | sort)
