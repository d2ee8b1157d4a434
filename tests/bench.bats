#!/usr/bin/env bats
# `make bench`: the script runs, names who is missing, writes its numbers and leaves nothing.
# SPDX-License-Identifier: Apache-2.0

load lib/helpers

setup_file() {
    if [ "$(id -u)" = 0 ]; then
        (cd "$project_root" && tests/bench/compile.sh "$BATS_FILE_TMPDIR")
    fi
}

setup() {
    need_root
    need_command hyperfine
    need_command jq
    output=$BATS_TEST_TMPDIR/bench.json
    tools=$BATS_FILE_TMPDIR floor=$BATS_FILE_TMPDIR/floor
}

@test "bench measures floor and peers, names missing ones, leaves nothing" {
    leak_snapshot
    cd "$project_root"
    run_split env ROUNDS=2 RUNS=2 WARMUP=0 MANY=10 TOOLS="$tools" OUTPUT="$output" SHIMBOX=/nonexistent/shimbox tests/bench/run.sh
    assert_status 0
    [[ $stdout == *"  floor --seal"* && $stdout == *"  empty program"* ]] || { show_run; false; }
    [[ $stdout == *"not measured: shimbox: /nonexistent/shimbox is not built"* ]]
    run_split jq -c '[.results[] | select(.command == "floor" or .command == "floor --seal")
        | [.command, (.times | length), (.median > 0), (.peak_kib > 0)]]' "$output"
    assert_stdout '[["floor",4,true,true],["floor --seal",4,true,true]]'
    leak_check
}

@test "the floor is a container: namespaces, root, devices, capabilities, exit code" {
    cd "$project_root"
    make_rootfs "$BATS_TEST_TMPDIR/rootfs"
    leak_snapshot
    for seal in "" --seal "--seal --by-descriptor"; do
        # shellcheck disable=SC2086 # words
        run_split "$floor" $seal "$BATS_TEST_TMPDIR/rootfs" /bin/probe pid caps nnp fds cwd \
            hostname interfaces stat=/dev/null mount=/proc mount=/sys mkdir=/sys/x exit=9
        assert_status 9
        assert_fact pid=1 nnp=1 cwd=/ hostname=shimbox interfaces.lo.up=yes "fds=0 1 2" \
            caps.inh=0000000000000000 caps.prm=0000000020000420 caps.eff=0000000020000420 \
            caps.bnd=0000000020000420 caps.amb=0000000000000000 stat:/dev/null.rdev=1:3 \
            mount:/proc.type=proc mount:/sys.type=sysfs mkdir:/sys/x=EROFS
    done
    run_split "$floor" "$BATS_TEST_TMPDIR/rootfs" /bin/nope
    assert_status 125
    assert_stderr "floor: /bin/nope: No such file or directory"
    leak_check
}

@test "the sealed floor cannot be written through its exe link" {
    cd "$project_root"
    make_rootfs "$BATS_TEST_TMPDIR/rootfs"
    "$floor" --seal "$BATS_TEST_TMPDIR/rootfs" /bin/probe sleep=60000 3>&- &
    parent=$!
    # The parent runs the sealed copy as long as the child is there.
    child=
    for ((i = 0; i < 1000; i++)); do
        child=$(cat "/proc/$parent/task/$parent/children")
        [ -z "$child" ] || [ "$(readlink "/proc/$parent/exe")" = "$floor" ] || break
        sleep 0.01
    done
    run_split "$PROBE" open="/proc/$parent/exe",w
    kill -KILL "${child% }"
    wait "$parent" || true
    assert_stdout "open:/proc/$parent/exe=EROFS"
}

