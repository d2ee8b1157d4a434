/* This process, put into new namespaces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/mount.h"
#include "core/linux/sys.h"

/* What the helper outside can be asked for, a byte each. It answers with its error record. */
enum request { WRITE_MAPS = 'm', BIND_FILES = 'b' };

struct helper {
    struct process process;
    int channel;
};

static void end_helper(struct helper *helper)
{
    close_fd(&helper->channel);
    process_end(&helper->process);
}

/* ---- in the helper ---- */

static int bind_file(int proc, pid_t pid, enum namespace_type type, const char *path)
{
    char source[48];
    /* The process itself stays in the old one of these two, its children do not. */
    bool later = type == NAMESPACE_PID || type == NAMESPACE_TIME;
    snprintf(source, sizeof(source), "%d/ns/%s%s", (int)pid, namespace_file(type),
             later ? "_for_children" : "");
    step("bind the %s namespace on %s", namespace_name(type), path);
    autoclose int target = open(path, O_PATH | O_CLOEXEC);
    if (target < 0)
        return fail(errno, "cannot open %s to keep the %s namespace", path, namespace_name(type));
    autoclose int mount = mount_clone(proc, source, false);
    if (mount < 0)
        return mount;
    int result = mount_attach(mount, target, path);
    if (result == -EINVAL && type == NAMESPACE_MOUNT)
        error_hint("a mount namespace can be bound on a mount with private propagation only");
    return result;
}

static int bind_files(int proc, pid_t pid, const struct isolation *isolation)
{
    int result = 0;
    int type = 0;
    for (; result == 0 && type < NAMESPACE_TYPES; type++) {
        if (isolation->pins[type])
            result = bind_file(proc, pid, (enum namespace_type)type, isolation->pins[type]);
    }
    /* The one that failed was not bound. */
    for (type -= 2; result < 0 && type >= 0; type--) {
        if (isolation->pins[type])
            sys_umount2(isolation->pins[type], MNT_DETACH | UMOUNT_NOFOLLOW);
    }
    return result;
}

static _Noreturn void serve(const struct isolation *isolation, pid_t pid, int proc, int channel)
{
    char request;
    trace_child("outside");
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* The parent's end closes when it dies, or has no more wishes. */
    while (read(channel, &request, 1) == 1) {
        if (request == WRITE_MAPS)
            idmaps_write(proc, pid, &isolation->maps);
        else
            bind_files(proc, pid, isolation);
        trace_flush();
        if (write(channel, error_get(), sizeof(struct error)) < 0)
            break;
    }
    _exit(0);
}

/* ---- in the process itself ---- */

static bool has_pins(const struct isolation *isolation)
{
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        if (isolation->pins[type])
            return true;
    }
    return false;
}

static int start_helper(struct helper *helper, const struct isolation *isolation, int proc)
{
    int ends[2];
    pid_t self = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return fail(errno, "cannot make a channel to the helper process");
    autoclose int theirs = ends[1];
    helper->channel = ends[0];
    pid_t pid = process_clone(0, -1, &helper->process);
    if (pid == 0) {
        close(ends[0]);
        serve(isolation, self, proc, theirs);
    }
    return pid < 0 ? pid : 0;
}

static int ask_helper(const struct helper *helper, char request)
{
    struct error answer;
    ssize_t length = -1;
    if (write(helper->channel, &request, 1) == 1)
        length = read(helper->channel, &answer, sizeof(answer));
    if (length != (ssize_t)sizeof(answer))
        return fail(EPIPE, "the helper process outside of the new namespaces is gone");
    return answer.kind == ERROR_NONE ? 0 : error_adopt(&answer);
}

