/* A process whose surroundings are joined.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/capability.h"
#include "core/linux/cgroup.h"
#include "core/linux/process.h"
#include "core/linux/process_status.h"
#include "core/linux/sys.h"

#define ENVIRONMENT_MAX (32 << 20) /* more than exec(2) takes */

/* The directory is that of the process which the pidfd is of, if that one still lives. */
static int open_directory(struct target *target)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d", (int)target->pid);
    target->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target->proc < 0) {
        int result = fail(errno, "cannot open process %d", (int)target->pid);
        if (errno == ENOENT)
            error_hint("/proc shows no such process; is it mounted?");
        return result;
    }
    if (sys_pidfd_send_signal(target->pidfd, 0) < 0 && errno == ESRCH)
        return fail(ESRCH, "cannot find process %d", (int)target->pid);
    return 0;
}

int target_open(struct target *target, pid_t pid)
{
    *target = NO_TARGET;
    target->pid = pid;
    step("open process %d", (int)pid);
    target->pidfd = sys_pidfd_open(pid);
    if (target->pidfd < 0)
        return fail(errno, "cannot find process %d", (int)pid);
    return open_directory(target);
}

int target_open_pidfd(struct target *target, int pidfd)
{
    *target = NO_TARGET;
    target->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
    if (target->pidfd < 0)
        return fail(errno, "cannot use descriptor %d as a pidfd", pidfd);
    pid_t pid = process_of_pidfd(target->pidfd);
    if (pid < 0) {
        error_context("descriptor %d", pidfd);
        return pid;
    }
    target->pid = pid;
    return open_directory(target);
}

void target_close(struct target *target)
{
    close_fd(&target->pidfd);
    close_fd(&target->proc);
}

int target_namespace(const struct target *target, enum namespace_type type)
{
    char path[16];
    snprintf(path, sizeof(path), "ns/%s", namespace_file(type));
    int fd = openat(target->proc, path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    int number = errno;
    int result = fail(number, "cannot open the %s namespace of process %d", namespace_name(type),
                      (int)target->pid);
    if (number == EACCES || number == EPERM)
        error_hint("needs the right to trace the process: its user, or CAP_SYS_PTRACE");
    else if (number == ENOENT)
        error_hint("this kernel has none, or the process has ended");
    return result;
}

int target_socket_namespace(const struct target *target, int socket)
{
    autoclose int fd = sys_pidfd_getfd(target->pidfd, socket);
    if (fd < 0)
        return fail(errno, "cannot get descriptor %d of process %d", socket, (int)target->pid);
    int network = ioctl(fd, SIOCGSKNS);
    if (network < 0) {
        int result = fail(errno, "cannot find the network namespace of descriptor %d of process %d",
                          socket, (int)target->pid);
        if (errno == ENOTTY || errno == EINVAL)
            error_hint("it is no socket");
        return result;
    }
    fcntl(network, F_SETFD, FD_CLOEXEC);
    return network;
}

int target_directory(const struct target *target, const char *name)
{
    int fd = openat(target->proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : fail(errno, "cannot open %s of process %d", name, (int)target->pid);
}

int target_environment(const struct target *target, struct text *environment)
{
    int result = read_file(target->proc, "environ", ENVIRONMENT_MAX, environment);
    if (result < 0)
        error_context("process %d", (int)target->pid);
    return result;
}

int target_enter(const struct target *target, const int fds[NAMESPACE_TYPES], bool together)
{
    uint64_t flags = 0;
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        if (fds[type] >= 0)
            flags |= namespace_flag((enum namespace_type)type);
    }
    if (!flags)
        return 0;
    if (capability_have(CAP_SYS_ADMIN) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fail(errno, "cannot hide this process from the namespaces to join");
    step("join namespaces");
    if (together && sys_setns(target->pidfd, (int)flags) == 0)
        return 0;
    return namespace_join_all(fds);
}

int target_ids(const struct target *target, uint32_t *uid, uint32_t *gid)
{
    autotext struct text status = {0};
    int result = read_file(target->proc, "status", 65536, &status);
    if (result < 0)
        return result;
    struct process_status known;
    const uint32_t both = UINT32_C(1) << STATUS_UID | UINT32_C(1) << STATUS_GID;
    process_status_parse(status.data, &known);
    if ((known.known & both) != both)
        return fail(EINVAL, "cannot find the ids of process %d", (int)target->pid);
    *uid = known.uid[1];
    *gid = known.gid[1];
    return 0;
}

int target_join_cgroup(const struct target *target)
{
    autocgroup struct cgroup cgroup;
    int result = cgroup_find(&cgroup, target->proc, "");
    if (result < 0)
        return result;
    autoclose int fd = cgroup_open(&cgroup);
    return fd < 0 ? fd : cgroup_join(fd, cgroup.path);
}
