#!/bin/busybox sh
# For the scripts of the test machine's initramfs: expectations, and TAP. Source it first.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
count=0
problems=

# expect WHAT WANTED FOUND, expect_fact KEY=VALUE..., refute_text TEXT: of the last command, whose
# output is in /out/stdout and /out/stderr.
expect() {
    [ "$3" = "$2" ] || problems="$problems
# $1: expected '$2', found '$3'"
}
expect_fact() {
    for fact; do
        grep -qxF -- "$fact" /out/stdout || problems="$problems
# missing fact: $fact"
    done
}
refute_text() {
    ! grep -qF -- "$1" /out/stdout || problems="$problems
# unwanted: $1"
}
finish_test() {
    count=$((count + 1))
    if [ -z "$problems" ]; then
        echo "ok $count $1"
    else
        echo "not ok $count $1$problems"
        sed 's/^/# stdout: /' /out/stdout
        sed 's/^/# stderr: /' /out/stderr
    fi
    problems=
}

# Everything that a command may leave behind. It forks nothing while it looks at the processes, of
# which those of the kernel come and go.
snapshot() {
    cat /proc/self/mountinfo
    ls / /sys/fs/cgroup /bundle /proc/self/fd
    find /tmp /run
    for folder in /proc/[0-9]*; do
        read -r _ name _ parent _ 2>/dev/null <"$folder/stat" || continue
        [ "$parent" = 0 ] || [ "$parent" = 2 ] || echo "process $name"
    done
}
