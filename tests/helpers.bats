#!/usr/bin/env bats
# The helpers themselves: a leak must be seen, facts must be compared whole.
# SPDX-License-Identifier: Apache-2.0

load lib/helpers

# A bare `!` never fails a bats test.
refuse() {
    if "$@" >/dev/null 2>&1; then
        echo "should have failed: $*"
        return 1
    fi
}

@test "run_split keeps stdout, stderr and status apart" {
    run_split sh -c 'echo out; echo err >&2; echo more; exit 7'
    assert_status 7
    assert_stdout $'out\nmore'
    assert_stderr err
    [ "${#stdout_lines[@]}" = 2 ] && [ "${stdout_lines[1]}" = more ]
    refuse assert_status 0
    refuse assert_stdout out
    assert_stderr_has rr
    refuse assert_stderr_has rrr
}

@test "run_split gives no descriptor of bats to the command" {
    run_split "$PROBE" fds
    assert_status 0
    assert_fact "fds=0 1 2" "fds.0=char:1:3,r"
}

@test "facts are compared as whole lines" {
    run_split "$PROBE" print=uid=10 print=a.b=c=d
    assert_fact uid=10 a.b=c=d
    refuse assert_fact uid=1
    refute_fact uid=1
    refuse refute_fact uid=10
    [ "$(fact a.b)" = c=d ]
    refuse fact a
}

@test "the probe refuses what it does not know before it acts" {
    run_split "$PROBE" print=early nonsense
    assert_status 64
    assert_stdout ""
    assert_stderr "probe: unknown fact: nonsense"
    run_split "$PROBE" stat
    assert_status 64
    run_split "$PROBE" uid=1
    assert_status 64
    run_split "$PROBE"
    assert_status 64
}

@test "the probe fails when its answers cannot be written" {
    run_split sh -c '"$PROBE" uid >/dev/full'
    assert_status 66
    assert_stderr "probe: cannot write: ENOSPC"
}

@test "make_rootfs gives a system that can be entered" {
    need_root
    make_rootfs "$BATS_TEST_TMPDIR/rootfs"
    run_split chroot "$BATS_TEST_TMPDIR/rootfs" /bin/sh -c 'echo 1 2 | wc -w; probe cwd uid'
    assert_status 0
    assert_stdout $'2\ncwd=/\nuid=0\nuid.effective=0\nuid.saved=0\nuid.fs=0'
}

@test "leak_check is quiet when nothing is left" {
    leak_snapshot
    run_split sh -c 'sleep 0.05; ls / >/dev/null'
    leak_check
}

@test "leak_check sees a child, an orphan, a descriptor and a file" {
    leak_snapshot
    sleep 300 3>&- &
    child=$!
    until [ "$(</proc/$child/comm)" = sleep ]; do :; done
    LEAK_SECONDS=0 run leak_check
    kill "$child"
    wait "$child" || true
    [ "$status" = 1 ] && [[ $output == *"> process $child (sleep)"* ]]
    leak_check

    run_split setsid -f "$PROBE" sleep=300000
    until orphan=$(pgrep -n -x probe); do :; done
    LEAK_SECONDS=0 run leak_check
    kill "$orphan"
    [ "$status" = 1 ] && [[ $output == *"> process $orphan (probe)"* ]]
    leak_check

    exec 9</etc/passwd
    LEAK_SECONDS=0 run leak_check
    exec 9<&-
    [ "$status" = 1 ] && [[ $output == *"> fd 9 /etc/passwd"* ]]

    file=$(mktemp /tmp/left-shimbox.XXXXXX)
    LEAK_SECONDS=0 run leak_check
    rm "$file"
    [ "$status" = 1 ] && [[ $output == *"> file $file"* ]]
    leak_check
}

@test "leak_check sees a mount" {
    need_root
    mkdir "$BATS_TEST_TMPDIR/here"
    leak_snapshot
    mount -t tmpfs none "$BATS_TEST_TMPDIR/here"
    LEAK_SECONDS=0 run leak_check
    umount "$BATS_TEST_TMPDIR/here"
    [ "$status" = 1 ] && [[ $output == *"> mount "*"/here "* ]]
    leak_check
}

@test "leak_check sees a process that only its mounts give away" {
    need_root
    leak_snapshot
    # As a container that was left behind: no environment, no arguments, another parent.
    setsid -f env -i /bin/sh -c 'exec unshare --mount /bin/sh -c "read -r dir
        mount --bind \"\$dir\" \"\$dir\"; exec sleep 300" <"$0"' \
        <(echo "$BATS_TEST_TMPDIR") >/dev/null 2>&1 3>&- || true
    for ((i = 0; i < 600; i++)); do
        sleep 0.1
        left=$(grep -ls "$BATS_TEST_TMPDIR" /proc/[0-9]*/mountinfo | grep -o '[0-9]*' || true)
        if [ -n "$left" ] && [ "$(cat "/proc/$left/comm")" = sleep ]; then break; fi
    done
    [ -n "$left" ]
    refuse grep -q "$BATS_TEST_TMPDIR" "/proc/$left/environ" "/proc/$left/cmdline"
    LEAK_SECONDS=0 run leak_check
    kill "$left"
    [ "$status" = 1 ] && [[ $output == *"> process $left (sleep)"* ]]
    leak_check
}

@test "an ordinary user is at hand, with subordinate ids" {
    need_root
    need_unprivileged_user
    [ "$test_uid" -gt 0 ] && [ "$test_subuid" -gt 0 ] && [ "$test_subgid" -gt 0 ]
    run_split as_user /nonexistent
    assert_status 127
    run_split as_user cat /proc/self/status
    assert_status 0
    [[ $stdout == *"CapEff:"$'\t'"0000000000000000"* ]]
    run_split as_user pwd
    assert_stdout "$test_home"
}

@test "skip_without prints what is missing" {
    skip() { echo "skipping: $1"; }
    output=$(skip_without "such thing" sh -c 'echo no way; exit 3' 3>&1)
    [[ $output == *"# SKIPPED: "*"no such thing"*"no way"* ]]
    [[ $output == *"skipping: no such thing"* ]]
    output=$(skip_without "shell" true 3>&1)
    [ "$output" = "" ]
}
