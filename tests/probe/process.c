// process.c: the probe's facts about who the process is.
// SPDX-License-Identifier: Apache-2.0
#include "tests/probe/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static void tell_base(const char *field, uint64_t value, unsigned base, int digits)
{
    put_key(field);
    put_base(value, base, digits);
    end_line();
}

static void tell_uid(char **arguments)
{
    uid_t real, effective, saved;

    (void)arguments;
    getresuid(&real, &effective, &saved);
    tell_number(NULL, real);
    tell_number("effective", effective);
    tell_number("saved", saved);
    tell_number("fs", (uid_t)syscall(SYS_setfsuid, -1));
}

static void tell_gid(char **arguments)
{
    gid_t real, effective, saved;

    (void)arguments;
    getresgid(&real, &effective, &saved);
    tell_number(NULL, real);
    tell_number("effective", effective);
    tell_number("saved", saved);
    tell_number("fs", (gid_t)syscall(SYS_setfsgid, -1));
}

static int compare_groups(const void *left, const void *right)
{
    gid_t a = *(const gid_t *)left, b = *(const gid_t *)right;

    return (a > b) - (a < b);
}

static void tell_groups(char **arguments)
{
    static gid_t groups[65536];
    int count = getgroups(65536, groups);

    (void)arguments;
    if (count < 0) {
        give_up("getgroups");
    }
    qsort(groups, (size_t)count, sizeof *groups, compare_groups);
    put_key(NULL);
    for (int i = 0; i < count; i++) {
        put_text(i ? " " : "");
        put_number(groups[i]);
    }
    end_line();
}

struct cap_header {
    uint32_t version;
    int pid;
};
struct cap_data {
    uint32_t effective, permitted, inheritable;
};

static void read_caps(struct cap_data data[2])
{
    struct cap_header header = {0x20080522, 0};

    if (syscall(SYS_capget, &header, data) < 0) {
        give_up("capget");
    }
}

static uint64_t collect_caps(int operation, unsigned long detail)
{
    uint64_t set = 0;

    for (unsigned long cap = 0; cap < 64; cap++) {
        int answer = operation == PR_CAPBSET_READ ? prctl(operation, cap, 0, 0, 0)
                                                  : prctl(operation, detail, cap, 0, 0);

        set |= answer == 1 ? 1ULL << cap : 0;
    }
    return set;
}

static void tell_caps(char **arguments)
{
    struct cap_data data[2];

    (void)arguments;
    read_caps(data);
    tell_base("inh", (uint64_t)data[1].inheritable << 32 | data[0].inheritable, 16, 16);
    tell_base("prm", (uint64_t)data[1].permitted << 32 | data[0].permitted, 16, 16);
    tell_base("eff", (uint64_t)data[1].effective << 32 | data[0].effective, 16, 16);
    tell_base("bnd", collect_caps(PR_CAPBSET_READ, 0), 16, 16);
    tell_base("amb", collect_caps(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET), 16, 16);
}

static void try_raise_cap(char **arguments)
{
    struct cap_header header = {0x20080522, 0};
    struct cap_data data[2];
    int64_t cap = parse_number(arguments[0]);

    read_caps(data);
    data[cap >> 5 & 1].permitted |= 1U << (cap & 31);
    data[cap >> 5 & 1].effective |= 1U << (cap & 31);
    tell_result(NULL, syscall(SYS_capset, &header, data));
}

static void try_raise_ambient(char **arguments)
{
    tell_result(NULL,
                prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, parse_number(arguments[0]), 0, 0));
}

static void tell_prctl(int operation)
{
    int value = prctl(operation, 0, 0, 0, 0);

    if (value < 0) {
        give_up("prctl");
    }
    tell_number(NULL, value);
}

#define PRCTL_FACT(name, operation)                                                                \
    static void tell_##name(char **arguments)                                                      \
    {                                                                                              \
        (void)arguments;                                                                           \
        tell_prctl(operation);                                                                     \
    }
PRCTL_FACT(securebits, PR_GET_SECUREBITS)
PRCTL_FACT(nnp, PR_GET_NO_NEW_PRIVS)
PRCTL_FACT(dumpable, PR_GET_DUMPABLE)
PRCTL_FACT(seccomp, PR_GET_SECCOMP)

static void tell_pdeathsig(char **arguments)
{
    int number = -1;

    (void)arguments;
    if (prctl(PR_GET_PDEATHSIG, &number, 0, 0, 0) < 0) {
        give_up("prctl");
    }
    tell_number(NULL, number);
}

static void tell_personality(char **arguments)
{
    (void)arguments;
    tell_base(NULL, (unsigned)personality(0xffffffff), 16, 1);
}

