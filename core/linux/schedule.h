/* How a process is scheduled: its processor time, its input and output, its memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* sched(7), sched_setattr(2) */
struct scheduler {
    bool given;
    int policy;
    int32_t nice;      /* -20 to 19, for the policies other, batch and (without use) idle */
    uint32_t priority; /* 1 to 99, for fifo and rr */
    uint64_t flags;
    uint64_t runtime; /* nanoseconds, for deadline; as the next two */
    uint64_t deadline;
    uint64_t period;
};

/* ioprio_set(2) */
struct io_priority {
    int class; /* 0: not given */
    int level; /* 0 (most) to 7 */
};

/* set_mempolicy(2) */
#define NODE_MAX 1023 /* the most that a kernel can be built for */
struct memory_policy {
    bool given;
    int mode;
    int flags;
    bool has_nodes;
    uint64_t nodes[(NODE_MAX + 1) / 64]; /* one bit each */
};

/* The numbers of "SCHED_FIFO", "SCHED_FLAG_RECLAIM", "IOPRIO_CLASS_BE", "MPOL_BIND" and
 * "MPOL_F_STATIC_NODES"; -1: there is none of that name. */
int scheduler_policy(const char *name);
int scheduler_flag(const char *name);
int io_priority_class(const char *name);
int memory_policy_mode(const char *name);
int memory_policy_flag(const char *name);

/* Does the policy take a priority; is it the one with runtime, deadline and period? */
bool scheduler_has_priority(int policy);
bool scheduler_has_deadline(int policy);

/* Must, and may, nodes be named with the mode? */
bool memory_policy_needs_nodes(int mode);
bool memory_policy_takes_nodes(int mode);

/* Are there flags among these of which only one may be given? */
bool memory_policy_flags_exclude(int flags);

/* The processors that the caller and what it makes from now on may run on: a list as cpuset(7) has
 * it, of numbers up to CPU_MAX. Returns 0 or a negative errno (recorded). sched_setaffinity(2) */
#define CPU_MAX 8191 /* the most that a kernel can be built for */
int affinity_set(const char *list);

/* Set them for a process, 0 for the caller, of whose memory policy this one is alone. A process
 * keeps them over an exec. Return 0 or a negative errno (recorded). */
int scheduler_set(pid_t pid, const struct scheduler *scheduler);
int io_priority_set(pid_t pid, const struct io_priority *priority);
int memory_policy_set(const struct memory_policy *policy);
