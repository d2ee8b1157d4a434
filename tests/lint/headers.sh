#!/usr/bin/env bash
# Each header compiles alone: the file of its name includes it first, or it is compiled here.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

# included FILE: the first that it includes, in $line.
included() {
    while read -r line && [[ $line != '#include'* ]]; do :; done <"$1"
}

code=0
while read -r header; do
    line=
    [ ! -e "${header%.h}.c" ] || included "${header%.h}.c"
    [ "$line" != "#include \"$header\"" ] || continue
    gcc -std=gnu11 -D_GNU_SOURCE -I. -DSHIMBOX_VERSION='""' -Wall -Wextra -Werror -fsyntax-only \
        -include "$header" -x c /dev/null || code=1
done < <(find core -name '*.h' | sort)
exit $code