static void tell_umask(char **arguments)
{
    mode_t mask = umask(0);

    (void)arguments;
    umask(mask);
    tell_base(NULL, mask, 8, 4);
}

#define CALL_FACT(name, call)                                                                      \
    static void tell_##name(char **arguments)                                                      \
    {                                                                                              \
        (void)arguments;                                                                           \
        tell_number(NULL, call);                                                                   \
    }
CALL_FACT(pid, getpid())
CALL_FACT(ppid, getppid())
CALL_FACT(sid, getsid(0))
CALL_FACT(pgid, getpgid(0))
CALL_FACT(tty_pgroup, tcgetpgrp(STDIN_FILENO))

static void tell_cwd(char **arguments)
{
    static char path[1 << 13];

    (void)arguments;
    if (syscall(SYS_getcwd, path, sizeof path) < 0) {
        tell_text(NULL, name_errno(errno));
    } else {
        tell_text(NULL, path);
    }
}

#define UNAME_FACT(name, member)                                                                   \
    static void tell_##name(char **arguments)                                                      \
    {                                                                                              \
        struct utsname names;                                                                      \
                                                                                                   \
        (void)arguments;                                                                           \
        uname(&names);                                                                             \
        tell_text(NULL, names.member);                                                             \
    }
UNAME_FACT(hostname, nodename)
UNAME_FACT(domainname, domainname)
UNAME_FACT(kernel, release)

static void tell_rlimits(char **arguments)
{
    static const char *const names[] = {
        "cpu",     "fsize", "data",  "stack",      "core",     "rss",  "nproc",  "nofile",
        "memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime",
    };

    (void)arguments;
    for (int i = 0; i < 16; i++) {
        struct rlimit limit;
        char field[32];

        if (getrlimit(i, &limit) < 0) {
            give_up("getrlimit");
        }
        for (int hard = 0; hard < 2; hard++) {
            rlim_t value = hard ? limit.rlim_max : limit.rlim_cur;

            strcpy(field, names[i]);
            strcat(field, hard ? ".hard" : ".soft");
            if (value == RLIM_INFINITY) {
                tell_text(field, "unlimited");
            } else {
                tell_base(field, value, 10, 1);
            }
        }
    }
}

static void tell_oom_score_adj(char **arguments)
{
    char text[32];

    (void)arguments;
    if (read_whole("/proc/self/oom_score_adj", text, sizeof text) < 0) {
        give_up("/proc/self/oom_score_adj");
    }
    text[strcspn(text, "\n")] = '\0';
    tell_text(NULL, text);
}

static void tell_exe(char **arguments)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path);

    (void)arguments;
    if (size < 0) {
        give_up("/proc/self/exe");
    }
    put_key(NULL);
    put_escaped(path, (size_t)size);
    end_line();
}

static void tell_ns(char **arguments)
{
    static const char *const names[] = {"cgroup", "ipc",  "mnt",  "net",
                                        "pid",    "time", "user", "uts"};
    struct stat status;

    (void)arguments;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[32] = "/proc/self/ns/";

        strcat(path, names[i]);
        if (stat(path, &status) < 0) {
            give_up(path);
        }
        tell_base(names[i], status.st_ino, 10, 1);
    }
}

const struct fact process_facts[] = {
    {"uid", 0, 0, tell_uid},
    {"gid", 0, 0, tell_gid},
    {"groups", 0, 0, tell_groups},
    {"caps", 0, 0, tell_caps},
    {"raise-cap", 1, 1, try_raise_cap},
    {"raise-ambient", 1, 1, try_raise_ambient},
    {"securebits", 0, 0, tell_securebits},
    {"nnp", 0, 0, tell_nnp},
    {"dumpable", 0, 0, tell_dumpable},
    {"seccomp", 0, 0, tell_seccomp},
    {"pdeathsig", 0, 0, tell_pdeathsig},
    {"personality", 0, 0, tell_personality},
    {"umask", 0, 0, tell_umask},
    {"pid", 0, 0, tell_pid},
    {"ppid", 0, 0, tell_ppid},
    {"sid", 0, 0, tell_sid},
    {"pgid", 0, 0, tell_pgid},
    {"pgroup-of-tty", 0, 0, tell_tty_pgroup},
    {"cwd", 0, 0, tell_cwd},
    {"hostname", 0, 0, tell_hostname},
    {"domainname", 0, 0, tell_domainname},
    {"kernel", 0, 0, tell_kernel},
    {"rlimits", 0, 0, tell_rlimits},
    {"oom_score_adj", 0, 0, tell_oom_score_adj},
    {"exe", 0, 0, tell_exe},
    {"ns", 0, 0, tell_ns},
    {NULL, 0, 0, NULL},
};
