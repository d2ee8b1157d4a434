/* The first process of a container that is not to outlive who has started it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/annex.h"
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

/* Limits of the stack from here on leave room for that. */
#define STACK_ENOUGH (1 << 20)

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

void guard_hide(char **arguments)
{
    if (!arguments || !*arguments)
        return;
    char *name = *arguments;
    char *slash = strrchr(name, '/');
    if (slash) {
        size_t rest = (size_t)(slash + 1 - name);
        memmove(name, slash + 1, strlen(slash + 1) + 1);
        memset(name + strlen(name), 0, rest);
    }
    while (*++arguments)
        memset(*arguments, 0, strlen(*arguments));
}

/* Become somebody of whom nothing is to be had. Dumpable may have come back with the program's ids,
 * which changed in this memory (fs.suid_dumpable). */
static int renounce(const struct container *container, int parent, int signals)
{
    const struct capability_sets only_kill = {.permitted = UINT64_C(1) << CAP_KILL,
                                              .effective = UINT64_C(1) << CAP_KILL};
    const int kept[] = {parent, signals};
    /* In the memory of who has made this process, that is done. */
    if (!annex_here())
        guard_hide(container->arguments);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    int result = descriptors_close(0, kept, sizeof(kept) / sizeof(kept[0]));
    return result < 0 ? result : capability_apply(&only_kill);
}

/* The child needs nothing of its own until it executes the program: so it does the rest of the
 * set-up in the memory of this process, which stands still meanwhile, and ends with the parent by a
 * signal. Dumpable it is again with the execution. */
static int set_up_program(void *argument)
{
    struct container *container = argument;
    close_fd(&container->guard);
    setup_program(container);
}

/* Go on in a child with that stack, and guard it. Returns only in case of a failure. */
static int begin(struct container *container, int signals, char *stack)
{
    struct process program = NO_PROCESS;
    int parent = container->guard;
    sigset_t all;
    process_all_signals(&all);
    /* Until it is executed, signals wait with the parent (supervise.c). */
    pid_t pid =
        process_clone_here(CLONE_VFORK, set_up_program, container, stack, STACK_BYTES, &program);
    if (pid < 0)
        return pid;
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (renounce(container, parent, signals) == 0)
        guard(&program, parent, signals);
    _exit(1);
}

static int begin_on_stack(struct container *container, int signals)
{
    char stack[STACK_BYTES];
    return begin(container, signals, stack);
}

/* Our own stack may not be able to grow any more, unless it is an annex's: the limits are the
 * program's already. */
static int begin_beside_stack(struct container *container, int signals)
{
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    return stack == MAP_FAILED ? fail(errno, "cannot guard the program")
                               : begin(container, signals, stack);
}

int setup_guard(struct container *container)
{
    struct rlimit limit;
    sigset_t all;
    if (container->guard < 0)
        return 0;
    process_all_signals(&all);
    autoclose int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        getrlimit(RLIMIT_STACK, &limit) < 0)
        return fail(errno, "cannot guard the program");
    int result = setup_follow_parent(container);
    if (result < 0)
        return result;
    return limit.rlim_cur < STACK_ENOUGH && !annex_here() ? begin_beside_stack(container, signals)
                                                          : begin_on_stack(container, signals);
}
