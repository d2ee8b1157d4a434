/* What keeps containers of an ordinary user from working: probed for real, with cause and remedy.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files and sysctls tell what may be the cause; only trying tells what works. So namespaces are
 * made and file systems mounted, in children that end with the caller, in namespaces of theirs, by
 * descriptors that nothing keeps. The causes of user_namespaces(7), newuidmap(1), cgroups(7).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum check_status {
    CHECK_UNKNOWN, /* could not be told */
    CHECK_PASS,
    CHECK_WARN, /* containers work without it, with less */
    CHECK_FAIL,
};

/* In the order in which a cause is looked for: the first that explains a failure is named. */
enum check_id {
    CHECK_KERNEL_USERNS,
    CHECK_USERNS_SWITCH,
    CHECK_USERNS_LIMIT,
    CHECK_APPARMOR,
    CHECK_SECCOMP_FILTER,
    CHECK_CHROOT,
    CHECK_OWN_IDS,
    CHECK_OWN_BINARY,
    CHECK_SELINUX,
    CHECK_USERNS_CREATE,
    CHECK_USERNS_MAP,
    CHECK_NO_NEW_PRIVS,
    CHECK_SUBUID,
    CHECK_SUBGID,
    CHECK_SUBIDS_MAPPED,
    CHECK_NEWUIDMAP,
    CHECK_NEWGIDMAP,
    CHECK_NS_MOUNT,
    CHECK_NS_PID,
    CHECK_NS_NETWORK,
    CHECK_NS_IPC,
    CHECK_NS_UTS,
    CHECK_NS_CGROUP,
    CHECK_PROC_MASKED,
    CHECK_HIDEPID,
    CHECK_MOUNT_PROC,
    CHECK_MOUNT_SYSFS,
    CHECK_MOUNT_TMPFS,
    CHECK_OVERLAY,
    CHECK_CGROUP_V2,
    CHECK_CGROUP_DELEGATION,
    CHECK_RUNTIME_DIR,
    CHECK_USER_BUS,
    CHECK_HOME_FS,
    /* What the kernel has, from here on. */
    CHECK_FEATURES,
    CHECK_KERNEL = CHECK_FEATURES,
    CHECK_OPEN_TREE,
    CHECK_FSOPEN,
    CHECK_MOUNT_SETATTR,
    CHECK_OPEN_TREE_ATTR,
    CHECK_IDMAP_USERNS,
    CHECK_NS_TIME,
    CHECK_PIDFD,
    CHECK_CLONE3,
    CHECK_CLONE_INTO_CGROUP,
    CHECK_OPENAT2,
    CHECK_CLOSE_RANGE,
    CHECK_SECCOMP,
    CHECK_SECCOMP_NOTIFY,
    CHECK_LANDLOCK,
    /* And "idmap-TYPE" for each file system in use. */
    CHECK_FIXED,
};

#define CHECKS_MAX (CHECK_FIXED + 16)

struct check {
    char id[24];
    uint8_t status; /* enum check_status */
    int32_t number; /* errno of what was tried, 0 for none */
    char cause[24]; /* the id of the check that explains why this one failed, or "" */
    char seen[176]; /* what was seen, one line */
    char fix[256];  /* the command, or what to do, "" for nothing */
};

struct checks {
    size_t count;
    struct check list[CHECKS_MAX];
};

/* Try everything. Nothing is changed, and nothing is left: no process, no mount, no file. Takes
 * some 10 ms; newuidmap and its like, where they hang, are ended after two seconds each.
 * *checks is to be released with checks_free(). Returns 0 or a negative errno (recorded). */
int checks_run(struct checks **checks);
void checks_free(struct checks *checks);

/* The check of that id, or NULL. */
const struct check *check_find(const struct checks *checks, const char *id, size_t length);

/* The id that is nearest to this one, for "did you mean"; NULL when none is near. */
const char *check_nearest(const struct checks *checks, const char *id);

/* "pass", "warn", "fail", "unknown". */
const char *check_status_name(unsigned status);
