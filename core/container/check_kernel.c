/* What the kernel has: told by its answer to calls that cannot succeed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/base/own.h"
#include "core/container/check_parts.h"
#include "core/linux/sys.h"

static void check_version(struct check_context *context)
{
    struct utsname name;
    if (uname(&name) < 0) {
        check_put(context, CHECK_KERNEL, CHECK_UNKNOWN, errno, "uname: %s", strerror(errno));
        return;
    }
    char *rest;
    unsigned long major = strtoul(name.release, &rest, 10);
    unsigned long minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
    bool good = major > 5 || (major == 5 && minor >= 12);
    struct check *check = check_put(context, CHECK_KERNEL, good ? CHECK_PASS : CHECK_FAIL, 0,
                                    "Linux %s %s", name.release, name.machine);
    if (!good)
        check_fix(check, "boot Linux 5.12 or newer");
}

/* result and errno of a call that the kernel answers with `expected` where it knows it. since: the
 * version that brought it. */
static void judge(struct check_context *context, unsigned id, enum check_status without, int result,
                  int expected, const char *since)
{
    int number = result < 0 ? errno : 0;
    if (number == expected) {
        check_put(context, id, CHECK_PASS, 0, "there");
    } else if (number == ENOSYS) {
        check_fix(check_put(context, id, without, number, "%s", strerror(number)),
                  "boot Linux %s or newer; inside of a container: a seccomp profile that knows it",
                  since);
    } else {
        check_fix(check_put(context, id, without, number, "answers %s",
                            number ? strerror(number) : "what it should not"),
                  "%s",
                  number ? "start the outer container with --security-opt "
                           "seccomp=unconfined"
                         : "");
    }
}

static void check_calls(struct check_context *context)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC};
    struct clone_args cgroup = {.flags = CLONE_INTO_CGROUP, .cgroup = INT_MAX};
    judge(context, CHECK_OPEN_TREE, CHECK_FAIL, sys_open_tree(-1, "", ~0U), EINVAL, "5.2");
    judge(context, CHECK_MOUNT_SETATTR, CHECK_FAIL, sys_mount_setattr(-1, "", ~0U, NULL), EINVAL,
          "5.12");
    judge(context, CHECK_OPEN_TREE_ATTR, CHECK_WARN, sys_open_tree_attr(-1, "", ~0U, NULL, 0),
          EINVAL, "6.15");
    judge(context, CHECK_CLONE3, CHECK_WARN, sys_clone3_size(NULL, 0), EINVAL, "5.3");
    /* 5.7 looks for the cgroup; before, the flag is not known. */
    judge(context, CHECK_CLONE_INTO_CGROUP, CHECK_WARN, sys_clone3(&cgroup), EBADF, "5.7");
    judge(context, CHECK_CLOSE_RANGE, CHECK_FAIL, sys_close_range(~0U, ~0U, 0), 0, "5.9");
    autoclose int pidfd = sys_pidfd_open(getpid());
    judge(context, CHECK_PIDFD, CHECK_FAIL, pidfd, 0, "5.3");
    autoclose int here = sys_openat2(AT_FDCWD, "/", &how);
    judge(context, CHECK_OPENAT2, CHECK_WARN, here, 0, "5.6");
}

static void check_sandboxes(struct check_context *context)
{
    struct seccomp_notif_sizes sizes;
    judge(context, CHECK_SECCOMP, CHECK_WARN, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL),
          EFAULT, "with CONFIG_SECCOMP_FILTER");
    judge(context, CHECK_SECCOMP_NOTIFY, CHECK_WARN,
          sys_seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes), 0, "5.0");
    int version = sys_landlock_version();
    if (version > 0)
        check_put(context, CHECK_LANDLOCK, CHECK_PASS, 0, "ABI version %d", version);
    else if (errno == EOPNOTSUPP)
        check_fix(check_put(context, CHECK_LANDLOCK, CHECK_WARN, errno, "built in, but off"),
                  "boot with landlock in lsm= on the kernel's command line");
    else
        check_fix(check_put(context, CHECK_LANDLOCK, CHECK_WARN, errno, "%s", strerror(errno)),
                  "boot Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK=y");
}

void check_kernel(struct check_context *context)
{
    check_version(context);
    check_calls(context);
    check_sandboxes(context);
}

/* Those hold no files of users, and can never be idmapped. */
static bool is_interface(const char *type)
{
    static const char types[][12] = {
        "proc",    "sysfs",       "cgroup",     "cgroup2", "devpts",     "devtmpfs",  "mqueue",
        "debugfs", "tracefs",     "securityfs", "bpf",     "fusectl",    "configfs",  "pstore",
        "autofs",  "binfmt_misc", "efivarfs",   "nsfs",    "rpc_pipefs", "selinuxfs",
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

static void check_idmap(struct check_context *context, unsigned id, const char *point,
                        int namespace)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP,
                                    .userns_fd = (uint64_t) namespace};
    autoclose int mount = sys_open_tree(AT_FDCWD, point, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (mount >= 0 && sys_mount_setattr(mount, "", AT_EMPTY_PATH, &attributes) == 0)
        check_put(context, id, CHECK_PASS, 0, "%s can be idmapped", point);
    else if (errno == EPERM || errno == ENOENT || errno == EACCES)
        check_put(context, id, CHECK_UNKNOWN, errno, "%s: %s%s", point, strerror(errno),
                  errno == EPERM ? " (only root of the initial user namespace may try)" : "");
    else
        check_fix(check_put(context, id, CHECK_WARN, errno, "%s cannot be idmapped: %s", point,
                            strerror(errno)),
                  "%s", errno == EINVAL ? "copy the files to a file system that can be" : "");
}

void check_idmaps(struct check_context *context, pid_t pid)
{
    struct checks *checks = context->checks;
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    autoclose int namespace = open(path, O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < context->mount_count && checks->count < CHECKS_MAX; i++) {
        const struct mountinfo *mount = &context->mounts[i];
        char id[sizeof(checks->list[0].id)];
        int length = snprintf(id, sizeof(id), "idmap-%s", mount->type);
        if (is_interface(mount->type) || length >= (int)sizeof(id) ||
            check_find(checks, id, (size_t)length))
            continue;
        memcpy(checks->list[checks->count].id, id, sizeof(id));
        /* Of the initial user namespace there is no idmapped mount. */
        if (namespace < 0 || checks->list[CHECK_USERNS_MAP].status != CHECK_PASS)
            check_put(context, (unsigned)checks->count, CHECK_UNKNOWN, 0,
                      "without a user namespace there is nothing to map by");
        else
            check_idmap(context, (unsigned)checks->count, mount->point, namespace);
        checks->count++;
    }
}
