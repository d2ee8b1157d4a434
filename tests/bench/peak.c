// peak: the highest peak resident size, in KiB, of a command's processes.
// SPDX-License-Identifier: Apache-2.0
//
// peak [--first] COMMAND [ARG...]    output of COMMAND goes to /dev/null; ends with 1 when COMMAND
// fails. --first: without waiting for what COMMAND leaves running, which goes on, and counts so far
//
// Since Linux 6.2 the ru_maxrss of a small process is wrong by up to some hundred KiB (often 0), as
// it comes from per-CPU counters that are not summed. So every process is traced, and VmHWM is read
// from /proc just before it executes another image and before it ends; that field is exact since
// 6.16, and on older kernels as good as ru_maxrss.
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "null.h"

// <sys/ptrace.h> and <linux/ptrace.h> exclude each other; options of ptrace(2) by number.
enum {
    options = 0x5f, // sysgood fork vfork clone exec exit
    exit_kill = 0x100000,
    request_listen = 0x4208,
    request_seize = 0x4206,
    request_syscall = 24,
    syscall_stop = SIGTRAP | 0x80,
    most_processes = 64,
};

static long trace(long request, pid_t pid, unsigned long address, uintptr_t data)
{
    return syscall(SYS_ptrace, request, pid, address, data);
}

static long read_peak(pid_t pid)
{
    char path[64], text[4096], *found;
    int fd;
    ssize_t size;

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    if (size < 0) {
        return 0;
    }
    text[size] = '\0';
    found = strstr(text, "VmHWM:");
    return found ? strtol(found + 6, NULL, 10) : 0;
}

// Whether a process that stopped at a system call is about to execute something.
static int enters_exec(pid_t pid)
{
    struct ptrace_syscall_info info;

    return trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, (uintptr_t)&info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY &&
           (info.entry.nr == SYS_execve || info.entry.nr == SYS_execveat);
}

static pid_t start(char **command, unsigned more)
{
    int ends[2], null = open_null();
    char byte;
    pid_t pid;

    if (null < 0 || pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        perror("peak");
        exit(1);
    }
    if (pid == 0) {
        close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    if (trace(request_seize, pid, 0, options | more) < 0) {
        perror("peak: ptrace");
        exit(1);
    }
    close(ends[1]); // lets it run
    close(ends[0]);
    return pid;
}

int main(int argc, char **argv)
{
    long peak = 0, own = 0;
    int status, code = 1, started = 0, only = argc > 1 && strcmp(argv[1], "--first") == 0;
    pid_t first, pid, others[most_processes];
    size_t count = 0;

    if (argc < 2 + only) {
        fprintf(stderr, "usage: peak [--first] COMMAND [ARG...]\n");
        return 2;
    }
    first = start(argv + 1 + only, only ? 0 : exit_kill);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        int signal = 0, event;

        if (!WIFSTOPPED(status)) {
            code = pid == first ? status : code;
            if (pid == first && only) {
                break;
            }
            continue;
        }
        if (pid != first && (count == 0 || others[count - 1] != pid) && count < most_processes) {
            others[count++] = pid;
        }
        event = status >> 16;
        if (pid == first && event == PTRACE_EVENT_EXEC) {
            started = 1; // before that it was a copy of this program, which does not count
        } else if ((started || pid != first) &&
                   (event == PTRACE_EVENT_EXIT ||
                    (WSTOPSIG(status) == syscall_stop && enters_exec(pid)))) {
            own = read_peak(pid);
            peak = own > peak ? own : peak;
        } else if (event == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP) {
            trace(request_listen, pid, 0, 0); // a stopped group stays stopped
            continue;
        } else if (event == 0 && WSTOPSIG(status) != syscall_stop) {
            signal = WSTOPSIG(status);
        }
        trace(request_syscall, pid, 0, (uintptr_t)signal);
    }
    while (count > 0) { // of those that have ended there is nothing more to read
        own = read_peak(others[--count]);
        peak = own > peak ? own : peak;
    }
    printf("%ld\n", peak);
    return code != 0;
}
