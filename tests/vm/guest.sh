#!/bin/bash
# Process 1 of the test machine, once it is on the disk: runs the jobs that are marked so, two at a
# time. SPDX-License-Identifier: Apache-2.0
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
export SHIMBOX=/src/build/shimbox PROBE=/src/build/tests/probe TEST_BUILD=vm
export PYTHONDONTWRITEBYTECODE=1
mount -t tmpfs run /run
cd /src || exit 1

run_job() {
    local name=$1 seconds=$2 code=0 start=$SECONDS
    shift 2
    timeout -s KILL "$seconds" "$@" >"/run/job.$name" 2>&1 </dev/null || code=$?
    {
        flock 9
        printf '@begin %s\n' "$name"
        cat "/run/job.$name"
        printf '\n@end %s %s %s\n' "$name" "$code" $((SECONDS - start))
    } 9>>/run/lock-jobs >/dev/ttyS1
}

running=0
while read -r where name seconds command; do
    [ "$where" = disk ] || continue
    if [ "$running" = 2 ]; then
        wait -n
        running=1
    fi
    # shellcheck disable=SC2086 # words
    run_job "$name" "$seconds" $command &
    running=$((running + 1))
done <list
wait
sync
echo b >/proc/sysrq-trigger
