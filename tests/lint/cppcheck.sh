#!/usr/bin/env bash
# cppcheck on the product.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
folders=()
for folder in core small applets; do
    [ ! -d "$folder" ] || folders+=("$folder")
done
cppcheck --quiet -j2 --std=c11 --language=c --enable=warning,performance,portability \
    --inline-suppr --error-exitcode=1 --template='{file}:{line}: {message} [{id}]' \
    --suppress=missingIncludeSystem -D_GNU_SOURCE -DSHIMBOX_VERSION='""' -I. "${folders[@]}"
