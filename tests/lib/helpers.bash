# What all bats files share. Load with `load lib/helpers` (tests/) or `load ../lib/helpers`.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # the variables are for the tests
#
# Expects $SHIMBOX (the binary) and $PROBE (the static probe, see tests/probe/probe.c).

project_root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
: "${SHIMBOX:=$project_root/build/shimbox}" "${PROBE:=$project_root/build/tests/probe}"
: "${TEST_CACHE:=$project_root/build/cache}"
export SHIMBOX PROBE TEST_CACHE

# run_split COMMAND [ARG...]: runs it with stdin from /dev/null (RUN_STDIN=FILE gives another) and
# sets $status, $stdout and $stderr (final newlines dropped), and the arrays stdout_lines and
# stderr_lines. Always succeeds, so that a test says what it expects. The command gets no descriptor
# but 0, 1, 2 and those listed in RUN_KEEP: bats and what started it leave several open, and one
# that a container keeps hangs bats.
run_split() {
    # Without another process, and without bats' look at every command: it is called a thousand times.
    local flags=$- out=$BATS_TEST_TMPDIR/run_split.stdout err=$BATS_TEST_TMPDIR/run_split.stderr parts
    set +T
    status=0
    (trap - DEBUG && close_others && "$@") <"${RUN_STDIN:-/dev/null}" >"$out" 2>"$err" || status=$?
    # Pieces between NULs, which a variable cannot hold.
    mapfile -d '' -t parts <"$out"
    printf -v stdout %s "${parts[@]}"
    mapfile -d '' -t parts <"$err"
    printf -v stderr %s "${parts[@]}"
    while [[ $stdout == *$'\n' ]]; do stdout=${stdout%$'\n'}; done
    while [[ $stderr == *$'\n' ]]; do stderr=${stderr%$'\n'}; done
    mapfile -t stdout_lines <"$out"
    mapfile -t stderr_lines <"$err"
    export status stdout stderr
    [[ $flags != *T* ]] || set -T
}

close_others() {
    local fd
    for fd in "/proc/$BASHPID/fd"/*; do
        fd=${fd##*/}
        if [ "$fd" -gt 2 ] && [[ " ${RUN_KEEP:-} " != *" $fd "* ]]; then
            eval "exec $fd>&-"
        fi
    done
}

# Each prints what was there when it fails.
show_run() {
    printf 'status: %s\nstdout: %s\nstderr: %s\n' "$status" "$stdout" "$stderr"
}
assert_status() {
    [ "$status" = "$1" ] || { echo "expected status $1"; show_run; return 1; }
}
assert_stdout() {
    [ "$stdout" = "$1" ] || { echo "expected on stdout: $1"; show_run; return 1; }
}
assert_stderr() {
    [ "$stderr" = "$1" ] || { echo "expected on stderr: $1"; show_run; return 1; }
}
# assert_stderr_has TEXT: TEXT is somewhere on stderr, literally.
assert_stderr_has() {
    [[ $stderr == *"$1"* ]] || { echo "expected within stderr: $1"; show_run; return 1; }
}
# assert_fact LINE...: the probe printed each LINE (key=value) as a whole line.
assert_fact() {
    local line
    for line; do
        grep -qxF -- "$line" <<<"$stdout" || { echo "missing fact: $line"; show_run; return 1; }
    done
}
# refute_fact LINE...: none of them was printed, though something was.
refute_fact() {
    local line
    [ -n "$stdout" ] || { echo "no facts at all"; show_run; return 1; }
    for line; do
        ! grep -qxF -- "$line" <<<"$stdout" || { echo "unwanted fact: $line"; show_run; return 1; }
    done
}
# fact KEY: prints its value from $stdout; fails when it is not there.
fact() {
    local line
    while IFS= read -r line; do
        if [[ $line == "$1="* ]]; then
            printf '%s\n' "${line#*=}"
            return 0
        fi
    done <<<"$stdout"
    echo "no such fact: $1" >&2
    return 1
}

