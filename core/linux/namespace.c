/* Namespaces by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/sys.h"

static const struct {
    char name[8];
    char file[8];
    uint32_t flag;
    uint32_t initial; /* inode number: include/linux/proc_ns.h, from 6.18 on uapi/linux/nsfs.h */
} namespaces[NAMESPACE_TYPES] = {
    [NAMESPACE_USER] = {"user", "user", CLONE_NEWUSER, 0xeffffffd},
    [NAMESPACE_MOUNT] = {"mount", "mnt", CLONE_NEWNS, 0xeffffff8},
    [NAMESPACE_PID] = {"pid", "pid", CLONE_NEWPID, 0xeffffffc},
    [NAMESPACE_NETWORK] = {"network", "net", CLONE_NEWNET, 0xeffffff9},
    [NAMESPACE_IPC] = {"ipc", "ipc", CLONE_NEWIPC, 0xefffffff},
    [NAMESPACE_UTS] = {"uts", "uts", CLONE_NEWUTS, 0xeffffffe},
    [NAMESPACE_CGROUP] = {"cgroup", "cgroup", CLONE_NEWCGROUP, 0xeffffffb},
    [NAMESPACE_TIME] = {"time", "time", CLONE_NEWTIME, 0xeffffffa},
};

const char *namespace_name(enum namespace_type type)
{
    return namespaces[type].name;
}

const char *namespace_file(enum namespace_type type)
{
    return namespaces[type].file;
}

/* Are the numbers of the initial mount and network namespaces fixed as well? */
static bool are_all_fixed(void)
{
    struct utsname name;
    char *end;
    if (uname(&name) < 0)
        return false;
    unsigned long major = strtoul(name.release, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major > 6 || (major == 6 && minor >= 18);
}

int namespace_is_initial(enum namespace_type type, uint64_t inode)
{
    if (inode == namespaces[type].initial)
        return 1;
    if (type != NAMESPACE_MOUNT && type != NAMESPACE_NETWORK)
        return 0;
    return are_all_fixed() ? 0 : -1;
}

int namespace_own_is_initial(enum namespace_type type)
{
    char path[32];
    struct stat own;
    snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_file(type));
    if (stat(path, &own) < 0)
        return fail(errno, "cannot examine the %s namespace", namespace_name(type));
    int initial = namespace_is_initial(type, own.st_ino);
    /* What is set here holds for all network namespaces, so that only the first one shows it. */
    return initial < 0 ? access("/proc/sys/net/core/netdev_budget", F_OK) == 0 : initial;
}

int namespace_by_name(const char *name)
{
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        if (strcmp(name, namespaces[type].name) == 0)
            return type;
    }
    return -1;
}

uint64_t namespace_flag(enum namespace_type type)
{
    return namespaces[type].flag;
}

int namespace_open(const char *path, enum namespace_type type)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(errno, "cannot open %s namespace %s", namespace_name(type), path);
    int found = ioctl(fd, NS_GET_NSTYPE);
    if (found < 0)
        return fail(errno == ENOTTY ? EINVAL : errno, "%s is not a namespace", path);
    if ((uint64_t)found != namespace_flag(type))
        return fail(EINVAL, "%s is not a %s namespace", path, namespace_name(type));
    return take_fd(&fd);
}

bool namespace_has_type(int fd, enum namespace_type type)
{
    int found = ioctl(fd, NS_GET_NSTYPE);
    return found >= 0 && (uint64_t)found == namespace_flag(type);
}

int namespace_is_own(int fd, enum namespace_type type)
{
    char path[32];
    struct stat given;
    struct stat own;
    snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_file(type));
    if (fstat(fd, &given) < 0 || stat(path, &own) < 0)
        return fail(errno, "cannot examine the %s namespace", namespace_name(type));
    return given.st_dev == own.st_dev && given.st_ino == own.st_ino;
}

int namespace_owner(int fd)
{
    int owner = ioctl(fd, NS_GET_USERNS);
    if (owner < 0) {
        int result = fail(errno, "cannot open the user namespace that owns a namespace");
        if (errno == EPERM)
            error_hint("it is none that this process could see");
        return result;
    }
    fcntl(owner, F_SETFD, FD_CLOEXEC);
    return owner;
}

static int join(int fd, enum namespace_type type)
{
    step("join %s namespace", namespace_name(type));
    uint64_t before = type == NAMESPACE_TIME ? trace_clock() : 0;
    if (sys_setns(fd, (int)namespace_flag(type)) < 0)
        return -errno;
    if (type == NAMESPACE_TIME)
        trace_clock_moved(before);
    return 0;
}

/* One pass over all but the user namespace. The mount namespace is joined last: with it, the root
 * and all paths change. On the first pass EPERM only means: try again later. */
static int join_others(const int fds[NAMESPACE_TYPES], bool joined[NAMESPACE_TYPES], bool last_pass)
{
    static const enum namespace_type order[] = {
        NAMESPACE_IPC,    NAMESPACE_UTS,  NAMESPACE_NETWORK, NAMESPACE_PID,
        NAMESPACE_CGROUP, NAMESPACE_TIME, NAMESPACE_MOUNT,
    };
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        enum namespace_type type = order[i];
        if (fds[type] < 0 || joined[type])
            continue;
        int result = join(fds[type], type);
        if (result == 0)
            joined[type] = true;
        else if (last_pass || result != -EPERM)
            return fail(-result, "cannot join the %s namespace", namespace_name(type));
    }
    return 0;
}

int namespace_join_all(const int fds[NAMESPACE_TYPES])
{
    bool joined[NAMESPACE_TYPES] = {false};
    if (fds[NAMESPACE_USER] >= 0) {
        int result = join_others(fds, joined, false);
        if (result == 0)
            result = join(fds[NAMESPACE_USER], NAMESPACE_USER);
        if (result < 0)
            return fail(-result, "cannot join the user namespace");
    }
    return join_others(fds, joined, true);
}

int namespace_join_process(int pidfd, const int fds[NAMESPACE_TYPES])
{
    uint64_t flags = 0;
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        if (fds[type] >= 0)
            flags |= namespace_flag((enum namespace_type)type);
    }
    step("join the namespaces of the process");
    uint64_t before = flags & CLONE_NEWTIME ? trace_clock() : 0;
    if (flags && sys_setns(pidfd, (int)flags) < 0) {
        int number = errno;
        int result = fail(number, "cannot join the namespaces of the process");
        if (number == ESRCH)
            error_hint("it has ended");
        return result;
    }
    if (before)
        trace_clock_moved(before);
    return 0;
}
