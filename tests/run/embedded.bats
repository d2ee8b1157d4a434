#!/usr/bin/env bats
# Containers of nothing but the binary. Once, since the debug build is not static.
# SPDX-License-Identifier: Apache-2.0
load ../lib/helpers

setup() {
    need_root
    cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
    cd /
}

@test "in an empty directory" {
    leak_snapshot
    mkdir empty
    cd empty || return 1
    run_split "$SHIMBOX" --list
    expected=$stdout
    run_split "$SHIMBOX" run -- shimbox --list
    assert_status 0
    assert_stdout "$expected"
    assert_stderr ""
    [ -z "$(ls -A)" ]
    leak_check
}

@test "links of the embedded root are applets, and it can be left only by its end" {
    leak_snapshot
    run_split "$SHIMBOX" run -- shimbox spec -o - --rootfs / -- x
    assert_status 0
    jq -e '.process.args == ["x"]' <<<"$stdout"
    run_split "$SHIMBOX" run -- sh
    assert_status 1
    assert_stdout ""
    run_split "$SHIMBOX" run -- /bin/sh
    assert_status 1
    assert_stderr "shimbox run: /process/args: cannot execute /bin/sh: No such file or directory"
    leak_check
}

# bare COMMAND...: in a root that holds nothing but the binary, a proc and what mkdir makes.
bare() {
    mkdir -p root/proc root/old
    cp "$SHIMBOX" root/shimbox
    (close_others && exec unshare --mount --propagation private --pid --fork sh -c '
        set -e
        mount --bind root root
        mount -t proc proc root/proc
        cd root
        pivot_root . old
        # The tools are still those of the old root, whose loader stands behind /old now.
        exec /shimbox "$@"
    ' sh "$@")
}

@test "from a root that holds nothing but the binary" {
    leak_snapshot
    run_split "$SHIMBOX" --list
    expected=$stdout
    run_split bare run -- shimbox --list
    assert_status 0
    assert_stdout "$expected"
    assert_stderr ""
    run_split bare run -- shimbox run --no-such-option
    assert_status 1
    assert_stderr_has "unknown option --no-such-option"
    leak_check
}

@test "a config.json that is not used is spoken of" {
    leak_snapshot
    "$SHIMBOX" spec -- nothing
    run_split "$SHIMBOX" run -- shimbox --version
    assert_status 0
    assert_stderr "shimbox run: warning: config.json is here, but not used (to use it: run --bundle .)"
    leak_check
}
