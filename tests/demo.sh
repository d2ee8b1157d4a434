#!/usr/bin/env bash
# Shows what shimbox does, with real output: demo.sh BINARY (called by `build.sh demo`).
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

shimbox=$(realpath "${1:?usage: demo.sh BINARY}")
rootfs=$PWD/build/demo/rootfs

# show COMMAND...: prints the command as one would type it, then runs it.
show() {
    local word line=
    for word; do
        [[ $word =~ ^[A-Za-z0-9_./-]+$ ]] || word="'$word'"
        line+=" $word"
    done
    printf '\n$%s\n' "${line//"$PWD/"/}"
    "$@"
}

# A root file system that is not ours: Debian's, where it can be made, else busybox.
make_rootfs() {
    local name suite mirror
    [ ! -e "$rootfs/bin/sh" ] || return 0
    mkdir -p "${rootfs%/*}"
    if [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
        # shellcheck source=/dev/null
        suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
        mirror=$(awk '/^URIs:/{print $2; exit} /^deb /{for (i = 2; i <= NF; i++)
            if ($i ~ /^[a-z]+:/) {print $i; exit}}' \
            /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)
        printf ' (Debian, by debootstrap: half a minute or more) ...'
        rm -rf --one-file-system "$rootfs.new"
        if debootstrap --variant=minbase "$suite" "$rootfs.new" ${mirror:+"$mirror"} \
            >"$rootfs.log" 2>&1; then
            mv "$rootfs.new" "$rootfs"
            return
        fi
        tail -n 3 "$rootfs.log" >&2
    fi
    mkdir -p "$rootfs"/{bin,dev,etc,proc,sys,tmp}
    cp "$(command -v busybox)" "$rootfs/bin/busybox"
    for name in $(busybox --list); do
        [ "$name" = busybox ] || ln -sf busybox "$rootfs/bin/$name"
    done
    echo root:x:0:0:root:/:/bin/sh >"$rootfs/etc/passwd"
    echo root:x:0: >"$rootfs/etc/group"
}

echo "A container of nothing but the binary:"
show "$shimbox" run -- shimbox --list

printf '\nA root file system in %s ...' "${rootfs#"$PWD"/}"
make_rootfs
echo " ready"
# shellcheck disable=SC2016 # the container's shell is to expand these
show "$shimbox" run --rootfs "$rootfs" -- sh -c \
    'echo "pid $$, uid $(id -u), on $(hostname)"; cat /proc/1/comm'
[ ! -e "$rootfs/usr/bin/apt-get" ] ||
    show "$shimbox" run --rootfs "$rootfs" -- sh -c 'apt-get --version | head -n 1'
code=0
show "$shimbox" run --rootfs "$rootfs" -- sh -c 'exit 7' || code=$?
echo "exit code: $code"
