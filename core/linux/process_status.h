/* What the kernel tells of a process: /proc/PID/status and stat, or by system calls of the process
 * itself where there is no /proc. proc_pid_status(5), proc_pid_stat(5).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/text.h"
#include "core/linux/capability.h"

enum process_status_field {
    STATUS_UMASK, /* missing in zombies */
    STATUS_STATE,
    STATUS_THREAD_GROUP,
    STATUS_PARENT,
    STATUS_TRACER,
    STATUS_UID,
    STATUS_GID,
    STATUS_GROUPS,
    STATUS_PID_CHAIN,
    STATUS_THREADS,
    STATUS_PENDING,
    STATUS_PENDING_SHARED,
    STATUS_BLOCKED,
    STATUS_IGNORED,
    STATUS_CAUGHT,
    STATUS_INHERITABLE,
    STATUS_PERMITTED,
    STATUS_EFFECTIVE,
    STATUS_BOUNDING,
    STATUS_AMBIENT,
    STATUS_NO_NEW_PRIVS,
    STATUS_SECCOMP,
    STATUS_FILTERS, /* Linux 5.9 */
    STATUS_CPUS,
    STATUS_FIELDS,
};

struct process_status {
    uint32_t known; /* bit per enum process_status_field; the others are zero */
    uint32_t umask;
    uint32_t thread_group;
    uint32_t parent;
    uint32_t tracer;
    uint32_t uid[4]; /* real, effective, saved, file system */
    uint32_t gid[4];
    uint32_t threads;
    uint32_t no_new_privs;
    uint32_t seccomp; /* prctl(2), PR_GET_SECCOMP: 0 disabled, 1 strict, 2 filter */
    uint32_t filters;
    uint64_t pending; /* signals: bit N - 1 is signal N */
    uint64_t pending_shared;
    uint64_t blocked;
    uint64_t ignored;
    uint64_t caught;
    struct capability_sets capabilities;
    const char *state;     /* "sleeping" */
    const char *groups;    /* ids separated by blanks */
    const char *pid_chain; /* the pid in each pid namespace, this one first */
    const char *cpus;      /* "0-3,8" */
    struct text own;       /* what these point to, after process_status_own() */
};

/* Parse the text of /proc/PID/status; it is written to, and the result points into it. Lines that
 * are not known, or whose values make no sense, leave their field unknown. */
void process_status_parse(char *text, struct process_status *status);

/* Ask for what system calls tell about this very process. Free the result. */
void process_status_own(struct process_status *status);

void process_status_free(struct process_status *status);

/* Of process_stat.flags, and the same since long before Linux 5: cloned, and has not executed
 * anything (include/linux/sched.h). */
#define PROCESS_FORKNOEXEC 0x40U

struct process_stat {
    char name[64];
    char state;
    int parent;
    int process_group;
    int session;
    int terminal;   /* device number as the kernel packs it, 0 for none */
    unsigned flags; /* the kernel's PF_* */
    uint64_t ticks; /* of processor time: clock ticks in user and in kernel mode */
    int nice;
    int threads;       /* the first one counts also when it has ended, and the others have not */
    uint64_t start;    /* clock ticks since the boot */
    unsigned priority; /* of real-time policies */
    unsigned policy;   /* SCHED_OTHER ... */
};

/* Parse the text of /proc/PID/stat. Returns 0 or -EINVAL (not recorded). */
int process_stat_parse(const char *text, struct process_stat *stat);

/* Read it. proc: descriptor of /proc. Returns 0, -ESRCH (not recorded) where there is no such
 * process, or another negative errno (recorded). */
int process_stat_read(int proc, int pid, struct process_stat *stat);

/* The same of this process by system calls, but for terminal and start. */
void process_stat_own(struct process_stat *stat);

/* Write the path that a terminal's device number usually has, "/dev/pts/3", or "MAJOR:MINOR" for a
 * driver that is not known. */
void terminal_path(int device, char *path, size_t size);
