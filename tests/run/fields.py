"""Every field of runtime-spec's config.md and config-linux.md, and the test that proves it.
SPDX-License-Identifier: Apache-2.0

What stands below a field belongs to it, `*` is any element. test_fields.py checks that this table is
complete, that its tests exist, and that it says of each field what core/oci/fields.c says.
"""

# Fields that the packaged schema (1.0.2 and some) does not have, by the version that brought them.
NEWER = {
    "1.1.0": [
        "/process/scheduler/policy", "/process/scheduler/nice", "/process/scheduler/priority",
        "/process/scheduler/flags", "/process/scheduler/runtime", "/process/scheduler/deadline",
        "/process/scheduler/period", "/process/ioPriority/class", "/process/ioPriority/priority",
        "/linux/timeOffsets/monotonic/secs", "/linux/timeOffsets/monotonic/nanosecs",
        "/linux/timeOffsets/boottime/secs", "/linux/timeOffsets/boottime/nanosecs",
    ],
    "1.2.1": ["/process/execCPUAffinity/initial", "/process/execCPUAffinity/final"],
    "1.3.0": [
        "/linux/memoryPolicy/mode", "/linux/memoryPolicy/nodes", "/linux/memoryPolicy/flags",
        "/linux/intelRdt/schemata", "/linux/intelRdt/enableMonitoring", "/linux/netDevices/*/name", "/freebsd",
    ],
}

# Sections of other systems: named when they are there, never applied.
ELSEWHERE = ["/solaris", "/windows", "/vm", "/zos", "/freebsd", "/process/commandLine",
             "/process/user/username"]

# Fields that are always refused, and why.
WAITING = {
    "resctrl is not supported": ["/linux/intelRdt"],
}

# Fields that are refused where they ask for anything.
REFUSED = "run/test_cgroup.py::Cgroup.test_unsupported"

