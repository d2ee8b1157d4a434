/* Standing in for a child.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/follow.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/sys.h"

void follow_begin(sigset_t *mask)
{
    sigset_t all;
    process_all_signals(&all);
    /* Whoever ignores this one never hears of a child's end; that may come from the caller. */
    sys_default_action(SIGCHLD);
    sigprocmask(SIG_BLOCK, &all, mask);
}

void follow_cancel(const sigset_t *mask)
{
    sigprocmask(SIG_SETMASK, mask, NULL);
}

void follow_end_by(int number, const sigset_t *mask)
{
    const struct rlimit none = {0, 0};
    sigset_t one;
    prlimit(0, RLIMIT_CORE, &none, NULL);
    sys_default_action(number);
    sigprocmask(SIG_SETMASK, mask, NULL);
    sigemptyset(&one);
    sigaddset(&one, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
}

/* Whatever the child has to tell. Returns whether it has ended. */
static bool reap(struct process *child, int *status)
{
    while (waitpid(child->pid, status, WNOHANG | WUNTRACED) == child->pid) {
        if (!WIFSTOPPED(*status)) {
            child->pid = 0;
            close_fd(&child->pidfd);
            return true;
        }
        raise(SIGSTOP);
        /* Only a signal from outside gets us here. */
        sys_pidfd_send_signal(child->pidfd, SIGCONT);
    }
    return false;
}

int follow(struct process *child, const sigset_t *mask)
{
    sigset_t all;
    siginfo_t info;
    int status;
    process_all_signals(&all);
    step("wait for the program");
    while (!reap(child, &status)) {
        int number = sigwaitinfo(&all, &info);
        if (number < 0 || number == SIGCHLD || number == SIGCONT)
            continue;
        if (info.si_code != SI_KERNEL)
            sys_pidfd_send_signal(child->pidfd, number);
    }
    trace_flush();
    if (WIFSIGNALED(status))
        follow_end_by(WTERMSIG(status), mask);
    return process_exit_code(status);
}