static int enter_namespaces(uint64_t flags)
{
    step("enter new namespaces");
    if (flags == 0 || sys_unshare(flags) == 0)
        return 0;
    int number = errno;
    int result = fail(number, "cannot enter new namespaces");
    if (number == EPERM && !(flags & CLONE_NEWUSER))
        error_hint("needs CAP_SYS_ADMIN, or a new user namespace as well: --user");
    else if (number == EPERM)
        error_hint("this user may not create user namespaces, see rootless-check");
    else if (number == ENOSPC)
        error_hint("limit of namespaces reached, see /proc/sys/user/max_*_namespaces");
    return result;
}

static bool moves_clocks(const struct isolation *isolation)
{
    return isolation->clocks[TIME_MONOTONIC].given || isolation->clocks[TIME_BOOTTIME].given;
}

/* Nothing of /proc is needed for new namespaces alone. */
static int open_proc(const struct isolation *isolation, int *proc)
{
    if (isolation->maps.uid.count + isolation->maps.gid.count == 0 &&
        !isolation->maps.deny_setgroups && !has_pins(isolation) && !moves_clocks(isolation))
        return 0;
    *proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *proc < 0 ? fail(errno, "cannot open /proc") : 0;
}

static int enter(const struct isolation *isolation, struct helper *helper)
{
    bool own = idmaps_are_own(&isolation->maps);
    autoclose int proc = -1;
    int result = open_proc(isolation, &proc);
    if (result == 0 && (!own || has_pins(isolation)))
        result = start_helper(helper, isolation, proc);
    if (result == 0)
        result = enter_namespaces(isolation->flags);
    if (result == 0 && !own)
        result = ask_helper(helper, WRITE_MAPS);
    else if (result == 0 && (isolation->flags & CLONE_NEWUSER) && proc >= 0)
        result = idmaps_write_own(proc, &isolation->maps);
    if (result == 0 && moves_clocks(isolation))
        result = time_namespace_move_clocks(proc, isolation->clocks);
    return result;
}

static pid_t start_program(const struct isolation *isolation, struct process *child)
{
    _Alignas(16) char stack[131072]; /* ample; what is not touched costs nothing */
    return process_clone_here(CLONE_VFORK, isolation->become, isolation->argument, stack,
                              sizeof(stack), child);
}

/* The child waits until the files are bound: a pid namespace cannot be opened before it has a first
 * process, and a program must not run where this fails. */
static pid_t fork_and_bind(const struct isolation *isolation, struct helper *helper,
                           struct process *child)
{
    int gate[2] = {-1, -1};
    if (isolation->become && !has_pins(isolation))
        return start_program(isolation, child);
    if (has_pins(isolation) && pipe2(gate, O_CLOEXEC) < 0)
        return fail(errno, "cannot make a pipe");
    autoclose int exit = gate[0];
    autoclose int entry = gate[1];
    pid_t pid = process_clone(0, -1, child);
    if (pid == 0) {
        char byte;
        close_fd(&entry);
        /* What belongs to the parent is not ended here. */
        close_fd(&helper->channel);
        close_fd(&helper->process.pidfd);
        helper->process = NO_PROCESS;
        return exit < 0 || read(exit, &byte, 1) == 1
                   ? 0
                   : fail(EPIPE, "the process that made the namespaces is gone");
    }
    if (pid > 0 && entry >= 0) {
        int result = ask_helper(helper, BIND_FILES);
        if (result == 0 && write(entry, "", 1) < 0)
            result = fail(errno, "cannot let the new process go on");
        return result < 0 ? result : pid;
    }
    return pid;
}

pid_t isolate(struct isolation *isolation, struct process *child)
{
    __attribute__((cleanup(end_helper))) struct helper helper = {NO_PROCESS, -1};
    int result = enter(isolation, &helper);
    /* Now, for what is freed after a fork is copied first, by both. */
    idmaps_free(&isolation->maps);
    if (result == 0 && isolation->fork)
        return fork_and_bind(isolation, &helper, child);
    if (result == 0 && has_pins(isolation))
        result = ask_helper(&helper, BIND_FILES);
    return result;
}