@test "the floor of a function is a container: ids, layers, guard, devices, input and answer" {
    cd "$project_root"
    make_rootfs "$BATS_TEST_TMPDIR/rootfs"
    cp "$tools/echo" "$BATS_TEST_TMPDIR/rootfs/bin/echo"
    leak_snapshot
    run_split "$tools/floor_function" 3 "$BATS_TEST_TMPDIR/rootfs" /bin/echo
    assert_status 0
    assert_stdout $'hello\nhello\nhello'
    run_split "$tools/floor_function" 1 "$BATS_TEST_TMPDIR/rootfs" /bin/probe pid ppid uid caps nnp cwd \
        hostname interfaces stat=/etc/passwd stat=/dev/null mount=/ mount=/proc mount=/sys mkdir=/x exit=9
    assert_status 9
    assert_fact pid=2 ppid=1 uid=0 nnp=1 cwd=/ hostname=shimbox interfaces.lo.up=yes \
        caps.inh=0000000000000000 caps.prm=0000000020000420 caps.eff=0000000020000420 \
        caps.bnd=0000000020000420 caps.amb=0000000000000000 stat:/dev/null.rdev=1:3 \
        stat:/etc/passwd.uid=0 mount:/.type=overlay mount:/proc.type=proc mount:/sys.type=sysfs \
        mkdir:/x=ok
    run_split "$tools/floor_function" 1 "$BATS_TEST_TMPDIR/rootfs" /bin/nope
    assert_status 125
    assert_stderr "floor_function: /bin/nope: No such file or directory"
    [ ! -e "$BATS_TEST_TMPDIR/rootfs/x" ]
    leak_check
}

@test "bench measures growing containers, single steps and the trace, all rows" {
    leak_snapshot
    cd "$project_root"
    run_split env ROUNDS=1 RUNS=2 WARMUP=0 SCALE_ROUNDS=1 MOST=200 LIFECYCLE_ROUNDS=1 MANY=10 TOOLBOX_ROUNDS=1 BOOT_ROUNDS=1 \
        SPARK_ROUNDS=1 SPARK_SINGLES=1 SPARK_CALLS=2 SMALLEST="${TEST_FULL:-0}" NO_TRACE=build/shimbox \
        TOOLS="$tools" OUTPUT="$output" tests/bench/run.sh
    assert_status 0
    for row in mounts:5 ranges:3 devices:4 masked-files:4 masked-folders:4 readonly-paths:4; do
        [ "$(grep -cE "^${row%:*} +[0-9]+  \| +[0-9.]+" <<<"$stdout")" = "${row#*:}" ] || { show_run; false; }
    done
    # Floor and shimbox: both could do it.
    for row in "userns-fd -- true" "idmap-mount, umount" "unshare -Urmpf true" \
        "nsenter -m -u -i -n" "netns-new, --delete" chain; do
        grep -qE "^$row +[0-9]+\.[0-9]+ +[0-9]+\.[0-9]+ " <<<"$stdout" || { show_run; false; }
    done
    for row in "init alone" "shimbox init" tini-static tini dumb-init catatonit; do
        grep -qE "^$row( +[0-9]+){5}  \|( +[0-9]+\.[0-9]+){5}$" <<<"$stdout" ||
            { show_run; false; }
    done
    for row in floor "shimbox run" "shimbox spark"; do
        grep -qE "^$row +[0-9.]+  \|( +([0-9.]+|-)){3}$" <<<"$stdout" || { show_run; false; }
    done
    for row in floor --requests "--requests --jobs 2"; do
        grep -qE -e "^$row( +-?[0-9.]+){3}$" <<<"$stdout" || { show_run; false; }
    done
    # That takes the test machine minutes.
    [ -z "${TEST_FULL:-}" ] || grep -qE '^shimbox +[0-9]+ +[0-9]+$' <<<"$stdout" || { show_run; false; }
    grep -qE '^shimbox boot +[0-9.]+  \([0-9.]+ to [0-9.]+\)$' <<<"$stdout" || { show_run; false; }
    grep -qE '^--trace, off: -?[0-9]+ us' <<<"$stdout" || { show_run; false; }
    for row in "shimbox run, built without --trace" "shimbox --trace=FILE run" \
        "shimbox --trace run"; do
        grep -qF "  $row" <<<"$stdout" || { show_run; false; }
    done
    leak_check
}