# make_rootfs DIR: a minimal root file system: busybox with its commands, the probe, users.
make_rootfs() {
    local busybox
    busybox=$(command -v busybox) || { echo "busybox is missing (package busybox-static)"; return 1; }
    [ -x "$PROBE" ] || { echo "the probe is missing: $PROBE"; return 1; }
    mkdir -p "$1"/{bin,dev,etc,home/user,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,var/tmp}
    chmod 1777 "$1/tmp" "$1/var/tmp"
    chmod 700 "$1/root"
    cp "$busybox" "$1/bin/busybox"
    cp "$PROBE" "$1/bin/probe"
    # By its own shell, which need not execute anything for each: an emulated machine is slow at that.
    # shellcheck disable=SC2016 # the other shell's
    (cd "$1/bin" && ./busybox sh -c 'for name in $(./busybox --list); do
        [ "$name" = busybox ] || ln -sf busybox "$name"
    done')
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'user:x:1000:1000:User:/home/user:/bin/sh' \
        'nobody:x:65534:65534:nobody:/:/bin/false' >"$1/etc/passwd"
    printf '%s\n' 'root:x:0:' 'wheel:x:10:user' 'user:x:1000:' 'audio:x:29:user,nobody' \
        'nogroup:x:65534:' >"$1/etc/group"
    echo '127.0.0.1 localhost' >"$1/etc/hosts"
    if [ "$(id -u)" = 0 ]; then
        chown 1000:1000 "$1/home/user"
    fi
}

# debian_rootfs DIR: a Debian minbase system below DIR. The first call makes it with debootstrap and
# keeps a tar file in $TEST_CACHE; the probe is in /bin/probe. Root only.
debian_rootfs() {
    local suite=${DEBIAN_SUITE:-bookworm} archive mirror building
    archive=$TEST_CACHE/debian-$suite-$(uname -m).tar
    mkdir -p "$TEST_CACHE" "$1"
    if [ ! -s "$archive" ]; then
        mirror=$(awk '/^URIs:/{print $2; exit} /^deb /{for (i = 2; i <= NF; i++)
            if ($i ~ /^[a-z]+:/) {print $i; exit}}' \
            /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)
        [ -n "$mirror" ] || { echo "no package mirror in apt's sources"; return 1; }
        building=$(mktemp -d "$TEST_CACHE/debootstrap.XXXXXX")
        if ! debootstrap --variant=minbase "$suite" "$building/root" "$mirror" \
            >"$building/log" 2>&1 3>&-; then
            tail -n 5 "$building/log"
            rm -rf --one-file-system "$building"
            return 1
        fi
        rm -rf "$building/root/var/cache/apt/archives"/*.deb
        tar -C "$building/root" -cf "$building/tar" . && mv "$building/tar" "$archive"
        rm -rf --one-file-system "$building"
    fi
    tar -C "$1" -xf "$archive"
    cp "$PROBE" "$1/bin/probe"
}

# leak_snapshot, then leak_check: what could be left behind is compared: the mounts of this namespace,
# cgroups, named network namespaces, files of ours in the usual places, descriptors of the test's
# shell, and processes of this test. leak_check waits twenty seconds or more (LEAK_SECONDS gives
# another number), since the kernel ends some things after wait has returned, and all is slow where much
# else runs, then prints each difference and fails.
leak_state() {
    local fd own
    sed 's/^/mount /' /proc/self/mountinfo
    # Below that of the suite: others make and remove theirs meanwhile.
    own=$(sed -n 's/^0:://p' /proc/self/cgroup)
    find /sys/fs/cgroup{,/unified}"${own%/}" -xdev -type d -printf 'cgroup %p\n' 2>/dev/null || true
    find /run/netns -mindepth 1 -printf 'netns %p\n' 2>/dev/null || true
    find /tmp /run /var/tmp /dev/shm -xdev -mindepth 1 -maxdepth 3 -name '*shimbox*' \
        -not -path "$BATS_RUN_TMPDIR*" -printf 'file %p\n' 2>/dev/null || true
    for fd in "/proc/$$/fd"/*; do
        if [ "${fd##*/}" -gt 2 ] && [ -L "$fd" ]; then
            printf 'fd %s %s\n' "${fd##*/}" "$(readlink "$fd")"
        fi
    done
    leak_processes
}

