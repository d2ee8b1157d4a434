// stepper: counts the system calls of `shimbox --trace=FILE` step by step, and disturbs one of
// them. SPDX-License-Identifier: Apache-2.0
//
// stepper REPORT FILE POINT ACTION PROGRAM [ARG...]
//
// Runs PROGRAM under ptrace(2). Whatever a process writes to FILE ends a segment of it; the text
// that it wrote names the segment. Processes are numbered from 0 in the order in which they are
// made, segments of a process and system calls of a segment from 0 too. REPORT gets one line for
// each, parts separated by tabs:
//
//   call PROCESS SEGMENT CALL NAME RESULT    a system call that has returned, or "-" if it never
//   did end PROCESS SEGMENT TEXT                 the segment has ended by writing TEXT exec PROCESS
//   SEGMENT                     ... by becoming another program hit PROCESS SEGMENT CALL NAME here
//   ACTION was taken
//
// POINT is PROCESS:SEGMENT:CALL, or "-" for none: then nothing is disturbed, and all is reported;
// otherwise not much but "hit". ACTION, before the system call does anything:
//
//   fail=NUMBER    it is not executed, and answers this errno
//   kill=PROCESS   that process gets SIGKILL
//
// Process 0 is followed whatever it becomes, others until they become another program. The exit
// code is PROGRAM's (128 plus the signal that ended it); 99 when the tool itself fails, which it
// then says on standard error.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 32
#define TEXT_MAX      2048

static const struct {
    unsigned number;
    const char *name;
} names[] = {
#include "syscalls.h"
};

struct tracee {
    pid_t pid;
    bool gone;
    bool inside; // of a system call
    bool failing;
    bool ends;       // this system call writes to the trace
    uint64_t number; // of this system call
    int segment;
    int call;
    char text[TEXT_MAX];
};

static struct tracee tracees[PROCESSES_MAX];
static int tracee_count;
static const char *trace_path;
static FILE *report;
static struct {
    int process, segment, call;
    int number; // errno, 0: kill
    int victim;
    bool done;
} fault = {-1, -1, -1, 0, -1, false};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno));
    exit(99);
}

static const char *name_of(uint64_t number)
{
    static char other[32];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].number == number)
            return names[i].name;
    }
    snprintf(other, sizeof(other), "%lu", (unsigned long)number);
    return other;
}

// ---- registers ----

#if defined(__x86_64__)
// At the entry: -1 is no system call.
static void skip_call(pid_t pid)
{
    if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L) < 0)
        give_up("cannot skip a system call");
}

static void set_result(pid_t pid, long result)
{
    if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), result) < 0)
        give_up("cannot set the result of a system call");
}
#elif defined(__aarch64__)
static void skip_call(pid_t pid)
{
    int none = -1;
    struct iovec part = {&none, sizeof(none)};
    if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part) < 0)
        give_up("cannot skip a system call");
}

static void set_result(pid_t pid, long result)
{
    struct user_regs_struct registers;
    struct iovec part = {&registers, sizeof(registers)};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part) < 0)
        give_up("cannot read registers");
    registers.regs[0] = (unsigned long)result;
    if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part) < 0)
        give_up("cannot set the result of a system call");
}
#else
#error "registers of this machine are not known here"
#endif

// ---- processes ----

// Number of a process that was seen before, or the next one.
static struct tracee *tracee_of(pid_t pid)
{
    for (int i = 0; i < tracee_count; i++) {
        if (tracees[i].pid == pid && !tracees[i].gone)
            return &tracees[i];
    }
    if (tracee_count == PROCESSES_MAX) {
        errno = E2BIG;
        give_up("too many processes");
    }
    tracees[tracee_count].pid = pid;
    return &tracees[tracee_count++];
}

static int number_of(const struct tracee *tracee)
{
    return (int)(tracee - tracees);
}

// Does it write to the trace? Then what is kept, as one line.
static bool writes_trace(struct tracee *tracee, const struct ptrace_syscall_info *info)
{
    char link[64];
    char path[4096];
    if (info->entry.nr != SYS_write)
        return false;
    snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)tracee->pid, (int)info->entry.args[0]);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    if (strcmp(path, trace_path) != 0)
        return false;
    size_t size = info->entry.args[2];
    struct iovec ours = {tracee->text, size < TEXT_MAX ? size : TEXT_MAX - 1};
    struct iovec theirs = {(void *)(uintptr_t)info->entry.args[1], ours.iov_len};
    length = process_vm_readv(tracee->pid, &ours, 1, &theirs, 1, 0);
    if (length < 0)
        give_up("cannot read what is traced");
    tracee->text[length] = '\0';
    for (char *at = tracee->text; *at; at++) {
        if (*at == '\n' || *at == '\t')
            *at = ' ';
    }
    return true;
}

// Is anything still to be seen at the system calls of this process?
static bool is_watched(const struct tracee *tracee)
{
    return fault.process < 0 || tracee->failing ||
           (!fault.done && fault.process == number_of(tracee));
}

