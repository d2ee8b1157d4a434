#!/bin/busybox sh
# SELinux labels of the program, of its files and of what is executed later, under the policy of
# policy.cil. Runs in the test machine's initramfs, by busybox; facts come from the probe. Prints TAP.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# shellcheck source=tests/vm/report.sh
. /tests/report.sh

program=system_u:system_r:container_t:s0:c1,c2
files=system_u:object_r:container_file_t:s0:c1,c2
secret=system_u:object_r:secret_t:s0:c1,c2

# write_config PROCESS LINUX PROBE: what these add to a bundle of six namespaces.
write_config() {
    cat >/bundle/config.json <<END
{"ociVersion": "1.1.0", "root": {"path": "rootfs"}, "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "dev", "options": ["nosuid", "mode=755"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "pts", "options": ["newinstance"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
    {"destination": "/secret", "type": "tmpfs", "source": "s", "options": ["context=\"$secret\""]}],
 "process": {"args": ["/bin/probe", $3], "cwd": "/", "user": {"uid": 0, "gid": 0}$1},
 "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "uts"}, {"type": "ipc"},
    {"type": "network"}, {"type": "cgroup"}]$2}}
END
}
command() {
    "$@" >/out/stdout 2>/out/stderr </dev/null
    status=$?
    # Some kernels count the end of a label among its letters.
    sed -i 's/\\x00$//' /out/stdout
}
works() {
    command "$@"
    expect status 0 "$status"
    expect stderr "" "$(cat /out/stderr)"
}
refused() {
    wanted=$1 line=$2
    shift 2
    command "$@"
    expect status "$wanted" "$status"
    expect stdout "" "$(cat /out/stdout)"
    expect stderr "$line" "$(cat /out/stderr)"
}

mkdir -p /bundle/rootfs/bin /out
cp /bin/busybox /bin/probe /bundle/rootfs/bin/
: >/out/stdout
: >/out/stderr
mount -t selinuxfs selinux /sys/fs/selinux
cat /policy >/sys/fs/selinux/load
echo 1 >/sys/fs/selinux/enforce
expect "our label" system_u:system_r:host_t:s0 "$(tr -d '\0\n' </proc/self/attr/current)"
expect enforcing 1 "$(cat /sys/fs/selinux/enforce)"
finish_test "the policy is in force"

facts='"read=/proc/self/attr/current", "read=/proc/self/attr/exec", "open=/secret/f,create", "open=/dev/f,create", "nnp"'
for more in "" ', "noNewPrivileges": true'; do
    write_config "$more" "" "$facts"
    works shimbox run --bundle /bundle
    expect_fact "read:/proc/self/attr/current=system_u:system_r:host_t:s0" "open:/secret/f=ok"
    write_config ", \"selinuxLabel\": \"$program\"$more" "" "$facts"
    works shimbox run --bundle /bundle
    expect_fact "read:/proc/self/attr/current=$program" "read:/proc/self/attr/exec=" \
        "open:/secret/f=EACCES" "open:/dev/f=ok"
done
finish_test "selinuxLabel: the program's, and it holds"

write_config ', "selinuxLabel": "system_u:system_r:nobody_t:s0"' "" '"pid"'
refused 1 "shimbox run: /process/selinuxLabel: cannot use the SELinux label system_u:system_r:nobody_t:s0: Invalid argument (the policy that is loaded has no such context)" \
    shimbox run --bundle /bundle
finish_test "selinuxLabel: refused, not in the policy"

write_config "" ", \"mountLabel\": \"$files\", \"maskedPaths\": [\"/sys/kernel\"]" \
    '"mounts", "label=/dev", "label=/dev/pts", "label=/dev/mqueue", "label=/secret", "label=/sys/kernel"'
works shimbox run --bundle /bundle
expect_fact "label:/dev=$files" "label:/dev/pts=$files" "label:/dev/mqueue=$files" "label:/secret=$secret" \
    "label:/sys/kernel=$files"
for place in /dev /dev/pts /secret /sys/kernel; do
    expect "context of $place" 1 "$(grep -c "^mounts:$place\.super=.*context=" /out/stdout)"
done
for place in /proc /sys /dev/mqueue; do
    expect "context of $place" 0 "$(grep -c "^mounts:$place\.super=.*context=" /out/stdout)"
done
finish_test "mountLabel: of new file systems, but for the kernel's own"

write_config "" ', "mountLabel": "system_u:object_r:nothing_t:s0"' '"pid"'
command shimbox run --bundle /bundle
expect status 1 "$status"
expect stdout "" "$(cat /out/stdout)"
expect named 1 "$(grep -c '^shimbox run: /mounts/1: cannot mount /dev: .*system_u:object_r:nothing_t:s0' /out/stderr)"
finish_test "mountLabel: refused, not in the policy"

write_config ", \"selinuxLabel\": \"$program\"" "" '"sigwait"'
shimbox run --detach --bundle /bundle c </dev/null >/out/run 2>&1
expect detached "0 " "$? $(grep -v ready /out/run)"
works shimbox exec c /bin/probe read=/proc/self/attr/current
expect_fact "read:/proc/self/attr/current=$program"
works shimbox exec --process-label system_u:system_r:container_t:s0 c /bin/probe read=/proc/self/attr/current
expect_fact read:/proc/self/attr/current=system_u:system_r:container_t:s0
echo '{"args": ["/bin/probe", "read=/proc/self/attr/current"], "cwd": "/", "user": {"uid": 0, "gid": 0}}' >/out/process
works shimbox exec --process /out/process c
expect_fact "read:/proc/self/attr/current=$program"
refused 255 "shimbox exec: /process/selinuxLabel: cannot use the SELinux label x: Invalid argument (the policy that is loaded has no such context)" \
    shimbox exec --process-label x c /bin/probe pid
shimbox delete --force c
finish_test "exec: the container's label, or another one"

echo "1..$count"
