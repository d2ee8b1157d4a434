/* Acting as the first process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/sys.h"

/* Levels of processes below this one that are looked for; deeper ones come up when those above them
 * have ended. */
#define DEPTH_MAX 64

void init_prepare(struct init *init)
{
    *init = (struct init){.child = NO_PROCESS};
    for (int number = 0; number <= SIGNAL_LAST; number++)
        init->passed_on[number] = (uint8_t)number;
}

int init_adopt_orphans(void)
{
    step("adopt orphans");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return fail(errno, "cannot become the reaper of orphans");
    return 0;
}

/* ---- the terminal ---- */

/* The group that the terminal on standard input belongs to now; -1 where there is no terminal. */
static pid_t foreground(void)
{
    return tcgetpgrp(STDIN_FILENO);
}

/* SIGTTOU is blocked, so that this works from the background too. */
static void give_terminal(pid_t group)
{
    if (tcsetpgrp(STDIN_FILENO, group) < 0)
        report_debug("cannot give the terminal to process group %d: %s", (int)group,
                     strerror(errno));
}

pid_t init_start(struct init *init)
{
    bool has_terminal = init->own_group && foreground() == getpgrp();
    step("start the program");
    pid_t pid = process_clone(0, -1, &init->child);
    if (pid < 0)
        return pid;
    /* Both do it, so that neither has to wait for the other. After its exec the child cannot be
     * moved any more, but has moved by itself then. */
    if (init->own_group)
        setpgid(pid, pid);
    if (pid == 0 && has_terminal)
        give_terminal(getpid());
    return pid;
}

/* ---- signals ---- */

/* The child has not been reaped, so its number is nobody else's. */
static void send(const struct init *init, int number)
{
    if (init->tell)
        report_debug("pass on %s (%d)", signal_name(number), number);
    kill(init->to_group ? -init->child.pid : init->child.pid, number);
}

/* Keys of the terminal reach its foreground group, as SI_KERNEL. If that was ours and the child's
 * too, it has heard already. */
static bool has_heard(const struct init *init, const siginfo_t *info)
{
    return info->si_code == SI_KERNEL && !init->own_group;
}

static void pass_on(const struct init *init, const siginfo_t *info)
{
    int number = info->si_signo <= SIGNAL_LAST ? init->passed_on[info->si_signo] : 0;
    /* Nobody but this process itself: a broken pipe of its standard error. */
    bool own = info->si_code == SI_USER && info->si_pid == getpid();
    if (number == 0 || own || has_heard(init, info))
        return;
    /* A shell that goes on with us gives our group the terminal. */
    if (info->si_signo == SIGCONT && init->own_group && foreground() == getpgrp())
        give_terminal(init->child.pid);
    send(init, number);
}

/* ---- children ---- */

/* The child has been stopped: so are we, for whoever waits for us, but for process 1, which cannot
 * be. */
static void stop_along(const struct init *init)
{
    if (getpid() == 1)
        return;
    if (init->own_group && foreground() == init->child.pid)
        give_terminal(getpgrp());
    raise(SIGSTOP);
}

