// syscalls.c: the probe's attempts at bare system calls: what a filter of them answers.
// SPDX-License-Identifier: Apache-2.0
//
// Each is made by a thread of a process of its own, so that it can be told what a filter kills.
#include "tests/probe/probe.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_numbers = 7 };

struct attempt {
    long (*make)(const long *numbers);
    long numbers[most_numbers]; // the call's, then its arguments
    volatile int thread;        // its number; 0 when it has ended
    volatile int done;
    long result;
};

// What the process ends with, when it is not the call that ends it.
enum { ended_ok, ended_errno, ended_trap, ended_thread };

static long call_natively(const long *n)
{
    return syscall(n[0], n[1], n[2], n[3], n[4], n[5], n[6]) < 0 ? -errno : 0;
}

#ifdef __x86_64__
static long call_x32(const long *n)
{
    return syscall(n[0] | 0x40000000, n[1], n[2], n[3], n[4], n[5], n[6]) < 0 ? -errno : 0;
}

static long call_int80(const long *n)
{
    long result = n[0];

    __asm__ volatile("int $0x80"
                     : "+a"(result)
                     : "b"(n[1]), "c"(n[2]), "d"(n[3]), "S"(n[4]), "D"(n[5])
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result < 0 ? (int)result : 0;
}
#endif

static int attempt_in_thread(void *context)
{
    struct attempt *attempt = context;

    attempt->result = attempt->make(attempt->numbers);
    attempt->done = 1;
    return 0;
}

static void trapped(int number)
{
    (void)number;
    _exit(ended_trap);
}

// In the process: never returns. The errno comes after the kind, by a pipe.
static _Noreturn void attempt_in_process(struct attempt *attempt, int out)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    struct timespec second = {.tv_sec = 1};
    int error;

    signal(SIGSYS, trapped);
    attempt->thread = -1;
    if (clone(attempt_in_thread, stack + sizeof stack,
              CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                  CLONE_CHILD_CLEARTID,
              attempt, NULL, NULL, (void *)(uintptr_t)&attempt->thread) < 0) {
        give_up("clone");
    }
    while (attempt->thread) {
        syscall(SYS_futex, &attempt->thread, FUTEX_WAIT, -1, &second, NULL, 0);
    }
    if (!attempt->done) {
        _exit(ended_thread);
    }
    error = attempt->result < 0 ? (int)-attempt->result : 0;
    (void)!write(out, &error, sizeof error);
    _exit(error ? ended_errno : ended_ok);
}

static void tell_attempt(long (*make)(const long *numbers), char *text)
{
    static struct attempt attempt;
    char copy[256], *rest = copy;
    int ends[2], status, error = 0;
    pid_t pid;

    strncpy(copy, text, sizeof copy - 1);
    copy[sizeof copy - 1] = '\0';
    memset(&attempt, 0, sizeof attempt);
    attempt.make = make;
    for (int i = 0; i < most_numbers && rest; i++) {
        char *colon = strchr(rest, ':');

        if (colon) {
            *colon++ = '\0';
        }
        attempt.numbers[i] = parse_number(rest);
        rest = colon;
    }
    if (pipe(ends) < 0 || (pid = fork()) < 0) {
        give_up("a process for a system call");
    }
    if (pid == 0) {
        attempt_in_process(&attempt, ends[1]);
    }
    close(ends[1]);
    (void)!read(ends[0], &error, sizeof error);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            give_up("the process of a system call");
        }
    }
    if (WIFSIGNALED(status)) {
        tell_number("signal", WTERMSIG(status));
    } else if (WEXITSTATUS(status) == ended_errno) {
        tell_text(NULL, name_errno(error));
    } else {
        static const char *const names[] = {"ok", "?", "trap", "thread killed"};

        tell_text(NULL, WEXITSTATUS(status) < 4 ? names[WEXITSTATUS(status)] : "?");
    }
}

static void tell_call(char **arguments)
{
    tell_attempt(call_natively, arguments[0]);
}

#ifdef __x86_64__
static void tell_call_x32(char **arguments)
{
    tell_attempt(call_x32, arguments[0]);
}

static void tell_call_int80(char **arguments)
{
    tell_attempt(call_int80, arguments[0]);
}
#endif

const struct fact syscall_facts[] = {
    {"call", 1, 1, tell_call},
#ifdef __x86_64__
    {"call-x32", 1, 1, tell_call_x32},
    {"call-int80", 1, 1, tell_call_int80},
#endif
    {NULL, 0, 0, NULL},
};
