#!/bin/busybox sh
# What a machine runs in tests/boot/test_boot.py: tells facts, leaves orphans, and ends with 3.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
export PATH=/bin
for name in grep mkdir sleep cat ls stat hostname ps stty ip wc; do
    busybox ln -s busybox "/bin/$name"
done
probe mounts
# shellcheck disable=SC2012 # names of the kernel
echo "controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
echo "enabled $(cat /sys/fs/cgroup/cgroup.subtree_control)"
shimbox cgroup-run --memory 64Mi --swap 0 --cpu 500m --pids 20 /job -- busybox sh -c '
    cd /sys/fs/cgroup/job && for name in memory.max memory.swap.max cpu.max pids.max; do
        echo "limit $name $(busybox head -n 1 $name)"
    done; echo "cgroup $(busybox cat /proc/self/cgroup)"'
for name in null zero full random urandom tty ptmx fd stdin stdout stderr; do
    [ -e "/dev/$name" ] || echo "missing /dev/$name"
done
echo "hostname $(hostname)"
echo "path $PATH"
probe interfaces
cat /etc/resolv.conf
ip -4 -o addr show dev dummy0 | while read -r _ _ _ address _; do echo "address $address"; done
ip route | while read -r line; do echo "route $line"; done
(echo "spoken to the terminal" >/dev/tty)
# Job control: this shell's process group is in the foreground of the controlling terminal.
read -r _ _ _ _ group session tty foreground _ </proc/self/stat
echo "foreground $((group == foreground)) session $session terminal $((tty != 0))"

count=0
while [ $count -lt 2000 ]; do
    (: &)
    count=$((count + 1))
done
# They are process 1's now, which may have some left to reap.
tries=0
while zombies=$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c '^[0-9]* (.*) Z ') && [ $tries -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
echo "orphans $count zombies $zombies"
# The end of the machine is not held up by these, of which one is deaf.
sleep 10000 &
sh -c 'trap "" TERM; sleep 10000 & sleep 10000' &
printf 'an unfinished line'
exit 3