# Fields that are applied: FILE below tests/, `::`, and CLASS.METHOD, or the title of a bats test, or
# the function of a test of core.
PROVEN = {
    "/ociVersion": "core/config.c::wrong_versions_are_named",
    "/process/terminal": "run/test_terminal.py::Terminal.test_facts",
    "/process/consoleSize": "run/test_terminal.py::Terminal.test_precedence",
    "/mounts/*/uidMappings": "run/test_idmap.py::Idmap.test_ownership",
    "/mounts/*/gidMappings": "run/test_idmap.py::Idmap.test_ownership",
    "/process/args": "run/test_process.py::Program.test_args",
    "/process/env": "run/test_process.py::Program.test_env",
    "/process/cwd": "run/test_process.py::Program.test_cwd",
    "/process/user/uid": "run/test_process.py::Identity.test_ids",
    "/process/user/gid": "run/test_process.py::Identity.test_ids",
    "/process/user/umask": "run/test_process.py::Identity.test_umask",
    "/process/user/additionalGids": "run/test_process.py::Identity.test_ids",
    "/process/capabilities": "run/test_process.py::Capabilities.test_sets",
    "/process/rlimits": "run/test_process.py::Limits.test_each",
    "/process/apparmorProfile": "vm/test_apparmor.py::AppArmor.test_profile",
    "/process/selinuxLabel": "vm/selinux.sh::selinuxLabel: the program's, and it holds",
    "/linux/netDevices": "lifecycle/test_net_devices.py::NetDevices.test_moved",
    "/linux/mountLabel": "vm/selinux.sh::mountLabel: of new file systems, but for the kernel's own",
    "/process/noNewPrivileges": "run/test_process.py::Capabilities.test_sets",
    "/process/oomScoreAdj": "run/test_schedule.py::Schedule.test_oom_score_set",
    "/process/scheduler/policy": "run/test_schedule.py::Schedule.test_scheduler_real_time",
    "/process/scheduler/nice": "run/test_schedule.py::Schedule.test_scheduler_ordinary",
    "/process/scheduler/priority": "run/test_schedule.py::Schedule.test_scheduler_real_time",
    "/process/scheduler/flags": "run/test_schedule.py::Schedule.test_scheduler_keep",
    "/process/scheduler/runtime": "run/test_schedule.py::Schedule.test_scheduler_deadline",
    "/process/scheduler/deadline": "run/test_schedule.py::Schedule.test_scheduler_deadline",
    "/process/scheduler/period": "run/test_schedule.py::Schedule.test_scheduler_deadline",
    "/process/ioPriority": "run/test_schedule.py::Schedule.test_io_priority_classes",
    "/process/execCPUAffinity":
        "lifecycle/test_exec.py::Exec.test_affinity",
    "/root/path": "run/test_mounts.py::Root.test_pivoted",
    "/root/readonly": "run/test_mounts.py::Root.test_readonly",
    "/hostname": "run/test_namespaces.py::New.test_hostname",
    "/domainname": "run/test_kernel.py::Kernel.test_domainname_set",
    "/mounts/*/destination": "run/test_mounts.py::FileSystems.test_types",
    "/mounts/*/type": "run/test_mounts.py::FileSystems.test_types",
    "/mounts/*/source": "run/test_mounts.py::Binds.test_file_and_directory",
    "/mounts/*/options": "run/test_mounts.py::Binds.test_each_option",
    "/annotations": "lifecycle/test_state.py::State.test_fields",
    "/hooks": "lifecycle/test_hooks.py::Hooks.test_each",
    "/linux/uidMappings": "run/test_namespaces.py::Mappings.test_root",
    "/linux/gidMappings": "run/test_namespaces.py::Mappings.test_root",
    "/linux/namespaces/*/type": "run/test_namespaces.py::New.test_each",
    "/linux/namespaces/*/path": "run/test_namespaces.py::Joined.test_each",
    "/linux/devices": "run/test_mounts.py::Devices.test_listed",
    "/linux/rootfsPropagation": "run/test_mounts.py::Root.test_propagation",
    "/linux/maskedPaths": "run/test_mounts.py::Paths.test_masked",
    "/linux/readonlyPaths": "run/test_mounts.py::Paths.test_readonly",
    "/linux/sysctl": "run/test_kernel.py::Kernel.test_sysctl_each_namespace",
    "/linux/timeOffsets": "run/test_kernel.py::Kernel.test_time_offsets",
    "/linux/memoryPolicy": "run/test_schedule.py::Schedule.test_memory_policy_modes",
    "/linux/cgroupsPath": "run/test_cgroup.py::Cgroup.test_paths",
    "/linux/resources/devices": "run/test_cgroup.py::Cgroup.test_devices",
    "/linux/resources/memory/limit": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/memory/reservation": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/memory/swap": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/memory/checkBeforeUpdate": "vm/test_container_limits.py::Limits.test_check_before",
    "/linux/resources/memory/useHierarchy": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/cpu/shares": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/cpu/quota": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/cpu/burst": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/cpu/period": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/cpu/cpus": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/cpu/mems": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/cpu/idle": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/pids/limit": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/unified": "vm/test_container_limits.py::Limits.test_each",
    "/linux/resources/memory/kernel": REFUSED,
    "/linux/resources/memory/kernelTCP": REFUSED,
    "/linux/resources/memory/swappiness": REFUSED,
    "/linux/resources/memory/disableOOMKiller": REFUSED,
    "/linux/resources/cpu/realtimeRuntime": REFUSED,
    "/linux/resources/cpu/realtimePeriod": REFUSED,
    "/linux/resources/blockIO": REFUSED,
    "/linux/resources/hugepageLimits": REFUSED,
    "/linux/resources/network": REFUSED,
    "/linux/resources/rdma": REFUSED,
    "/linux/seccomp/defaultAction": "run/test_seccomp.py::Seccomp.test_default_actions",
    "/linux/seccomp/defaultErrnoRet": "run/test_seccomp.py::Seccomp.test_default_errno",
    "/linux/seccomp/architectures": "run/test_seccomp.py::Seccomp.test_other_architectures",
    "/linux/seccomp/flags": "run/test_seccomp.py::Seccomp.test_flags",
    "/linux/seccomp/listenerPath": "run/test_seccomp_notify.py::Notify.test_state",
    "/linux/seccomp/listenerMetadata": "run/test_seccomp_notify.py::Notify.test_state",
    "/linux/seccomp/syscalls/*/names": "run/test_seccomp.py::Seccomp.test_names",
    "/linux/seccomp/syscalls/*/action": "run/test_seccomp.py::Seccomp.test_actions",
    "/linux/seccomp/syscalls/*/errnoRet": "run/test_seccomp.py::Seccomp.test_actions",
    "/linux/seccomp/syscalls/*/args": "run/test_seccomp.py::Seccomp.test_arguments",
    "/linux/personality": "run/test_schedule.py::Schedule.test_personality_domains",
}
