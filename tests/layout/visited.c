/* visited BINARY OUTPUT COMMAND [ARG...]: run COMMAND, and write to OUTPUT the offset in BINARY of
 * every instruction of it that was executed, by COMMAND or by what it started: one a line, in
 * hexadecimal.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every process is stepped through while it is BINARY or a copy of it, told by the entry point that
 * the kernel gave it; everything else just runs. The exit code is that of COMMAND, which is when
 * all ends: what still runs goes on alone.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 1 << 16, SIZE_MAX_BINARY = 16 << 20 };

static uint64_t entry;            /* of BINARY, as its header has it */
static uint64_t bases[PROCESSES]; /* by pid: where it lies, 0 when it is another one */
/* By pid. A new process stops once for us; its parent's stop tells of it, before that or after. */
static struct {
    bool told, stopped;
} processes[PROCESSES];
static unsigned char visited[SIZE_MAX_BINARY];

static void die(const char *what)
{
    perror(what);
    exit(125);
}

static void read_entry(const char *path)
{
    Elf64_Ehdr header;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &header, sizeof(header)) != sizeof(header))
        die(path);
    entry = header.e_entry;
    close(fd);
}

/* Where BINARY lies in that process, or 0. */
static uint64_t find_base(pid_t pid)
{
    char path[32];
    Elf64_auxv_t pairs[64] = {0};
    uint64_t start = 0;
    uint64_t headers = 0;
    snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, pairs, sizeof(pairs)) < 0)
        die(path);
    close(fd);
    for (Elf64_auxv_t *pair = pairs; pair->a_type != AT_NULL; pair++) {
        start = pair->a_type == AT_ENTRY ? pair->a_un.a_val : start;
        headers = pair->a_type == AT_PHDR ? pair->a_un.a_val : headers;
    }
    return headers - sizeof(Elf64_Ehdr) + entry == start ? start - entry : 0;
}

static void visit(pid_t pid)
{
    struct user_regs_struct registers;
    struct iovec part = {&registers, sizeof(registers)};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part) < 0)
        return; /* killed meanwhile */
#ifdef __x86_64__
    uint64_t offset = registers.rip - bases[pid];
#else
    uint64_t offset = registers.pc - bases[pid];
#endif
    if (offset < SIZE_MAX_BINARY)
        visited[offset] = 1;
}

static void go_on(pid_t pid, int number)
{
    ptrace(bases[pid] ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, 0, number);
}

/* Which signal it is to get, when it goes on. */
static int judge(pid_t pid, int status)
{
    int event = status >> 16;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        unsigned long child = 0;
        ptrace(PTRACE_GETEVENTMSG, pid, 0, &child);
        bases[child] = bases[pid];
        processes[child].told = true;
        if (processes[child].stopped)
            go_on((pid_t)child, 0);
    } else if (event == PTRACE_EVENT_EXEC) {
        bases[pid] = find_base(pid);
    } else if (WSTOPSIG(status) == SIGTRAP || event == PTRACE_EVENT_STOP) {
        if (bases[pid])
            visit(pid);
    } else {
        return WSTOPSIG(status);
    }
    return 0;
}

/* The program, and us as its tracer before it begins. */
static pid_t start(char **command)
{
    int gate[2];
    char byte = 0;
    if (pipe2(gate, O_CLOEXEC) < 0)
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[1]);
        if (read(gate[0], &byte, 1) < 0)
            die("read");
        execvp(command[0], command);
        die(command[0]);
    }
    if (ptrace(PTRACE_SEIZE, pid, 0,
               PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEEXEC) < 0)
        die("seize");
    processes[pid].told = processes[pid].stopped = true;
    close(gate[0]);
    close(gate[1]);
    return pid;
}

/* The others go on by themselves. */
static void let_go(void)
{
    for (pid_t pid = 1; pid < PROCESSES; pid++) {
        int status;
        if (processes[pid].stopped && ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0 &&
            waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
            ptrace(PTRACE_DETACH, pid, 0, 0);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: visited BINARY OUTPUT COMMAND [ARG...]\n", stderr);
        return 125;
    }
    read_entry(argv[1]);
    FILE *output = fopen(argv[2], "we");
    if (!output)
        die(argv[2]);
    pid_t first = start(argv + 3);
    int status;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 || pid >= PROCESSES)
            die("wait");
        bool begins = !processes[pid].stopped;
        processes[pid].stopped = WIFSTOPPED(status);
        if (!WIFSTOPPED(status)) {
            processes[pid].told = false;
            if (pid == first)
                break;
        } else if (!begins || processes[pid].told) {
            go_on(pid, begins ? 0 : judge(pid, status));
        }
    }
    let_go();
    for (size_t i = 0; i < SIZE_MAX_BINARY; i++) {
        if (visited[i])
            fprintf(output, "%zx\n", i);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
