#!/usr/bin/env bash
# Write an initramfs that boots: initramfs.sh BINARY OUTPUT [FILE[:PLACE]...]; called by
# `make initramfs FILES=...`. SPDX-License-Identifier: Apache-2.0
#
# The archive (cpio, newc: Documentation/driver-api/early-userspace/buffer-format.rst of Linux) holds
# BINARY as /init, a link /bin/shimbox to it, and each FILE, folders with all that is in them, at
# PLACE, else at its own absolute path. It needs no root: what belongs to the caller belongs to root
# there, and the console's node is in every kernel. The same files give the same bytes.
set -euo pipefail
export LC_ALL=C

[ $# -ge 2 ] || { echo "usage: initramfs.sh BINARY OUTPUT [FILE[:PLACE]...]" >&2; exit 2; }
binary=$1 output=$2
shift 2
number=0 me=$(id -u) group=$(id -g)
declare -A written=()

trap 'rm -f -- "$output.new"' EXIT

fail() {
    echo "initramfs.sh: $*" >&2
    exit 1
}

pad() {
    local zeros=(0 3 2 1)
    head -c "${zeros[$1 % 4]}" /dev/zero
}

# entry NAME MODE(octal) UID GID SIZE: all but the content, whose padding the caller writes.
entry() {
    local name=$1 mode=$((8#$2)) uid=$3 gid=$4 size=$5
    [ "$size" -le 4294967295 ] || fail "$name: too large for the archive"
    number=$((number + 1))
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' \
        "$number" "$mode" "$uid" "$gid" 1 0 "$size" 0 0 0 0 $((${#name} + 1)) 0
    printf '%s\0' "$name"
    pad $((110 + ${#name} + 1))
}

# The folders that a name is in, once each.
parents() {
    local path='' part
    while [[ $1 == */* ]]; do
        part=${1%%/*}
        set -- "${1#*/}"
        path=${path:+$path/}$part
        [ -n "${written[$path]:-}" ] || { written[$path]=1; entry "$path" 40755 0 0 0; }
    done
}

# add SOURCE NAME: one file, or a folder and what is in it.
add() {
    local source=$1 name=${2#/} type mode uid gid size target below path
    name=${name%/}
    [ -e "$source" ] || [ -L "$source" ] || fail "$source: no such file"
    [[ /$name/ != */../* && /$name/ != */./* ]] || fail "$2: not a plain path"
    parents "$name"
    # Sorted, parents first: the separator is the least byte.
    while IFS=$'\1' read -r -d '' below type mode uid gid size target; do
        path=$name${below:+${name:+/}$below}
        if [ -z "$path" ] || [ -n "${written[$path]:-}" ]; then
            continue
        fi
        written[$path]=1
        [ "$uid" != "$me" ] || uid=0
        [ "$gid" != "$group" ] || gid=0
        case $type in
        d) entry "$path" "4$(printf %04o $((8#$mode)))" "$uid" "$gid" 0 ;;
        f)
            entry "$path" "10$(printf %04o $((8#$mode)))" "$uid" "$gid" "$size"
            cat -- "$source${below:+/$below}"
            pad "$size"
            ;;
        l)
            entry "$path" 120777 "$uid" "$gid" "${#target}"
            printf %s "$target"
            pad "${#target}"
            ;;
        *) fail "$source${below:+/$below}: neither file, folder nor link" ;;
        esac
    done < <(find "$source" -printf '%P\1%y\1%m\1%U\1%G\1%s\1%l\0' | sort -z)
    wait $! || fail "$source: cannot be read as a whole"
}

{
    written[init]=1
    entry init 100755 0 0 "$(stat -c %s "$binary")"
    cat "$binary"
    pad "$(stat -c %s "$binary")"
    parents bin/shimbox
    entry bin/shimbox 120777 0 0 7
    printf ../init
    pad 7
    for file; do
        case $file in
        *:*) add "${file%:*}" "${file##*:}" ;;
        *) add "$file" "$(realpath -s -- "$file")" ;;
        esac
    done
    number=-1
    entry 'TRAILER!!!' 0 0 0 0
} >"$output.new"
mv "$output.new" "$output"
