#!/usr/bin/env bash
# Each header compiles alone.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

code=0
while read -r header; do
    gcc -std=gnu11 -D_GNU_SOURCE -I. -DSHIMBOX_VERSION='""' -Wall -Wextra -Werror -fsyntax-only \
        -include "$header" -x c /dev/null || code=1
done < <(find core -name '*.h' | sort)
exit $code
