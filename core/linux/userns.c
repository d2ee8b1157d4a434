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
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/idmap.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"

/* Be there until killed, which is soon, or until the parent is gone. It may be gone already when
 * its death begins to be followed. */
static int hold_namespace(void *parent)
{
    bool followed =
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == *(const pid_t *)parent;
    while (followed || kill(getpid(), SIGKILL) == 0)
        poll(NULL, 0, -1);
    return 1;
}

/* Where SIGCHLD is ignored, a child that ended is not kept, and its pid may be another process by
 * now. What was opened in /proc before this succeeds was the child's. */
static int check_alive(const struct process *child)
{
    if (sys_pidfd_send_signal(child->pidfd, 0) < 0)
        return fail(errno, "the process of a new user namespace is gone");
    return 0;
}

/* The maps of the namespace that this child is in. Returns a descriptor of it, or a negative errno
 * (recorded). */
static int map_namespace(int proc, const struct idmaps *maps, const struct process *child)
{
    char path[32];
    pid_t pid = process_number_in(proc, child);
    if (pid < 0)
        return pid;
    snprintf(path, sizeof(path), "%d/ns/user", (int)pid);
    autoclose int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(errno, "cannot open a new user namespace, /proc/%s", path);
    int result = idmaps_write(proc, pid, maps);
    if (result == 0)
        result = check_alive(child);
    return result < 0 ? result : take_fd(&fd);
}

int userns_hold(int proc, const struct idmaps *maps, struct process *holder)
{
    pid_t parent = getpid();
    autoprocess struct process child = NO_PROCESS;
    step("create a user namespace");
    pid_t pid = process_clone(CLONE_NEWUSER, -1, &child);
    if (pid == 0)
        _exit(hold_namespace(&parent));
    int fd = pid < 0 ? pid : map_namespace(proc, maps, &child);
    if (fd >= 0) {
        *holder = child;
        child = NO_PROCESS;
    }
    return fd;
}

int userns_create(int proc, const struct idmaps *maps)
{
    _Alignas(16) char stack[16384]; /* ample; what is not touched costs nothing */
    pid_t parent = getpid();
    autoprocess struct process child = NO_PROCESS;
    step("create a user namespace");
    pid_t pid =
        process_clone_here(CLONE_NEWUSER, hold_namespace, &parent, stack, sizeof(stack), &child);
    return pid < 0 ? pid : map_namespace(proc, maps, &child);
}

int userns_maps_caller(int userns)
{
    int status;
    const unsigned overflow = 65534;
    int dumpable = prctl(PR_GET_DUMPABLE);
    /* In our memory until it ends, while we stand still: system calls alone change nothing there
     * but errno. */
    /* NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    pid_t pid = vfork();
    if (pid == 0) {
        if (sys_setns(userns, CLONE_NEWUSER) < 0)
            _exit(2);
        _exit(geteuid() == overflow || getegid() == overflow ? 0 : 1);
    }
    /* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    /* The memory of who entered a namespace of somebody else's cannot be dumped any more. */
    if (dumpable == 1)
        prctl(PR_SET_DUMPABLE, 1);
    while (pid > 0 && waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) < 2 ? WEXITSTATUS(status) : -1;
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
