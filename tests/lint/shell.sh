#!/usr/bin/env bash
# ShellCheck on every script, bats file and helper. Not SC2016 (`$` in single quotes), which scripts
# for other shells and other tools' formats are made of; in bats files not SC2154 (variables that are
# not assigned), since `load` and bats set them where it does not look.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

scripts=(build.sh initramfs.sh .ci/run)
mapfile -t -O 3 scripts < <(find tests -name '*.sh' -o -name '*.bash' | sort)
shellcheck --format=gcc --exclude=SC2016 "${scripts[@]}"
mapfile -t suites < <(find tests -name '*.bats' | sort)
shellcheck --format=gcc --exclude=SC2016,SC2154 "${suites[@]}"
