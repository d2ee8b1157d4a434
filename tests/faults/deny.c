// deny: runs a program to which the kernel seems to lack a system call, or to forbid it.
// SPDX-License-Identifier: Apache-2.0
//
// deny NUMBER ERRNO PROGRAM [ARG...]: system call NUMBER answers ERRNO, in PROGRAM and all that it
// starts. As root, without no_new_privs, so that nothing else differs.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int give_up(const char *what)
{
    const char *why = strerror(errno);
    (void)!write(STDERR_FILENO, what, strlen(what));
    (void)!write(STDERR_FILENO, why, strlen(why));
    (void)!write(STDERR_FILENO, "\n", 1);
    return 99;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return give_up("deny NUMBER ERRNO PROGRAM [ARG...]");
    unsigned number = (unsigned)atoi(argv[1]);
    unsigned answer = (unsigned)atoi(argv[2]);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (answer & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return give_up("deny: cannot install the filter: ");
    execv(argv[3], argv + 3);
    return give_up("deny: cannot execute the program: ");
}
