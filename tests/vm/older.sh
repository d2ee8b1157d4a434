#!/bin/busybox sh
# A kernel older than 5.12, without mount_setattr(2): what needs it is refused by one line that says
# so, and leaves nothing; what does not need it works. Runs in the test machine's initramfs, by
# busybox; facts come from the probe. Prints TAP.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# shellcheck source=tests/vm/report.sh
. /tests/report.sh

no_setattr="cannot change the attributes of a mount: Function not implemented (needs Linux 5.12)"
no_idmap="cannot idmap a mount: Function not implemented (needs Linux 5.12)"

# command COMMAND...: keeps its status and output. refused STATUS LINE COMMAND...: that line alone.
command() {
    "$@" >/out/stdout 2>/out/stderr </dev/null
    status=$?
}
refused() {
    wanted=$1 line=$2
    shift 2
    snapshot >/out/before
    command "$@"
    snapshot >/out/after
    expect status "$wanted" "$status"
    expect stdout "" "$(cat /out/stdout)"
    expect stderr "$line" "$(cat /out/stderr)"
    expect "what is left" "" "$(diff /out/before /out/after)"
}
works() {
    snapshot >/out/before
    command "$@"
    snapshot >/out/after
    expect status 0 "$status"
    expect stderr "" "$(cat /out/stderr)"
    expect "what is left" "" "$(diff /out/before /out/after)"
}

# write_config MOUNTS ROOT LINUX PROBE: what these add to a bundle of six namespaces.
write_config() {
    cat >/bundle/config.json <<END
{"ociVersion": "1.1.0", "root": {"path": "rootfs"$2}, "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "source": "dev", "options": ["nosuid", "mode=755"]}$1],
 "process": {"args": ["/bin/probe", $4], "cwd": "/", "user": {"uid": 0, "gid": 0}},
 "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "uts"}, {"type": "ipc"},
    {"type": "network"}, {"type": "cgroup"}]$3}}
END
}

mkdir -p /bundle/rootfs/bin /bundle/rootfs/only-here /out /here /there
mkdir -p /run/netns # the place that everybody knows; netns-new makes it, as ip netns does
echo secret >/canary
cp /bin/busybox /bin/probe /bundle/rootfs/bin/
: >/bundle/config.json

: >/out/stdout
: >/out/stderr
expect "the kernel" 5.10 "$(uname -r | cut -d . -f 1-2)"
finish_test "this kernel is older than 5.12"

refused 1 "shimbox run: /mounts/7: cannot mount /sys/fs/cgroup: $no_setattr" \
    shimbox run -- shimbox --version
finish_test "run: refused, the default configuration"

write_config ', {"destination": "/mnt", "type": "bind", "source": "/here", "options": ["ro"]}' \
    "" "" '"pid"'
refused 1 "shimbox run: /mounts/2: cannot mount /mnt: $no_setattr" shimbox run --bundle /bundle
finish_test "run: refused, a bind mount with flags"

write_config "" ', "readonly": true' "" '"pid"'
refused 1 "shimbox run: /root/readonly: $no_setattr" shimbox run --bundle /bundle
finish_test "run: refused, a read-only root"

write_config "" "" ', "readonlyPaths": ["/proc/sys"]' '"pid"'
refused 1 "shimbox run: /linux/readonlyPaths/0: $no_setattr" shimbox run --bundle /bundle
finish_test "run: refused, a read-only path"

write_config ', {"destination": "/mnt", "type": "bind", "source": "/here",
    "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}],
    "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}]}' "" "" '"pid"'
refused 1 "shimbox run: /mounts/2: cannot mount /mnt: $no_idmap" shimbox run --bundle /bundle
finish_test "run: refused, an idmapped mount"

write_config ', {"destination": "/mnt", "type": "bind", "source": "/here", "options": ["rbind"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro", "nosuid"]}' \
    "" ', "maskedPaths": ["/proc/kcore", "/proc/acpi"]' \
    '"pid", "cwd", "list=/", "climb=/proc", "list=/", "exists=/canary", "mounts", "mkdir=/sys/x"'
works shimbox run --bundle /bundle
expect_fact pid=1 cwd=/ exists:/canary=no mounts:/mnt.root=/here mkdir:/sys/x=EROFS \
    mounts:/sys.options=ro,nosuid,relatime mounts:/proc/kcore.root=/null
expect roots 2 "$(grep -c '^list:/=.*only-here' /out/stdout)"
finish_test "run: works, masks and mounts that need nothing newer"

works shimbox spec -o - -- /bin/probe
expect "the configuration" 1 "$(grep -c '"/sys/fs/cgroup"' /out/stdout)"
finish_test "spec"

works shimbox inspect
expect_fact "ids.uid.real: 0" "process.name: shimbox"
works shimbox inspect --system
expect_fact "kernel.release: $(uname -r)"
finish_test "inspect"

command shimbox rootless-check --report
expect status 1 "$status"
expect stderr "" "$(cat /out/stderr)"
expect_fact "pass open-tree: there" \
    "fail kernel: Linux $(uname -r) x86_64; fix: boot Linux 5.12 or newer"
expect "the missing call" 1 "$(grep -c '^fail mount-setattr: Function not implemented; fix: boot Linux 5.12 or newer' /out/stdout)"
finish_test "rootless-check names the missing call"

refused 125 "shimbox idmap-mount: $no_idmap" shimbox idmap-mount -b 0:100000:10 /here /there
refused 125 "shimbox idmap-mount: $no_idmap" shimbox idmap-mount -b 0:100000:10 --detached /here -- true
command shimbox idmap-mount --probe /here
expect status 1 "$status"
expect "the answer" "no: $no_idmap" "$(cat /out/stdout)"
finish_test "idmap-mount: refused"

refused 125 "shimbox netns-new: $no_setattr" shimbox netns-new --name blue
finish_test "netns-new: a name is refused"

works shimbox unshare -Urmpf --mount-proc /bin/probe pid uid
expect_fact pid=1 uid=0
works shimbox userns-fd -b 0:100000:10 -- unshare --userns -- cat /proc/self/uid_map
expect "the map" "0 100000 10" "$(xargs </out/stdout)"
works shimbox netns-new -- unshare --netns -- probe interfaces
expect_fact interfaces.lo.up=yes
refute_text dummy0
works shimbox setpriv --reuid 1000 --regid 1000 --clear-groups --bounding-set=-all probe uid gid caps
expect_fact uid=1000 gid=1000 caps.bnd=0000000000000000
works shimbox nsenter -t 1 -m -u -i -n -p probe uid
expect_fact uid=0
finish_test "unshare, userns-fd, netns-new, setpriv, nsenter"

command shimbox cgroup-run --pids 5 /job/one -- grep ^0:: /proc/self/cgroup
expect status 0 "$status"
expect stderr "" "$(cat /out/stderr)"
expect "the cgroup" 0::/job/one "$(cat /out/stdout)"
expect "its limit" 5 "$(cat /sys/fs/cgroup/job/one/pids.max)"
shimbox cgroup-run /job/one -- sleep 1000 &
until grep -q . /sys/fs/cgroup/job/one/cgroup.procs; do :; done
command shimbox cgroup-run --kill /job
expect status 0 "$status"
expect stderr "" "$(cat /out/stderr)"
wait "$!"
expect "how it ended" 137 "$?"
command shimbox cgroup-run --delete /job
expect status 0 "$status"
expect "what is left" no "$([ -e /sys/fs/cgroup/job ] && echo yes || echo no)"
finish_test "cgroup-run: killed by freezing"
echo "1..$count"
