/* The first process of a container that is not to outlive who has started it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/container/container.h"
#include "core/container/guard.h"
#include "core/container/setup.h"
#include "core/linux/capability.h"
#include "core/linux/descriptors.h"
#include "core/linux/process.h"

/* For the rest of the set-up, which has paths on its stack. */
#define STACK_BYTES 65536

/* Reap whatever has ended; when that is the program, say so and end with everything else. */
static void reap(const struct process *program, int parent)
{
    struct guard_report report;
    pid_t pid;
    while ((pid = waitpid(-1, &report.status, WNOHANG)) > 0) {
        if (pid != program->pid)
            continue;
        getrusage(RUSAGE_CHILDREN, &report.usage);
        send(parent, &report, sizeof(report), MSG_NOSIGNAL | MSG_DONTWAIT);
        _exit(process_exit_code(report.status));
    }
}

/* All of them are blocked. */
static void hear(const struct process *program, int signals, int parent)
{
    struct signalfd_siginfo signal;
    if (read(signals, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
        return;
    if (signal.ssi_signo == SIGCHLD)
        reap(program, parent);
    else
        kill(program->pid, (int)signal.ssi_signo);
}

/* Until the program has ended, or the parent. */
static _Noreturn void guard(const struct process *program, int parent, int signals)
{
    struct pollfd events[2] = {
        {.fd = parent, .events = POLLIN},
        {.fd = signals, .events = POLLIN},
    };
    reap(program, parent);
    while (poll(events, 2, -1) >= 0 || errno == EINTR) {
        if (events[0].revents)
            break;
        if (events[1].revents)
            hear(program, signals, parent);
    }
    _exit(1);
}

/* Become somebody of whom nothing is to be had. */
static int renounce(int parent, int signals)
{
    const struct capability_sets only_kill = {.permitted = UINT64_C(1) << CAP_KILL,
                                              .effective = UINT64_C(1) << CAP_KILL};
    const int kept[] = {parent, signals};
    int result = descriptors_close(0, kept, sizeof(kept) / sizeof(kept[0]));
    return result < 0 ? result : capability_apply(&only_kill);
}

/* The child needs nothing of its own until it executes the program: so it does the rest of the
 * set-up in this process's memory, which stands still meanwhile, and ends with the parent by a
 * signal. Dumpable it is again with the execution. */
static int set_up_program(void *argument)
{
    struct container *container = argument;
    close_fd(&container->guard);
    setup_program(container);
}

int setup_guard(struct container *container)
{
    struct process program = NO_PROCESS;
    char stack[STACK_BYTES];
    sigset_t all;
    int parent = container->guard;
    if (parent < 0)
        return 0;
    process_all_signals(&all);
    autoclose int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fail(errno, "cannot guard the program");
    int result = setup_follow_parent(container);
    if (result < 0)
        return result;
    pid_t pid =
        process_clone_here(CLONE_VFORK, set_up_program, container, stack, sizeof(stack), &program);
    if (pid < 0)
        return pid;
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (renounce(parent, signals) == 0)
        guard(&program, parent, signals);
    _exit(1);
}