# A process belongs to this test when it descends from its shell, or when its environment, its
# command line or its mounts (the rootfs of a container) name the test's directory, so that several
# tests may run at a time. The helpers of the snapshot itself, which descend from $BASHPID, are left
# out; zombies are not. The start time tells a reused pid.
leak_processes() {
    local stat pid rest name parent start up
    declare -A parents=() lines=() ours=()
    while IFS=/ read -r _ _ pid _; do
        ours[$pid]=1
    done < <(grep -lsF -- "$BATS_TEST_TMPDIR" /proc/[0-9]*/{environ,cmdline,mountinfo} || true)
    for stat in /proc/[0-9]*/stat; do
        { read -r rest <"$stat"; } 2>/dev/null || continue
        pid=${rest%% *} name=${rest#*(} name=${name%)*} rest=${rest##*) }
        read -r _ parent _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ start _ <<<"$rest"
        parents[$pid]=$parent lines[$pid]="process $pid ($name) started $start"
    done
    for pid in "${!lines[@]}"; do
        up=$pid
        while [ -n "$up" ] && [ "$up" -gt 1 ] && [ "$up" != $$ ] && [ "$up" != "$BASHPID" ]; do
            up=${parents[$up]:-}
        done
        if [ "$up" != "$BASHPID" ] && [ "$pid" != $$ ] &&
            { [ "$up" = $$ ] || [ -n "${ours[$pid]:-}" ]; }; then
            # Those that ended meanwhile were of the snapshot's making.
            [ -e "/proc/$pid" ] && ! leak_is_ancestor "$pid" && echo "${lines[$pid]}"
        fi
    done
    return 0
}

# Bats, above the test's shell, names the directory too, and `run leak_check` is a child of it.
leak_is_ancestor() {
    local up=$BASHPID
    while [ -n "$up" ] && [ "$up" -gt 1 ]; do
        [ "$up" != "$1" ] || return 0
        up=${parents[$up]:-}
    done
    return 1
}

leak_list() {
    # Not with bats' look at every command, of which there are hundreds.
    (trap - DEBUG; set +T; leak_state) >"$BATS_TEST_TMPDIR/leak.$1"
    sort -o "$BATS_TEST_TMPDIR/leak.$1" "$BATS_TEST_TMPDIR/leak.$1"
}

leak_snapshot() {
    leak_list before
}

leak_check() {
    local left
    for ((left = ${LEAK_SECONDS:-20} * 10; left >= 0; left--)); do
        leak_list after
        if cmp -s "$BATS_TEST_TMPDIR/leak.before" "$BATS_TEST_TMPDIR/leak.after"; then
            return 0
        fi
        [ "$left" = 0 ] || sleep 0.1
    done
    echo "left behind (>) or gone (<):"
    diff "$BATS_TEST_TMPDIR/leak.before" "$BATS_TEST_TMPDIR/leak.after"
    return 1
}

# need_unprivileged_user: makes sure that the ordinary user $test_user exists, with a home directory
# and 65536 subordinate uids and gids, and sets test_user, test_uid, test_gid, test_home,
# test_subuid and test_subgid (the first subordinate ids). As root the user `shimtest` is made by
# useradd when it is not there; otherwise it is the caller.
need_unprivileged_user() {
    if [ "$(id -u)" = 0 ]; then
        test_user=shimtest
        if ! getent passwd "$test_user" >/dev/null; then
            useradd --create-home --shell /bin/bash "$test_user" 3>&- || return 1
        fi
        # useradd adds the ranges by itself only where login.defs says so.
        grep -q "^$test_user:" /etc/subuid 2>/dev/null ||
            usermod --add-subuids 300000-365535 "$test_user" || return 1
        grep -q "^$test_user:" /etc/subgid 2>/dev/null ||
            usermod --add-subgids 300000-365535 "$test_user" || return 1
    else
        test_user=$(id -un)
    fi
    test_uid=$(id -u "$test_user") test_gid=$(id -g "$test_user")
    test_home=$(getent passwd "$test_user" | cut -d: -f6)
    test_subuid=$(awk -F: -v user="$test_user" '$1 == user {print $2; exit}' /etc/subuid)
    test_subgid=$(awk -F: -v user="$test_user" '$1 == user {print $2; exit}' /etc/subgid)
    export test_user test_uid test_gid test_home test_subuid test_subgid
}

# as_user COMMAND [ARG...]: runs it as $test_user with that user's ids and groups, an empty
# environment but for HOME, USER, PATH, SHIMBOX and PROBE, and the home directory as cwd.
as_user() {
    local command=(env -i "HOME=$test_home" "USER=$test_user" "PATH=$PATH" "SHIMBOX=$SHIMBOX"
        "PROBE=$PROBE" "$@")
    if [ "$(id -u)" = 0 ]; then
        command=(setpriv --reuid "$test_uid" --regid "$test_gid" --init-groups
            --inh-caps=-all "${command[@]}")
    fi
    (cd "$test_home" && exec "${command[@]}")
}

# skip_without WHAT PROBE...: skips the test when the command PROBE fails, and says so on the
# terminal too: WHAT, the command, and its own words. The command must not be the code under test.
skip_without() {
    local what=$1 answer
    shift
    if ! answer=$("$@" 2>&1 </dev/null 3>&-); then
        echo "# SKIPPED: $BATS_TEST_DESCRIPTION: no $what (\`$*\`: ${answer%%$'\n'*})" >&3
        skip "no $what"
    fi
}
need_root() {
    skip_without "root" test "$(id -u)" = 0
}
need_user_namespaces() {
    skip_without "user namespaces" unshare --user true
}
# As an ordinary user, see need_unprivileged_user.
need_rootless() {
    need_unprivileged_user
    skip_without "user namespaces for ordinary users" as_user unshare --user --map-root-user true
    skip_without "newuidmap" command -v newuidmap
}
need_cgroup2() {
    skip_without "cgroup version 2 on /sys/fs/cgroup" \
        test "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs
}
need_command() {
    skip_without "$1" command -v "$1"
}