static void tell_of_orphan(const struct init *init, pid_t pid, int status)
{
    if (init->warn)
        report_warning("reaped the orphan %d: %s %d", (int)pid,
                       WIFSIGNALED(status) ? "ended by signal" : "ended with",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    else if (init->tell)
        report_debug("reaped the orphan %d", (int)pid);
}

/* All that have ended: one SIGCHLD may stand for many. Returns whether the child is among them;
 * *left: whether there are any other children. */
static bool reap(const struct init *init, int *status, bool *left)
{
    bool ended = false;
    pid_t pid;
    int found;
    while ((pid = waitpid(-1, &found, WNOHANG | WUNTRACED)) > 0) {
        if (WIFSTOPPED(found)) {
            if (pid == init->child.pid)
                stop_along(init);
        } else if (pid == init->child.pid) {
            *status = found;
            ended = true;
        } else {
            tell_of_orphan(init, pid, found);
        }
    }
    *left = pid == 0;
    return ended;
}

int init_wait(struct init *init)
{
    sigset_t all;
    siginfo_t info;
    int status = 0;
    bool left;
    process_all_signals(&all);
    step("wait for the program");
    /* First of all, for those that ended before SIGCHLD was blocked nobody will be told again. */
    while (!reap(init, &status, &left)) {
        int number = sigwaitinfo(&all, &info);
        if (number > 0 && number != SIGCHLD)
            pass_on(init, &info);
    }
    if (init->own_group && foreground() == init->child.pid)
        give_terminal(getpgrp());
    init->child.pid = 0;
    close_fd(&init->child.pidfd);
    return status;
}

static bool asks_to_end(int number)
{
    return number == SIGTERM || number == SIGINT || number == SIGQUIT;
}

void init_pause(const struct init *init)
{
    sigset_t all;
    int status;
    bool left;
    process_all_signals(&all);
    step("wait for a signal");
    do
        reap(init, &status, &left);
    while (!asks_to_end(sigwaitinfo(&all, NULL)));
}

/* ---- what the child left behind ---- */

/* The number that *text holds next, behind blanks; *text moves behind it. 0 when there is none. */
static pid_t take_pid(const char **text)
{
    pid_t pid = 0;
    while (**text == ' ')
        ++*text;
    for (; **text >= '0' && **text <= '9'; ++*text)
        pid = pid * 10 + (**text - '0');
    return pid;
}

/* Is the process a child of this one? proc_pid_stat(5): "PID (NAME) STATE PARENT". */
static bool is_child_of(int proc, pid_t pid, pid_t parent)
{
    char path[32];
    autotext struct text stat = {0};
    snprintf(path, sizeof(path), "%d/stat", (int)pid);
    if (read_file(proc, path, 4096, &stat) < 0) {
        error_clear();
        return false;
    }
    const char *name_end = strrchr(stat.data, ')');
    if (!name_end || strlen(name_end) < 4)
        return false;
    name_end += 3;
    return take_pid(&name_end) == parent;
}

/* Send a signal to all processes below this one. What is not our own child may end and be reaped
 * at any time, and its number be given to a stranger: so it is held by a descriptor before its
 * parent is looked at. */
static int signal_below(int proc, pid_t parent, int number, int depth)
{
    autotext struct text children = {0};
    int result = process_list_children(proc, parent, &children);
    const char *rest = children.data;
    for (pid_t pid; result == 0 && rest && (pid = take_pid(&rest)) > 0;) {
        autoclose int child = sys_pidfd_open(pid);
        if (child < 0 || !is_child_of(proc, pid, parent))
            continue;
        if (depth > 0 && signal_below(proc, pid, number, depth - 1) < 0)
            error_clear(); /* it is gone already */
        sys_pidfd_send_signal(child, number);
    }
    return result;
}

/* Process 1 reaches everything that it can see with one call. */
static int signal_rest(int proc, int number)
{
    if (getpid() != 1)
        return signal_below(proc, getpid(), number, DEPTH_MAX);
    kill(-1, number);
    return 0;
}

/* Reap until nothing is left, or the time is up, or somebody asks to end. Returns whether nothing
 * is left. */
static bool outwait(const struct init *init, struct timespec time)
{
    struct timespec now;
    struct timespec end;
    sigset_t all;
    bool left;
    int status;
    process_all_signals(&all);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += time.tv_sec;
    end.tv_nsec += time.tv_nsec;
    for (;;) {
        reap(init, &status, &left);
        if (!left)
            return true;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long long rest = (end.tv_sec - now.tv_sec) * 1000000000LL + end.tv_nsec - now.tv_nsec;
        if (rest <= 0)
            return false;
        const struct timespec wait = {.tv_sec = rest / 1000000000, .tv_nsec = rest % 1000000000};
        if (asks_to_end(sigtimedwait(&all, NULL, &wait)))
            return false;
    }
}

int init_end_rest(const struct init *init, struct timespec grace)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    struct timespec none = {0};
    autoclose int proc = -1;
    if (outwait(init, none))
        return 0;
    step("end what is left");
    if (getpid() != 1) {
        proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (proc < 0)
            return fail(errno, "cannot find the processes that are left: /proc");
    }
    int result = signal_rest(proc, SIGTERM);
    if (result < 0 || outwait(init, grace))
        return result;
    /* The children of whom we kill become ours: several turns. */
    for (int turn = 0; result == 0 && turn < 50; turn++) {
        result = signal_rest(proc, SIGKILL);
        if (outwait(init, moment))
            break;
    }
    return result;
}
