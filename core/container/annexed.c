/* The container's first process, in the memory of its maker until it executes the program.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both go on at the same time. What one of them writes to, the other one leaves alone: the child
 * has a container of its own, in its annex; the config and all that was prepared is only read.
 */
#include "core/container/annexed.h"

#ifdef ANNEX
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/guard.h"
#include "core/container/setup.h"
#include "core/linux/capability.h"
#include "core/linux/idmap.h"
#include "core/linux/process.h"
#include "core/oci/config.h"

struct given {
    struct container container;
    int channel; /* the parent's end */
    void (*enter)(struct container *);
};

static bool limits_memory(const struct resources *resources)
{
    for (size_t i = 0; i < resources->unified_count; i++) {
        if (strncmp(resources->unified[i].file, "memory.", 7) == 0)
            return true;
    }
    return resources->memory_limit > 0;
}

/* Of a container that is joined: whether it has a limit of memory; then its first process to be
 * killed may be the one that joins it. */
static bool joins_limited(const struct container *container)
{
    autotext struct text text = {0};
    if (!container_joins_namespaces(container) || container->cgroup.fd < 0)
        return false;
    bool limited = read_file(container->cgroup.fd, "memory.max", 64, &text) == 0 &&
                   strncmp(text.data, "max", 3) != 0;
    error_clear();
    return limited;
}

/* By files in /proc of a process that root owns, a guard among them, which another root may write
 * to, things are changed that belong to a memory: oom_score_adj, coredump_filter. */
static bool is_guarded_from_root(const struct container *container)
{
    uint32_t inside;
    return container->guard >= 0 &&
           idmap_to_container(&container->config->maps.uid, 0, &inside) == 0;
}

/* Not where the child goes on without its maker, which leaves nothing for it. Where memory is
 * short, the kernel ends whoever shares it; oom_score_adj is theirs together. Nor may a process
 * enter a time namespace while others share its memory (setns(2)). Hooks are executed by a fork,
 * and the trace is written by each side of one. */
static bool may_share(const struct container *container)
{
    const struct config *config = container->config;
    for (int type = 0; type < HOOK_TYPES; type++) {
        if (config->hooks[type].count > 0)
            return false;
    }
    return container->start_fifo < 0 && !trace_wanted && !config->process.has_oom_score &&
           !config->namespaces[NAMESPACE_TIME].wanted && !limits_memory(&config->resources) &&
           !joins_limited(container) && !is_guarded_from_root(container);
}

/* Whoever may look into the child may look into us: so nobody may, from before it is there until it
 * has executed the program (CVE-2016-9962). fs.suid_dumpable: with 1 the kernel would allow it as
 * soon as the child's ids change. It takes root then, with a right to look into everything, to open
 * what the child has in /proc; and the memory must be from before no user namespace was entered. */
static bool close_memory(const struct container *container)
{
    autotext struct text text = {0};
    struct stat status;
    if (!container->privileged || geteuid() != 0 || !capability_have(CAP_SYS_PTRACE))
        return false;
    bool stays =
        read_file(container->proc, "sys/fs/suid_dumpable", 16, &text) == 0 && text.data[0] != '1';
    error_clear();
    if (!stays || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return false;
    if (fstatat(container->proc, "self/ns", &status, 0) == 0 && status.st_uid == 0)
        return true;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return false;
}

static int *copy_descriptors(struct annex *annex, const int *descriptors, size_t count)
{
    if (!descriptors)
        return NULL;
    int *copy = annex_allocate(annex, count * sizeof(*copy));
    return copy ? memcpy(copy, descriptors, count * sizeof(*copy)) : NULL;
}

/* Each side closes what it has, and remembers by -1 that it did. Returns NULL where there is no
 * room. */
static struct given *give(struct annex *annex, const struct container *container)
{
    size_t count = container->mount_count;
    struct given *given = annex_allocate(annex, sizeof(*given));
    if (!given)
        return NULL;
    given->container = *container;
    given->container.sources = copy_descriptors(annex, container->sources, count);
    given->container.mappings = copy_descriptors(annex, container->mappings, count);
    bool complete = !given->container.sources == !container->sources &&
                    !given->container.mappings == !container->mappings;
    return complete ? given : NULL;
}

static void begin(void *argument)
{
    struct given *given = argument;
    /* Else the child would keep the channel open that tells it of its parent's end. */
    close_fd(&given->channel);
    close_fd(&given->container.overlay);
    given->enter(&given->container);
}

/* The annex of a process that another one makes has been opened by the first of all, from whose
 * thread it is copied. */
static struct annex *open_annex(enum annex_use use)
{
    if (annex_here())
        return annexes[use];
    if (use == ANNEX_JOINER && !annex_open(ANNEX_CONTAINER))
        return NULL;
    return annex_open(use);
}

pid_t annexed_clone(struct container *container, enum annex_use use, uint64_t flags, int cgroup,
                    int channel, void (*enter)(struct container *), struct process *child)
{
    if (!annex_here() && (!may_share(container) || !close_memory(container)))
        return 0;
    struct annex *annex = open_annex(use);
    struct given *given = annex ? give(annex, container) : NULL;
    if (!given)
        return 0;
    if (container->guard >= 0)
        guard_hide(container->arguments);
    given->channel = channel;
    given->enter = enter;
    pid_t pid = process_clone_annexed(flags, cgroup, annex, begin, given, child);
    return pid < 0 ? 0 : pid;
}
#else
pid_t annexed_clone(struct container *container, enum annex_use use, uint64_t flags, int cgroup,
                    int channel, void (*enter)(struct container *), struct process *child)
{
    (void)container, (void)use, (void)flags, (void)cgroup, (void)channel, (void)enter, (void)child;
    return 0;
}
#endif
