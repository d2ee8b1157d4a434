/* How a process is scheduled.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/schedule.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/sys.h"

/* Numbers of the kernel's linux/sched.h, linux/ioprio.h and linux/mempolicy.h, of which the older
 * headers do not have all. */
enum { POLICY_FIFO = 1, POLICY_RR = 2, POLICY_ISO = 4, POLICY_DEADLINE = 6 };
enum { MODE_DEFAULT = 0, MODE_PREFERRED = 1, MODE_LOCAL = 4 };
enum { MODE_RELATIVE = 1 << 14, MODE_STATIC = 1 << 15 };
enum { IO_CLASS_SHIFT = 13, IO_WHO_PROCESS = 1 };

struct named {
    char name[26];
    uint16_t number;
};

static const struct named policies[] = {
    {"SCHED_OTHER", 0},
    {"SCHED_FIFO", POLICY_FIFO},
    {"SCHED_RR", POLICY_RR},
    {"SCHED_BATCH", 3},
    {"SCHED_ISO", POLICY_ISO},
    {"SCHED_IDLE", 5},
    {"SCHED_DEADLINE", POLICY_DEADLINE},
};

static const struct named scheduler_flags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
};

static const struct named io_classes[] = {
    {"IOPRIO_CLASS_RT", 1},
    {"IOPRIO_CLASS_BE", 2},
    {"IOPRIO_CLASS_IDLE", 3},
};

static const struct named modes[] = {
    {"MPOL_DEFAULT", MODE_DEFAULT},
    {"MPOL_PREFERRED", MODE_PREFERRED},
    {"MPOL_BIND", 2},
    {"MPOL_INTERLEAVE", 3},
    {"MPOL_LOCAL", MODE_LOCAL},
    {"MPOL_PREFERRED_MANY", 5},      /* Linux 5.15 */
    {"MPOL_WEIGHTED_INTERLEAVE", 6}, /* Linux 6.9 */
};

static const struct named mode_flags[] = {
    {"MPOL_F_NUMA_BALANCING", 1 << 13},
    {"MPOL_F_RELATIVE_NODES", MODE_RELATIVE},
    {"MPOL_F_STATIC_NODES", MODE_STATIC},
};

static int find(const struct named *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].number;
    }
    return -1;
}

#define FIND(table, name) find(table, sizeof(table) / sizeof((table)[0]), name)

int scheduler_policy(const char *name)
{
    return FIND(policies, name);
}

int scheduler_flag(const char *name)
{
    return FIND(scheduler_flags, name);
}

int io_priority_class(const char *name)
{
    return FIND(io_classes, name);
}

int memory_policy_mode(const char *name)
{
    return FIND(modes, name);
}

int memory_policy_flag(const char *name)
{
    return FIND(mode_flags, name);
}

bool scheduler_has_priority(int policy)
{
    return policy == POLICY_FIFO || policy == POLICY_RR;
}

bool scheduler_has_deadline(int policy)
{
    return policy == POLICY_DEADLINE;
}

bool memory_policy_needs_nodes(int mode)
{
    return memory_policy_takes_nodes(mode) && mode != MODE_PREFERRED;
}

bool memory_policy_takes_nodes(int mode)
{
    return mode != MODE_DEFAULT && mode != MODE_LOCAL;
}

bool memory_policy_flags_exclude(int flags)
{
    return flags & MODE_STATIC && flags & MODE_RELATIVE;
}

int scheduler_set(pid_t pid, const struct scheduler *scheduler)
{
    const struct sys_sched_attr attributes = {
        .size = sizeof(attributes),
        .policy = (uint32_t)scheduler->policy,
        .flags = scheduler->flags,
        .nice = scheduler->nice,
        .priority = scheduler->priority,
        .runtime = scheduler->runtime,
        .deadline = scheduler->deadline,
        .period = scheduler->period,
    };
    if (sys_sched_setattr(pid, &attributes) == 0)
        return 0;
    int number = errno;
    int result = fail(number, "cannot set the scheduling policy");
    if (number == EPERM)
        error_hint("needs CAP_SYS_NICE outside of user namespaces, or a higher RLIMIT_NICE or "
                   "RLIMIT_RTPRIO");
    else if (number == EBUSY)
        error_hint("the processors have not as much time to give away");
    else if (number == EINVAL && scheduler->policy == POLICY_ISO)
        error_hint("no Linux has SCHED_ISO");
    else if (number == EINVAL && scheduler->policy == POLICY_DEADLINE)
        error_hint("runtime must be 1024 ns at least, and runtime <= deadline <= period");
    else if (number == EOPNOTSUPP)
        error_hint("this kernel is built without utilization clamping");
    return result;
}

int io_priority_set(pid_t pid, const struct io_priority *priority)
{
    if (sys_ioprio_set(IO_WHO_PROCESS, pid, priority->class << IO_CLASS_SHIFT | priority->level) ==
        0)
        return 0;
    int number = errno;
    int result = fail(number, "cannot set the priority of input and output");
    if (number == EPERM)
        error_hint("IOPRIO_CLASS_RT needs CAP_SYS_NICE outside of user namespaces");
    return result;
}

int memory_policy_set(const struct memory_policy *policy)
{
    if (sys_set_mempolicy(policy->mode | policy->flags, policy->has_nodes ? policy->nodes : NULL,
                          NODE_MAX + 1) == 0)
        return 0;
    int number = errno;
    int result = fail(number, "cannot set the memory policy");
    if (number == EINVAL)
        error_hint("a node that is not there or not allowed, or a mode that this kernel lacks");
    else if (number == ENOSYS)
        error_hint("this kernel knows of no memory nodes");
    return result;
}

int affinity_set(const char *list)
{
    uint64_t bits[(CPU_MAX + 1) / 64] = {0};
    step("run on the processors %s", list);
    if (parse_number_list(list, CPU_MAX, bits) < 0)
        return fail(EINVAL, "cannot use the list of processors %s", list);
    if (sched_setaffinity(0, sizeof(bits), (const cpu_set_t *)bits) == 0)
        return 0;
    int number = errno;
    int result = fail(number, "cannot run on the processors %s", list);
    if (number == EINVAL)
        error_hint("none of them is there, or allowed by the cgroup");
    return result;
}
