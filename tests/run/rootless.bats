#!/usr/bin/env bats
# run by an ordinary user, in a nested user namespace, and inside of its own containers.
# SPDX-License-Identifier: Apache-2.0
load ../lib/helpers

setup_file() {
    need_root
    need_rootless
    BUNDLE=$(mktemp -d /tmp/rootless.XXXXXX)
    chmod 755 "$BUNDLE"
    make_rootfs "$BUNDLE/rootfs"
    # The binary may be where the user cannot go; the one for inside must be static.
    cp "$SHIMBOX" "$BUNDLE/shimbox"
    cp "$project_root/build/shimbox" "$BUNDLE/rootfs/bin/shimbox"
    chown -R --no-dereference "$test_user:" "$BUNDLE"
    export BUNDLE
}

teardown_file() {
    rm -rf --one-file-system "$BUNDLE"
}

setup() {
    need_unprivileged_user
}

teardown() {
    rm -f "$BUNDLE/config.json"
}

# as USER with the binary at a place that everybody can read
user() {
    run_split as_user env "PATH=$BUNDLE:$PATH" "$@"
}

# shellcheck disable=SC2054 # the commas are the probe's
facts=(uid gid caps nnp ns read=/proc/self/uid_map read=/proc/self/gid_map read=/proc/self/setgroups
    stat=/dev/null stat=/dev/mqueue stat=/proc stat=/sys open=/dev/null,rw write=/dev/zero,x
    mknod=/dev/new,c,1,3 mkdir=/new rmdir=/new interfaces sethostname=x hostname)

@test "default, with subordinate ids" {
    leak_snapshot
    user shimbox run --rootfs "$BUNDLE/rootfs" -- /bin/probe "${facts[@]}" setgroups=5
    assert_status 0
    assert_stderr ""
    assert_fact "uid=0" "gid=0" "nnp=1" "mkdir:/new=ok" "open:/dev/null=ok" "write:/dev/zero=ok" \
        "mknod:/dev/new=EPERM" "stat:/dev/null.rdev=1:3" "interfaces.lo.up=yes" "hostname=shimbox" \
        "sethostname:x=EPERM"
    [[ $(fact read:/proc/self/uid_map) =~ ^\ +0\ +$test_uid\ +1\\n\ +1\ +$test_subuid\ +65536\\n$ ]]
    [[ $(fact read:/proc/self/gid_map) =~ ^\ +0\ +$test_gid\ +1\\n\ +1\ +$test_subgid\ +65536\\n$ ]]
    [ "$(fact caps.eff)" = 0000000020000420 ]
    leak_check
}

@test "another user of the container, with subordinate ids" {
    leak_snapshot
    user sh -c "shimbox spec --rootless --rootfs '$BUNDLE/rootfs' --user user -o - -- \
        /bin/probe uid gid groups chown=/tmp,0,0 env |
        shimbox run --config -"
    assert_status 0
    assert_stderr ""
    assert_fact "uid=1000" "gid=1000" "groups=10 29" "chown:/tmp=EPERM" "env.HOME=/home/user"
    leak_check
}

@test "one id" {
    leak_snapshot
    user sh -c "shimbox spec --map root --rootfs '$BUNDLE/rootfs' -o - -- sh |
        shimbox run --config - -- /bin/probe ${facts[*]} setgroups=5"
    assert_status 0
    assert_stderr ""
    assert_fact "uid=0" "gid=0" "setgroups:5=EPERM" "read:/proc/self/setgroups=deny\\n" "mkdir:/new=ok"
    [[ $(fact read:/proc/self/uid_map) =~ ^\ +0\ +$test_uid\ +1\\n$ ]]
    leak_check
}

@test "what runc and crun write for ordinary users" {
    leak_snapshot
    for writer in runc crun; do
        rm -f "$BUNDLE/config.json"
        user "$writer" spec --rootless -b "$BUNDLE"
        [ -s "$BUNDLE/config.json" ] || user sh -c "cd '$BUNDLE' && exec $writer spec --rootless"
        assert_status 0
        user shimbox run --bundle "$BUNDLE" -- /bin/probe uid gid caps nnp stat=/sys list=/dev \
            mkdir=/new hostname
        assert_status 0
        assert_stderr ""
        assert_fact "uid=0" "gid=0" "nnp=1" "mkdir:/new=EROFS" "hostname=$writer"
        # shellcheck disable=SC2016 # for the shell inside
        user shimbox run --bundle "$BUNDLE" -- \
            sh -c 'echo $(id -u) $(ls / | grep -c bin) | tr 0 z; exit 3'
        assert_status 3
        assert_stdout "z 2"
    done
    leak_check
}

@test "an ordinary user needs a user namespace in the config" {
    leak_snapshot
    user shimbox spec --bundle "$BUNDLE"
    assert_status 0
    user shimbox run --bundle "$BUNDLE"
    assert_status 1
    assert_stderr_has "/linux/namespaces: an ordinary user needs a user namespace here"
    assert_stderr_has "shimbox spec --rootless"
    leak_check
}

@test "in a user namespace as unshare makes it" {
    leak_snapshot
    user unshare --user --map-root-user shimbox run --rootfs "$BUNDLE/rootfs" -- \
        /bin/probe uid read=/proc/self/uid_map mkdir=/new rmdir=/new
    assert_status 0
    assert_stderr ""
    assert_fact "uid=0" "mkdir:/new=ok" "rmdir:/new=ok"
    leak_check
}

@test "a container in a container, and one in that" {
    leak_snapshot
    # The inner one: no fresh proc or sysfs, since those of the outer one are partly covered.
    inner='shimbox spec --nested --map root --rootfs / -o - -- /bin/probe uid pid hostname |
        shimbox run --config -'
    user sh -c "shimbox spec --rootless --cap-add ALL --rootfs '$BUNDLE/rootfs' -o - -- sh -c '$inner' |
        shimbox run --config -"
    assert_status 0
    assert_stderr ""
    assert_fact "uid=0" "pid=1" "hostname=shimbox"
    leak_check
}

@test "inside a container, where a fresh proc is refused, the one from outside serves" {
    leak_snapshot
    user sh -c "shimbox spec --rootless --cap-add SETFCAP --rootfs '$BUNDLE/rootfs' -o - -- \
        shimbox --rootless true run --rootfs / -- true | shimbox run --config -"
    assert_status 0
    assert_stderr "shimbox run: warning: this container cannot have a new proc and sysfs, so /proc and \
/sys are bound from outside (spec --nested)"
    leak_check
}
