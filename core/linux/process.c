/* Processes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/annex.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/linux/sys.h"

static int fail_clone(int number)
{
    int result = fail(number, "cannot create a process in new namespaces");
    if (number == EPERM)
        error_hint("needs root, or user namespaces that this user may create");
    else if (number == ENOSPC)
        error_hint("limit of namespaces reached, see /proc/sys/user/max_*_namespaces");
    return result;
}

/* What every child is made with. cgroup: -1, or where it is to be born; *pidfd receives its pidfd.
 */
static struct clone_args arguments_of(uint64_t flags, int cgroup, int *pidfd)
{
    struct clone_args arguments = {
        .flags = flags | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        /* A sibling inherits the exit signal of its maker; giving one is EINVAL. */
        .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
    };
    if (cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)cgroup;
    }
    return arguments;
}

pid_t process_clone(uint64_t flags, int cgroup, struct process *child)
{
    int pidfd = -1;
    struct clone_args arguments = arguments_of(flags, cgroup, &pidfd);
    pid_t pid = sys_clone3(&arguments);
    /* Docker's seccomp profile answers ENOSYS, so that callers fall back to what it can filter. */
    if (pid < 0 && errno == ENOSYS && cgroup < 0)
        pid = sys_clone((unsigned long)(arguments.flags | arguments.exit_signal), &pidfd);
    if (pid < 0)
        return fail_clone(errno);
    if (pid > 0)
        *child = (struct process){.pid = pid, .pidfd = pidfd};
    return pid;
}

pid_t process_clone_here(uint64_t flags, int (*run)(void *argument), void *argument, char *stack,
                         size_t size, struct process *child)
{
    int pidfd = -1;
    pid_t pid =
        clone(run, stack + size, (int)(flags | CLONE_VM | CLONE_PIDFD | SIGCHLD), argument, &pidfd);
    if (pid < 0)
        return fail_clone(errno);
    *child = (struct process){.pid = pid, .pidfd = pidfd};
    return pid;
}

#ifdef ANNEX
/* clone3(2) with a stack of the child's own, on which it calls run(argument) and nothing else: libc
 * has no function for that which could give it a cgroup to be born in. Returns the pid or
 * a negative errno. */
static pid_t clone3_run(struct clone_args *arguments, void (*run)(void *argument), void *argument)
{
    long result;
#if defined(__x86_64__)
    register void (*function)(void *) __asm__("r12") = run;
    register void *given __asm__("r13") = argument;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "0"((long)SYS_clone3), "D"(arguments), "S"(sizeof(*arguments)),
                       "r"(function), "r"(given)
                     : "rcx", "r11", "memory");
#else
    register long call __asm__("x8") = SYS_clone3;
    register long first __asm__("x0") = (long)arguments;
    register long size __asm__("x1") = sizeof(*arguments);
    register void (*function)(void *) __asm__("x2") = run;
    register void *given __asm__("x3") = argument;
    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, x3\n\t"
                     "blr x2\n\t"
                     "brk #1\n"
                     "1:"
                     : "+r"(first)
                     : "r"(call), "r"(size), "r"(function), "r"(given)
                     : "memory");
    result = first;
#endif
    return (pid_t)result;
}

pid_t process_clone_annexed(uint64_t flags, int cgroup, struct annex *annex,
                            void (*run)(void *argument), void *argument, struct process *child)
{
    int pidfd = -1;
    size_t size;
    void *stack = annex_stack(annex, &size);
    struct clone_args arguments = arguments_of(flags | CLONE_VM | CLONE_SETTLS, cgroup, &pidfd);
    arguments.flags |= CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    arguments.child_tid = arguments.parent_tid = (uint64_t)(uintptr_t)annex_user(annex);
    arguments.stack = (uint64_t)(uintptr_t)stack;
    arguments.stack_size = size;
    arguments.tls = annex_thread(annex);
    pid_t pid = clone3_run(&arguments, run, argument);
    if (pid > 0)
        *child = (struct process){.pid = pid, .pidfd = pidfd};
    return pid;
}
#endif

void process_end(struct process *process)
{
    int saved = errno;
    if (process->pid > 0) {
        /* It has not been reaped, so its pid is nobody else's. */
        if (sys_pidfd_send_signal(process->pidfd, SIGKILL) < 0)
            kill(process->pid, SIGKILL);
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        process->pid = 0;
    }
    close_fd(&process->pidfd);
    errno = saved;
}

int process_list_children(int proc, pid_t pid, struct text *children)
{
    char path[48];
    snprintf(path, sizeof(path), "%d/task/%d/children", (int)pid, (int)pid);
    return read_file(proc, path, 1 << 22, children);
}

