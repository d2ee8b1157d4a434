/* The first process of a container that is not to outlive who has started it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/guard.h"
#include "core/container/setup.h"
#include "core/linux/capability.h"
#include "core/linux/descriptors.h"
#include "core/linux/process.h"

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
static int renounce(struct container *container, int signals)
{
    const struct capability_sets only_kill = {.permitted = UINT64_C(1) << CAP_KILL,
                                              .effective = UINT64_C(1) << CAP_KILL};
    const int kept[] = {container->guard, signals};
    int guard = take_fd(&container->guard);
    container_close(container);
    container->guard = guard;
    int result = descriptors_close(0, kept, sizeof(kept) / sizeof(kept[0]));
    return result < 0 ? result : capability_apply(&only_kill);
}

/* The child goes on as the program. Dumpable it is again with its execution. */
int setup_guard(struct container *container)
{
    autoprocess struct process program = NO_PROCESS;
    sigset_t all;
    if (container->guard < 0)
        return 0;
    process_all_signals(&all);
    autoclose int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fail(errno, "cannot guard the program");
    trace_flush();
    pid_t pid = process_clone(0, -1, &program);
    if (pid == 0)
        return process_follow_parent(SIGKILL, getppid());
    if (pid > 0 && renounce(container, signals) == 0)
        guard(&program, container->guard, signals);
    if (pid > 0)
        _exit(1);
    return pid;
}
