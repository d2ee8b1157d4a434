/* Creating the container's first process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/annexed.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/container/launch.h"
#include "core/container/layer.h"
#include "core/container/net_devices.h"
#include "core/container/setup.h"
#include "core/container/supervise.h"
#include "core/container/sync.h"
#include "core/linux/namespace.h"
#include "core/linux/pages.h"
#include "core/linux/process.h"
#include "core/linux/procfs.h"
#include "core/linux/schedule.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

/* CLONE_NEW* of the namespaces that are new. A time namespace is none of them: its offsets have to
 * be written before a process is in it, so the child makes it. So it does with a cgroup namespace,
 * when there is a cgroup for it (setup_cgroup). */
static uint64_t new_namespaces(const struct container *container)
{
    const struct config *config = container->config;
    uint64_t flags = 0;
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        const struct config_namespace *wanted = &config->namespaces[type];
        /* The root of /dev/mqueue gets the ids of whoever makes the ipc namespace: so that is made
         * by the child, when it has ids. */
        bool later = type == NAMESPACE_TIME ||
                     (type == NAMESPACE_CGROUP && container->cgroup.fd >= 0) ||
                     (type == NAMESPACE_IPC && config->namespaces[NAMESPACE_USER].wanted);
        if (wanted->wanted && !wanted->path && !later)
            flags |= namespace_flag((enum namespace_type)type);
    }
    return flags;
}

bool container_joins_namespaces(const struct container *container)
{
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        if (container->namespaces[type] >= 0)
            return true;
    }
    return false;
}

bool launch_is_awaited(const struct container *container)
{
    return container->new_user || container->net_devices || container_joins_namespaces(container) ||
           (container->driver && container->driver->made);
}

/* Lowering it takes privilege in the initial user namespace, and the file is the caller's only
 * until ids change: so this is done from outside, or before. pid: as the caller's /proc has it. */
static int set_oom_score(const struct container *container, pid_t pid)
{
    const struct config_process *process = &container->config->process;
    if (!process->has_oom_score)
        return 0;
    step("set the oom score adjustment");
    trace_field("/process/oomScoreAdj");
    int result = procfs_set_oom_score(container->proc, pid, process->oom_score);
    if (result < 0)
        error_field("/process/oomScoreAdj");
    return result;
}

/* For a process that joins a container: of this process, before anything of the container's runs on
 * them; then of its own, in the container's cgroup, whose processors count. */
static int set_affinity(const struct container *container, const char *list, const char *field)
{
    if (container->join_process < 0 || !list)
        return 0;
    int result = affinity_set(list);
    if (result < 0)
        error_field(field);
    return result;
}

/* In the child that joins namespaces on behalf of its parent: make the container's process, as a
 * child of the parent, and say which it is. From the moment of joining until the program is
 * executed, whoever has the privileges of the joined user namespace could look into these
 * processes, whose descriptors lead to the host; not if they are not dumpable (CVE-2016-9962). An
 * ordinary user has nothing to hide that is not reachable anyway, and could not write ID mappings
 * any more. */