static void take_action(struct tracee *tracee)
{
    if (fault.number) {
        tracee->failing = true;
        skip_call(tracee->pid);
    } else if (fault.victim < tracee_count && !tracees[fault.victim].gone) {
        kill(tracees[fault.victim].pid, SIGKILL);
    } else {
        return;
    }
    fault.done = true;
    fprintf(report, "hit\t%d\t%d\t%d\t%s\n", number_of(tracee), tracee->segment, tracee->call,
            name_of(tracee->number));
}

static void enter_call(struct tracee *tracee, const struct ptrace_syscall_info *info)
{
    tracee->inside = true;
    tracee->number = info->entry.nr;
    tracee->ends = writes_trace(tracee, info);
    if (!tracee->ends && fault.process == number_of(tracee) && fault.segment == tracee->segment &&
        fault.call == tracee->call)
        take_action(tracee);
}

static void tell_call(struct tracee *tracee, const char *result)
{
    tracee->inside = false;
    fprintf(report, "call\t%d\t%d\t%d\t%s\t%s\n", number_of(tracee), tracee->segment,
            tracee->call++, name_of(tracee->number), result);
}

static void end_segment(struct tracee *tracee, const char *how, const char *text)
{
    fprintf(report, "%s\t%d\t%d\t%s\n", how, number_of(tracee), tracee->segment++, text);
    tracee->call = 0;
    tracee->inside = false;
}

static void leave_call(struct tracee *tracee, const struct ptrace_syscall_info *info)
{
    char result[32];
    if (!tracee->inside)
        return;
    if (tracee->ends) {
        end_segment(tracee, "end", tracee->text);
        return;
    }
    if (tracee->failing)
        set_result(tracee->pid, -fault.number);
    tracee->failing = false;
    snprintf(result, sizeof(result), "%ld", (long)info->exit.rval);
    tell_call(tracee, result);
}

static void stop_at_call(struct tracee *tracee)
{
    struct ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, sizeof(info), &info) < 0) {
        if (errno == ESRCH)
            return; // killed meanwhile
        give_up("cannot examine a system call");
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        enter_call(tracee, &info);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        leave_call(tracee, &info);
}

// ---- the loop ----

static void resume(pid_t pid, int how, int signal)
{
    if (ptrace(how, pid, 0, signal) < 0 && errno != ESRCH)
        give_up("cannot resume a process");
}

static void stopped(struct tracee *tracee, int status)
{
    int signal = WSTOPSIG(status);
    int event = status >> 16;
    int onwards;
    if (signal == (SIGTRAP | 0x80)) {
        stop_at_call(tracee);
        signal = 0;
    } else if (event == PTRACE_EVENT_EXEC) {
        // The way out of the exec is the new program's, which nothing is told of.
        if (tracee->inside)
            tell_call(tracee, "0");
        end_segment(tracee, "exec", "");
        signal = 0;
        tracee->gone = number_of(tracee) != 0;
    } else if (event == PTRACE_EVENT_STOP && (signal == SIGSTOP || signal == SIGTSTP)) {
        resume(tracee->pid, PTRACE_LISTEN, 0);
        return;
    } else if (event) {
        signal = 0;
    }
    // The program of a container, or a helper, is none of our business.
    if (tracee->gone)
        onwards = PTRACE_DETACH;
    else
        onwards = is_watched(tracee) ? PTRACE_SYSCALL : PTRACE_CONT;
    resume(tracee->pid, onwards, signal);
}

static int watch(pid_t first)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            give_up("cannot wait");
        struct tracee *tracee = tracee_of(pid);
        if (WIFSTOPPED(status)) {
            stopped(tracee, status);
            continue;
        }
        if (tracee->inside && !tracee->ends)
            tell_call(tracee, "-");
        tracee->gone = true;
        if (pid == first)
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
}

// The program, from its first system call on.
static pid_t start(char **argv)
{
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC) < 0)
        give_up("cannot make a pipe");
    pid_t pid = fork();
    if (pid < 0)
        give_up("cannot fork");
    if (pid == 0) {
        close(ready[1]);
        (void)!read(ready[0], &byte, 1);
        execv(argv[0], argv);
        give_up(argv[0]);
    }
    close(ready[0]);
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0)
        give_up("cannot trace the program");
    close(ready[1]);
    return pid;
}

static void read_fault(const char *point, const char *action)
{
    if (strcmp(point, "-") == 0)
        return;
    if (sscanf(point, "%d:%d:%d", &fault.process, &fault.segment, &fault.call) != 3 ||
        (sscanf(action, "fail=%d", &fault.number) != 1 &&
         sscanf(action, "kill=%d", &fault.victim) != 1)) {
        errno = EINVAL;
        give_up("POINT or ACTION");
    }
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        errno = EINVAL;
        give_up("REPORT FILE POINT ACTION PROGRAM [ARG...]");
    }
    report = fopen(argv[1], "we");
    trace_path = argv[2];
    read_fault(argv[3], argv[4]);
    if (!report)
        give_up(argv[1]);
    int code = watch(start(argv + 5));
    if (fclose(report) != 0)
        give_up(argv[1]);
    return code;
}
