#!/bin/busybox sh
# Containers where the host's root is the kernel's rootfs, which pivot_root(2) cannot replace. Runs in
# the test machine's initramfs, by busybox; facts come from the probe. Prints TAP.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# shellcheck source=tests/vm/report.sh
. /tests/report.sh

# write_config [OPTION of spec...]; container [OPTION of run...], which must say nothing on stderr.
write_config() {
    rm -f /bundle/config.json
    shimbox spec --bundle /bundle "$@" || problems="$problems
# cannot write the config"
}
container() {
    shimbox run --bundle /bundle "$@" >/out/stdout 2>/out/stderr </dev/null
    status=$?
    expect stderr "" "$(cat /out/stderr)"
}

# Facts of whoever tries to get out, to be followed by `expect_inside`.
ways_out="list=/ climb=/tmp/sub list=/ reenter=/ list=/ exists=/canary exists=/bundle mounts"
expect_inside() {
    expect status 0 "$status"
    expect_fact exists:/canary=no exists:/bundle=no climb:/tmp/sub=ok
    # The probe lists the root three times; whatever it did in between, it is the container's.
    expect roots 3 "$(grep -c '^list:/=.*only-here' /out/stdout)"
    # What is mounted is what the config mounts, and nothing is on the root but itself.
    expect "mounts on /" 1 "$(grep -c '^mounts:/\.type=' /out/stdout)"
    for place in /host-mount /disk /modules /bundle /run /root; do
        refute_text "mounts:$place"
    done
}

mkdir -p /bundle/rootfs/bin /bundle/rootfs/only-here /host-mount /out
echo secret >/canary
mount -t tmpfs host /host-mount
echo secret >/host-mount/canary
cp /bin/busybox /bin/probe /bundle/rootfs/bin/
ln -s busybox /bundle/rootfs/bin/sh
snapshot >/out/before

expect "the root's type" rootfs "$(sed -n 's/^\([0-9]*\) \1 .* - \([a-z]*\) .*/\2/p' /proc/self/mountinfo)"
: >/out/stdout
: >/out/stderr
finish_test "this is the kernel's rootfs"

write_config -- /bin/probe pid cwd stat=/ stat=/.. list=/ mount=/
container
expect status 0 "$status"
expect_fact pid=1 cwd=/
expect "the way up" "$(sed -n 's/^stat:\/\.inode=//p' /out/stdout)" \
    "$(sed -n 's/^stat:\/\.\.\.inode=//p' /out/stdout)"
finish_test "a bundle"

for code in 0 1 7 255; do
    write_config -- /bin/sh -c "exit $code"
    container
    expect status "$code" "$status"
done
container --no-pivot
expect "status without pivot" 255 "$status"
finish_test "exit codes"

shimbox --list >/out/list
shimbox run -- shimbox --list >/out/stdout 2>/out/stderr
expect status 0 $?
expect applets "$(cat /out/list)" "$(cat /out/stdout)"
expect stderr "" "$(cat /out/stderr)"
finish_test "the embedded root"

# shellcheck disable=SC2086 # words
shimbox unshare --pid --fork -- mount-tree --proc --dev --pivot /bundle/rootfs -- \
    /bin/probe pid $ways_out >/out/stdout 2>/out/stderr </dev/null
status=$?
expect stderr "" "$(cat /out/stderr)"
expect_fact pid=1 mounts:/dev.type=tmpfs
expect_inside
finish_test "the links of a chain"

# shellcheck disable=SC2086 # words
for root in "--root /bundle/rootfs" "--detached-root"; do
    rmdir /bundle/rootfs/tmp/sub 2>/dev/null
    if [ "$root" = --detached-root ]; then before="mount-tree --detached /bundle/rootfs --"; else before=; fi
    shimbox ${before:-limits --} unshare --mount --pid --fork --mount-proc $root -- \
        /bin/probe pid $ways_out >/out/stdout 2>/out/stderr </dev/null
    status=$?
    expect stderr "" "$(cat /out/stderr)"
    expect_fact pid=1 mounts:/proc.type=proc
    expect_inside
done
finish_test "unshare changes the root"

users="--rootfs mapped --uid-map 0:100000:65536 --gid-map 0:100000:65536"
cp -a /bundle/rootfs /bundle/mapped
chown -R 100000:100000 /bundle/mapped
for pivot in "" --no-pivot; do
    for caps in "--cap-add SYS_CHROOT" "--cap-add ALL"; do
        for maps in "" "$users"; do
            # shellcheck disable=SC2086 # words
            write_config $caps $maps -- /bin/probe $ways_out
            # shellcheck disable=SC2086
            container $pivot
            expect_inside
            finish_test "no way out: $pivot $caps ${maps:+new user namespace}"
        done
    done
done

write_config --cap-add ALL -- /bin/probe unmount=/tmp unmount=/ mountfs=tmpfs,/only-here
container
expect_fact unmount:/tmp=ok unmount:/=EINVAL mountfs:tmpfs=ok
expect status 0 "$status"
finish_test "who may unmount can unmount everything but the root"

write_config --readonly --cap-add ALL -- /bin/probe mkdir=/x mount=/
container
expect_fact mkdir:/x=EROFS
finish_test "a read-only root"

# GHSA-fh74-hm69-rqjw: a complete proc of the host in the namespace would allow a fresh one.
for maps in "" "$users"; do
    # shellcheck disable=SC2086
    write_config --user 1000:1000 $maps -- /bin/busybox unshare -Urmpf /bin/busybox mount -t proc proc /tmp
    shimbox run --bundle /bundle >/out/stdout 2>/out/stderr </dev/null
    status=$?
    expect status 1 "$status"
    expect denied 1 "$(grep -c 'not permitted\|denied' /out/stderr)"
    finish_test "no proc without masks: ${maps:+new user namespace}"
done

rm -r /bundle/config.json /bundle/mapped
snapshot >/out/after
diff /out/before /out/after >/out/stdout
expect "what is left behind" 0 $?
finish_test "nothing is left behind"
echo "1..$count"