static void join_and_clone(struct container *container)
{
    uint64_t flags = new_namespaces(container) | CLONE_PARENT;
    trace_child("join");
    struct process child = NO_PROCESS;
    pid_t pid = set_oom_score(container, getpid());
    /* Without clone3(2), while the cgroup can still be named, and is the caller's to write to. */
    if (pid == 0 && container->cgroup.fd >= 0 && container->cgroup.join) {
        pid = cgroup_join(container->cgroup.fd, container->cgroup.place.path);
        container->cgroup.join = false;
    }
    if (pid == 0)
        pid = set_affinity(container, container->config->process.final_affinity,
                           "/process/execCPUAffinity/final");
    step("hide the set-up from the namespaces to join");
    if (pid == 0 && container->privileged && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        pid = fail(errno, "cannot hide the set-up from the namespaces to join");
    if (pid == 0)
        pid = container->join_process >= 0
                  ? namespace_join_process(container->join_process, container->namespaces)
                  : namespace_join_all(container->namespaces);
    if (pid == 0) {
        step("create the container's process");
        trace_sent(SYNC_START, "start");
        pid = annexed_clone(container, ANNEX_CONTAINER, flags, -1, -1, setup_container, &child);
        if (pid == 0)
            pid = process_clone(flags, -1, &child);
    }
    if (pid == 0)
        setup_container(container);
    if (pid > 0) {
        /* The parent ends this process as soon as it knows the other one. */
        trace_flush();
        pid = sync_send_fd(container->channel, SYNC_CHILD, child.pidfd);
    }
    if (pid < 0)
        sync_send_error(container->channel);
    _exit(0);
}

/* Until it has something to say. Its end does not close the channel, which the container's process
 * has as well, and waits at: that ends when we close our side. */
static int wait_for_joiner(int channel, const struct process *joiner)
{
    struct pollfd events[2] = {
        {.fd = channel, .events = POLLIN},
        {.fd = joiner->pidfd, .events = POLLIN},
    };
    while (poll(events, 2, -1) < 0) {
        if (errno != EINTR)
            return fail(errno, "cannot wait for the process that joins namespaces");
    }
    return events[0].revents ? 0 : fail(EPIPE, "the process that joins namespaces is gone");
}

/* A child that is born in the container's cgroup. Where clone3(2) is missing or filtered, it moves
 * there by itself. */
static pid_t fork_into_cgroup(struct container *container, uint64_t flags, struct process *child)
{
    pid_t pid = process_clone(flags, container->cgroup.fd, child);
    if (pid == -EACCES && container->cgroup.fd >= 0)
        error_hint("to enter the cgroup, cgroup.procs must be writable there, and in the nearest "
                   "cgroup above both it and the present one");
    else if (pid == -EBUSY && container->cgroup.fd >= 0)
        error_hint(CGROUP_BUSY);
    else if (pid == -EOPNOTSUPP && container->cgroup.fd >= 0)
        error_hint("it is a threaded cgroup, or below one");
    if (pid != -ENOSYS || container->cgroup.fd < 0)
        return pid;
    error_clear();
    container->cgroup.join = true;
    return process_clone(flags, -1, child);
}

/* The same, and the child does enter(container) and never returns from there: in our memory, where
 * that can be. channel: to the child, which closes it, or it would keep open what tells it of its
 * parent's end. */
static pid_t clone_into_cgroup(struct container *container, enum annex_use use, uint64_t flags,
                               int channel, void (*enter)(struct container *),
                               struct process *child)
{
    pid_t pid = annexed_clone(container, use, flags, container->cgroup.fd, channel, enter, child);
    if (pid > 0)
        return pid;
    pid = fork_into_cgroup(container, flags, child);
    if (pid == 0) {
        close(channel);
        close_fd(&container->overlay);
        enter(container);
    }
    if (pid > 0)
        pages_of_parent();
    return pid;
}

/* Joining a pid namespace concerns children only, and joining a user namespace may leave too few
 * privileges for the rest: so a process in between joins, and makes the container's. */
static int clone_through_namespaces(struct container *container, int channel, struct process *child)
{
    autoprocess struct process joiner = NO_PROCESS;
    pid_t pid = clone_into_cgroup(container, ANNEX_JOINER, 0, channel, join_and_clone, &joiner);
    if (pid < 0)
        return pid;
    autoclose int pidfd = -1;
    int type = wait_for_joiner(channel, &joiner);
    if (type == 0)
        type = sync_receive(channel, &pidfd);
    if (type != SYNC_CHILD || pidfd < 0) {
        return type < 0 || error_is_set()
                   ? -EINVAL
                   : fail(EPIPE, "the process that joins namespaces is gone");
    }
    pid = process_of_pidfd(pidfd);
    if (pid < 0)
        return pid;
    *child = (struct process){.pid = pid, .pidfd = take_fd(&pidfd)};
    return 0;
}

/* Make the child. In the child itself this does not return. */
static int clone_child(struct container *container, int channel, struct process *child)
{
    int result = resources_create(container);
    if (result == 0)
        result = set_affinity(container, container->config->process.initial_affinity,
                              "/process/execCPUAffinity/initial");
    if (result < 0)
        return result;
    uint64_t flags = new_namespaces(container);
    step("create the container's process");
    trace_field("/linux/namespaces");
    if (container_joins_namespaces(container))
        return clone_through_namespaces(container, channel, child);
    trace_sent(SYNC_START, "start");
    pid_t pid =
        clone_into_cgroup(container, ANNEX_CONTAINER, flags, channel, setup_container, child);
    return pid < 0 ? pid : 0;
}

int launch_map_ids(const struct container *container, const struct process *child, int channel)
{
    bool awaited = launch_is_awaited(container);
    bool scores =
        container->config->process.has_oom_score && !container_joins_namespaces(container);
    if (scores || awaited)
        step("find the container's process");
    pid_t number =
        scores || container->new_user ? process_number_in(container->proc, child) : child->pid;
    int result = number < 0 ? number : 0;
    if (result == 0 && scores)
        result = set_oom_score(container, number);
    if (result == 0 && container->new_user) {
        trace_group("map IDs");
        if (trace_wanted && config_has(container->config, "/linux/uidMappings"))
            trace_field("/linux/uidMappings");
        result = idmaps_write(container->proc, number, container->maps);
        if (result == 0)
            result = layer_idmap(container, child);
        trace_flush();
    }
    /* posix_spawn(3) of the helpers leaves libc's own signals unblocked. */
    sigset_t all;
    process_all_signals(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (awaited)
        step("let the child go on");
    if (result == 0 && awaited)
        result = sync_send(channel, SYNC_MAPPED);
    if (result == -EPIPE) {
        /* The child has ended; what it had to say about that is still to be heard. */
        error_clear();
        result = 0;
    }
    if (result < 0) {
        error_step("map IDs");
        error_field("/linux/uidMappings");
    }
    return result;
}

/* Returns what supervise_container() does. */
static int launch(struct container *container)
{
    step("prepare for children and signals");
    /* Orphans of the container become our children, and are reaped, where it has no pid namespace.
     */
    int result = prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0
                     ? fail(errno, "cannot become the parent of the container's orphans")
                     : 0;
    /* Whoever ignores this one never hears of a child's end, and there is no exit code to wait for;
     * that it is ignored may come from the caller, through exec. */
    signal(SIGCHLD, SIG_DFL);
    sigset_t all;
    process_all_signals(&all);
    if (sigprocmask(SIG_BLOCK, &all, &container->signals) < 0 && result == 0)
        result = fail(errno, "cannot block signals");
    int ends[2] = {-1, -1};
    if (result == 0)
        result = sync_open(ends);
    autoclose int channel = ends[0];
    autoclose int child_end = ends[1];
    autoprocess struct process child = NO_PROCESS;
    if (result == 0) {
        container->channel = child_end;
        result = clone_child(container, channel, &child);
        container->child = &child;
    }
    close_fd(&child_end);
    if (result < 0) {
        error_step("create process");
        error_field("/linux/namespaces");
    }
    if (result == 0)
        result = supervise_container(container, &child, &channel);
    container->child = NULL;
    net_devices_end(container, result < 0);
    process_end(&child);
    sigprocmask(SIG_SETMASK, &container->signals, NULL);
    return result;
}

int container_run(struct container *container)
{
    close_fd(&container->start_fifo);
    int result = launch(container);
    resources_remove(container);
    return result;
}

int container_create(struct container *container)
{
    int result = launch(container);
    if (result < 0)
        resources_remove(container);
    return result;
}
