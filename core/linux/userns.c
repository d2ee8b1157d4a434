/* User namespaces as descriptors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/idmap.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"

/* Be there until killed, which is soon, or until the parent is gone. It may be gone already when
 * its death begins to be followed. */
static _Noreturn void hold_namespace(pid_t parent)
{
    bool followed = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
    for (;;) {
        if (!followed)
            kill(getpid(), SIGKILL);
        poll(NULL, 0, -1);
    }
}

/* Where SIGCHLD is ignored, a child that ended is not kept, and its pid may be another process by
 * now. What was opened in /proc before this succeeds was the child's. */
static int check_alive(const struct process *child)
{
    if (sys_pidfd_send_signal(child->pidfd, 0) < 0)
        return fail(errno, "the process of a new user namespace is gone");
    return 0;
}

int userns_create(int proc, const struct idmaps *maps)
{
    pid_t parent = getpid();
    autoprocess struct process child = NO_PROCESS;
    step("create a user namespace");
    pid_t pid = process_clone(CLONE_NEWUSER, -1, &child);
    if (pid == 0)
        hold_namespace(parent);
    if (pid < 0)
        return pid;
    pid = process_number_in(proc, &child);
    if (pid < 0)
        return pid;
    char path[32];
    snprintf(path, sizeof(path), "%d/ns/user", (int)pid);
    autoclose int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(errno, "cannot open a new user namespace, /proc/%s", path);
    int result = idmaps_write(proc, pid, maps);
    if (result == 0)
        result = check_alive(&child);
    return result < 0 ? result : take_fd(&fd);
}

static bool same_map(const struct idmap *one, const struct idmap *other)
{
    return one->count == other->count &&
           (one->count == 0 ||
            memcmp(one->ranges, other->ranges, one->count * sizeof(*one->ranges)) == 0);
}

bool userns_same_maps(const struct idmaps *one, const struct idmaps *other)
{
    return same_map(&one->uid, &other->uid) && same_map(&one->gid, &other->gid);
}
