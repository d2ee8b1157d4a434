/* Namespaces by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/sys.h"

static const struct {
    char name[8];
    uint32_t flag;
} namespaces[NAMESPACE_TYPES] = {
    [NAMESPACE_USER] = {"user", CLONE_NEWUSER},
    [NAMESPACE_MOUNT] = {"mount", CLONE_NEWNS},
    [NAMESPACE_PID] = {"pid", CLONE_NEWPID},
    [NAMESPACE_NETWORK] = {"network", CLONE_NEWNET},
    [NAMESPACE_IPC] = {"ipc", CLONE_NEWIPC},
    [NAMESPACE_UTS] = {"uts", CLONE_NEWUTS},
    [NAMESPACE_CGROUP] = {"cgroup", CLONE_NEWCGROUP},
    [NAMESPACE_TIME] = {"time", CLONE_NEWTIME},
};

const char *namespace_name(enum namespace_type type)
{
    return namespaces[type].name;
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

static int join(int fd, enum namespace_type type)
{
    step("join %s namespace", namespace_name(type));
    if (sys_setns(fd, (int)namespace_flag(type)) < 0)
        return -errno;
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