static bool lists_process(const struct text *children, long wanted)
{
    char *rest = children->data;
    for (long pid; rest && (pid = strtol(rest, &rest, 10)) > 0;) {
        if (pid == wanted)
            return true;
    }
    return false;
}

void process_end_children(int proc, const struct text *spared)
{
    bool found;
    do {
        autotext struct text children = {0};
        found = false;
        if (process_list_children(proc, getpid(), &children) < 0) {
            error_clear();
            return;
        }
        char *rest = children.data;
        for (long pid; rest && (pid = strtol(rest, &rest, 10)) > 0;) {
            if (lists_process(spared, pid))
                continue;
            kill((pid_t)pid, SIGKILL);
            while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
                ;
            found = true;
        }
    } while (found);
}

/* directory: of path, which is "self/fdinfo/N" from a /proc. */
static pid_t read_pid(int directory, const char *path)
{
    autotext struct text info = {0};
    int result = read_file(directory, path, 4096, &info);
    if (result < 0)
        return result;
    /* "Pid:\t-1" once the process has been reaped, 0 where it is not visible from here. */
    const char *line = strstr(info.data, "\nPid:\t");
    pid_t pid = line ? (pid_t)strtol(line + strlen("\nPid:\t"), NULL, 10) : 0;
    if (pid <= 0)
        return fail(ESRCH, "a new process is gone already");
    return pid;
}

pid_t process_of_pidfd(int pidfd)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    return read_pid(AT_FDCWD, path);
}

bool process_knows_proc(int proc)
{
    char number[16];
    ssize_t length = readlinkat(proc, "self", number, sizeof(number) - 1);
    if (length <= 0)
        return false;
    number[length] = '\0';
    return strtol(number, NULL, 10) == getpid();
}

pid_t process_number_in(int proc, const struct process *process)
{
    if (process_knows_proc(proc))
        return process->pid;
    char path[48];
    snprintf(path, sizeof(path), "self/fdinfo/%d", process->pidfd);
    return read_pid(proc, path);
}

void process_all_signals(sigset_t *set)
{
    memset(set, 0xff, sizeof(*set));
}

void process_reset_actions(void)
{
    for (int number = 1; number <= 64; number++)
        sys_default_action(number);
}

/* A line of /proc/PID/status: bit N - 1 is signal N. All of them where it is missing. */
static uint64_t signals_of(const char *status, const char *line)
{
    const char *found = strstr(status, line);
    return found ? strtoull(found + strlen(line), NULL, 16) : UINT64_MAX;
}

int process_reset_changed(int proc)
{
    char status[4096];
    autoclose int fd = openat(proc, "self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, status, sizeof(status) - 1);
    status[length > 0 ? length : 0] = '\0';
    uint64_t changed = signals_of(status, "\nSigIgn:\t") | signals_of(status, "\nSigCgt:\t");
    if (changed == UINT64_MAX) {
        process_reset_actions();
        return 0;
    }
    for (; changed; changed &= changed - 1) {
        int number = __builtin_ctzll(changed) + 1;
        if (sys_default_action(number) < 0)
            return fail(errno, "cannot give signal %d its default action", number);
    }
    return 0;
}

int process_unblock_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return fail(errno, "cannot unblock signals");
    return 0;
}

int process_reset_signals(void)
{
    process_reset_actions();
    return process_unblock_signals();
}

/* Signals that this process has caught, bit N - 1 for signal N. */
static uint64_t caught;

int process_catch(int number, const struct sigaction *action)
{
    if (sigaction(number, action, NULL) < 0)
        return -1;
    caught |= UINT64_C(1) << (number - 1);
    return 0;
}

void process_uncatch(void)
{
    for (; caught; caught &= caught - 1)
        sys_default_action(__builtin_ctzll(caught) + 1);
}

int process_follow_parent(int number, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) < 0)
        return fail(errno, "cannot set the parent-death signal");
    if (number > 0 && getppid() != parent)
        raise(number);
    return 0;
}

int process_exit_code(int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return EXIT_SIGNAL + WTERMSIG(wait_status);
    return WEXITSTATUS(wait_status);
}

int process_execute_words(const char *command)
{
    autofree char *copy = strdup(command);
    autofree char **words = calloc(strlen(command) / 2 + 2, sizeof(*words));
    size_t count = 0;
    if (!copy || !words)
        return fail(ENOMEM, "cannot execute %s", command);
    for (char *rest = copy; rest[strspn(rest, " \t")];) {
        rest += strspn(rest, " \t");
        words[count++] = rest;
        rest += strcspn(rest, " \t");
        if (*rest)
            *rest++ = '\0';
    }
    errno = ENOENT; /* no word at all */
    if (count > 0)
        execvp(words[0], words);
    return fail_exec(errno, "cannot execute %s", command);
}
