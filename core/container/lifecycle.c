/* What can be done with a container that exists.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/hooks.h"
#include "core/linux/process.h"
#include "core/linux/process_status.h"
#include "core/linux/rlimit.h"
#include "core/linux/sys.h"

/* Milliseconds: for whoever else is at work on the container; for a process to end that was killed,
 * which takes as long as the kernel needs to give its memory back. */
#define PATIENCE 10000

const char *status_name(enum status status)
{
    static const char names[][9] = {
        [STATUS_CREATING] = "creating", [STATUS_CREATED] = "created", [STATUS_RUNNING] = "running",
        [STATUS_PAUSED] = "paused",     [STATUS_STOPPED] = "stopped",
    };
    return names[status];
}

int lifecycle_is_alive(int proc, const struct record_process *process, bool *fresh)
{
    struct process_stat stat;
    if (process->pid == 0)
        return 0;
    int result = process_stat_read(proc, process->pid, &stat);
    if (result < 0)
        return result == -ESRCH && !error_is_set() ? 0 : result;
    *fresh = stat.flags & PROCESS_FORKNOEXEC;
    /* Whose first thread has ended alone goes on. */
    bool ended = (stat.state == 'Z' || stat.state == 'X') && stat.threads < 2;
    return stat.start == process->start && !ended;
}

static int is_this_boot(const struct lifecycle *lifecycle)
{
    char own[RECORD_BOOT] = "";
    char *boot = lifecycle->host ? lifecycle->host->boot : own;
    int result = boot[0] ? 0 : record_boot(boot);
    return result < 0 ? result : strcmp(boot, lifecycle->record.boot) == 0;
}

/* Its first process executes nothing but the program: until then it is that of a created one. */
static int find_status(struct lifecycle *lifecycle)
{
    const struct record *record = &lifecycle->record;
    bool fresh = false;
    int alive = is_this_boot(lifecycle);
    lifecycle->this_boot = alive > 0;
    if (alive > 0)
        alive = lifecycle_is_alive(lifecycle->proc, &record->init, &fresh);
    if (alive < 0)
        return alive;
    if (record->ready) {
        int frozen = alive ? lifecycle_is_frozen(lifecycle) : 0;
        lifecycle->status = !alive       ? STATUS_STOPPED
                            : frozen > 0 ? STATUS_PAUSED
                            : fresh      ? STATUS_CREATED
                                         : STATUS_RUNNING;
        return frozen < 0 ? frozen : 0;
    }
    int busy = lifecycle->state.locked ? 0 : state_is_locked(&lifecycle->state);
    lifecycle->status = busy > 0 ? STATUS_CREATING : STATUS_STOPPED;
    return busy < 0 ? busy : 0;
}

/* Somebody is about to write the record, or has just removed it (busy); or was killed before the
 * one or after the other. */
static int fail_unrecorded(struct lifecycle *lifecycle, bool busy)
{
    lifecycle->status = busy ? STATUS_CREATING : STATUS_STOPPED;
    int result = fail_state(ENOENT, "%s: container does not exist", state_id(&lifecycle->state));
    if (!busy && !state_is_gone(&lifecycle->state))
        error_hint("its creation was ended; what is left is removed by: delete --force");
    return result;
}

/* What is told of processes is in the /proc of our own pid namespace only. */
static int open_proc(struct lifecycle *lifecycle)
{
    struct lifecycle_host *host = lifecycle->host;
    if (lifecycle->proc >= 0)
        return 0;
    if (host && host->proc >= 0) {
        lifecycle->proc = host->proc;
        return 0;
    }
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return fail(errno, "cannot open /proc");
    if (!process_knows_proc(proc)) {
        int result = fail(ENOTSUP, "cannot find processes in the /proc of another pid namespace");
        error_hint("mount one: mount -t proc proc /proc");
        return result;
    }
    lifecycle->proc = take_fd(&proc);
    if (host)
        host->proc = lifecycle->proc;
    return 0;
}

/* Between making a directory and locking it there is a moment, which is worth a second look: by
 * then there may be a record as well. */
static int read_record(struct lifecycle *lifecycle)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    const struct state *state = &lifecycle->state;
    for (int i = 0;; i++) {
        int result = record_read(state, &lifecycle->record);
        if (result != -ENOENT || error_is_set())
            return result;
        int busy = state->locked ? 0 : state_is_locked(state);
        if (busy < 0)
            return busy;
        if (busy || state->locked || i > 0)
            return fail_unrecorded(lifecycle, busy);
        nanosleep(&pause, NULL);
    }
}

static int look(struct lifecycle *lifecycle)
{
    record_free(&lifecycle->record);
    lifecycle->recorded = false;
    lifecycle->status = STATUS_STOPPED;
    int result = read_record(lifecycle);
    if (result < 0)
        return result;
    lifecycle->recorded = true;
    result = open_proc(lifecycle);
    return result < 0 ? result : find_status(lifecycle);
}

int lifecycle_take(struct lifecycle *lifecycle, struct state *state, struct lifecycle_host *host)
{
    *lifecycle = NO_LIFECYCLE;
    lifecycle->host = host;
    lifecycle->state = *state;
    *state = NO_STATE;
    return look(lifecycle);
}

int lifecycle_open(struct lifecycle *lifecycle, const char *root, const char *id)
{
    *lifecycle = NO_LIFECYCLE;
    int result = state_open(&lifecycle->state, root, id);
    return result < 0 ? result : look(lifecycle);
}

int lifecycle_lock(struct lifecycle *lifecycle)
{
    int result = state_lock(&lifecycle->state, PATIENCE);
    return result < 0 ? result : look(lifecycle);
}

int lifecycle_open_locked(struct lifecycle *lifecycle, const char *root, const char *id)
{
    int result = lifecycle_open(lifecycle, root, id);
    return result < 0 ? result : lifecycle_lock(lifecycle);
}

void lifecycle_close(struct lifecycle *lifecycle)
{
    record_free(&lifecycle->record);
    state_release(&lifecycle->state);
    if (!lifecycle->host)
        close_fd(&lifecycle->proc);
    lifecycle->proc = -1;
}

void lifecycle_host_close(struct lifecycle_host *host)
{
    close_fd(&host->proc);
    cgroup_close(&host->cgroup);
}

/* Once there is a descriptor, and the process is the right one, nothing else can be meant by it. */
int lifecycle_pidfd(const struct lifecycle *lifecycle)
{
    const struct record_process *init = &lifecycle->record.init;
    bool fresh;
    autoclose int pidfd = init->pid ? sys_pidfd_open(init->pid) : -1;
    if (pidfd < 0)
        return !init->pid || errno == ESRCH || errno == EINVAL
                   ? -ESRCH
                   : fail(errno, "cannot get hold of process %d", (int)init->pid);
    int alive = is_this_boot(lifecycle);
    if (alive > 0)
        alive = lifecycle_is_alive(lifecycle->proc, init, &fresh);
    return alive > 0 ? take_fd(&pidfd) : alive < 0 ? alive : -ESRCH;
}

int lifecycle_fail_not_running(const struct lifecycle *lifecycle)
{
    return fail_state(ESRCH, "%s: container not running", state_id(&lifecycle->state));
}

/* Get hold of those that are still the container's, then send: whose parent has been killed would
 * not be found to be any more. fds: as many as pids, -1 at first. */
static int signal_each(const struct lifecycle *lifecycle, const pid_t *pids, int *fds, size_t count,
                       int number)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = sys_pidfd_open(pids[i]);
        if (fds[i] < 0 && errno != ESRCH && errno != EINVAL)
            return fail(errno, "cannot get hold of process %d", (int)pids[i]);
        if (fds[i] >= 0 && !lifecycle_has(lifecycle, pids[i]))
            close_fd(&fds[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0 && sys_pidfd_send_signal(fds[i], number) < 0 && errno != ESRCH)
            return fail(errno, "cannot send signal %d to process %d", number, (int)pids[i]);
    }
    return 0;
}

static int kill_all(const struct lifecycle *lifecycle, int number)
{
    autofree pid_t *pids = NULL;
    size_t count;
    int result = number ? lifecycle_signal_cgroup(lifecycle, number) : -ENOENT;
    if (result != -ENOENT || error_is_set())
        return result;
    result = lifecycle_pids(lifecycle, &pids, &count);
    if (result < 0 || count == 0)
        return result;
    struct rlimit before;
    rlimit_raise_files(64 + count, &before);
    autofree int *fds = malloc(count * sizeof(*fds));
    if (!fds)
        return fail(ENOMEM, "cannot send signals to %zu processes", count);
    for (size_t i = 0; i < count; i++)
        fds[i] = -1;
    result = signal_each(lifecycle, pids, fds, count, number);
    for (size_t i = 0; i < count; i++)
        close_fd(&fds[i]);
    return result;
}

int lifecycle_kill(const struct lifecycle *lifecycle, int number, bool all)
{
    step("send signal %d", number);
    if (all && lifecycle->recorded && lifecycle->status != STATUS_CREATING)
        return kill_all(lifecycle, number);
    if (!lifecycle->recorded || lifecycle->status == STATUS_STOPPED ||
        lifecycle->status == STATUS_CREATING)
        return lifecycle_fail_not_running(lifecycle);
    autoclose int pidfd = lifecycle_pidfd(lifecycle);
    if (pidfd < 0)
        return error_is_set() ? pidfd : lifecycle_fail_not_running(lifecycle);
    if (sys_pidfd_send_signal(pidfd, number) < 0)
        return errno == ESRCH ? lifecycle_fail_not_running(lifecycle)
                              : fail(errno, "cannot send signal %d to container %s", number,
                                     state_id(&lifecycle->state));
    return 0;
}

/* Kill its first process, if there is one, and wait until it is gone. */
static int end_process(const struct lifecycle *lifecycle)
{
    autoclose int pidfd = lifecycle_pidfd(lifecycle);
    if (pidfd < 0)
        return error_is_set() ? pidfd : 0;
    step("kill the container");
    if (sys_pidfd_send_signal(pidfd, SIGKILL) < 0)
        return errno == ESRCH
                   ? 0
                   : fail(errno, "cannot kill container %s", state_id(&lifecycle->state));
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int count;
    do {
        count = poll(&ended, 1, PATIENCE);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return fail(errno, "cannot wait for the end of container %s", state_id(&lifecycle->state));
    return count > 0 ? 0 : fail(ETIMEDOUT, "cannot kill container %s", state_id(&lifecycle->state));
}

static int remove_all(struct lifecycle *lifecycle)
{
    int result = end_process(lifecycle);
    if (result == 0)
        result = lifecycle_end_cgroup(lifecycle);
    if (result == 0)
        result = state_remove(&lifecycle->state);
    if (result == 0)
        hooks_run_all(&lifecycle->record.poststop, HOOK_POSTSTOP, &lifecycle->record,
                      status_name(STATUS_STOPPED), 0);
    return result;
}

/* Without a record there is nothing but the directory. */
static int remove_rest(struct lifecycle *lifecycle)
{
    error_clear();
    int result = lifecycle->state.locked ? 0 : state_lock(&lifecycle->state, PATIENCE);
    return result < 0 ? result : state_remove(&lifecycle->state);
}

int lifecycle_delete(struct lifecycle *lifecycle, bool force)
{
    /* Whoever is at work on it may be waiting for its process. */
    if (force && lifecycle->recorded && end_process(lifecycle) < 0)
        return -EINVAL;
    int result = lifecycle->state.locked ? 0 : lifecycle_lock(lifecycle);
    if (result < 0 && force && lifecycle->state.locked && !lifecycle->recorded)
        return remove_rest(lifecycle);
    if (result < 0)
        return result;
    /* As with runc, what was not started may be deleted: it has no program to lose. */
    if (!force && lifecycle->status != STATUS_STOPPED && lifecycle->status != STATUS_CREATED)
        return fail_state(EBUSY, "cannot delete container %s that is not stopped: %s",
                          state_id(&lifecycle->state), status_name(lifecycle->status));
    return remove_all(lifecycle);
}

void lifecycle_discard(struct lifecycle *lifecycle)
{
    struct error kept = *error_get();
    error_clear();
    lifecycle_delete(lifecycle, true);
    error_clear();
    error_adopt(&kept);
}

/* Nobody waits for the end of a `run` that was killed, and nobody will delete what is left. */
static bool is_left_over(const struct lifecycle *lifecycle)
{
    const struct record *record = &lifecycle->record;
    bool fresh;
    if (lifecycle->status != STATUS_STOPPED || !record->runner.pid)
        return false;
    int alive = is_this_boot(lifecycle);
    if (alive > 0)
        alive = lifecycle_is_alive(lifecycle->proc, &record->runner, &fresh);
    return alive == 0;
}

/* What is noted beside a record that is not there. */
static int end_unrecorded(struct lifecycle *lifecycle)
{
    error_clear();
    int result = open_proc(lifecycle);
    return result < 0 ? result : lifecycle_end_cgroup(lifecycle);
}

int lifecycle_end_unrecorded(struct state *state)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    int result = lifecycle_take(&lifecycle, state, NULL);
    if (result == -ENOENT && !lifecycle.recorded)
        result = end_unrecorded(&lifecycle);
    *state = lifecycle.state;
    lifecycle.state = NO_STATE;
    return result;
}

int lifecycle_sweep(struct state *state)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    int result = lifecycle_take(&lifecycle, state, NULL);
    if (result == -ENOENT && !lifecycle.recorded) {
        result = end_unrecorded(&lifecycle);
        if (result == 0)
            result = state_clear(&lifecycle.state);
    } else if (result == 0 && is_left_over(&lifecycle)) {
        result = lifecycle_end_cgroup(&lifecycle);
        if (result == 0)
            result = state_clear(&lifecycle.state);
        if (result == 0)
            hooks_run_all(&lifecycle.record.poststop, HOOK_POSTSTOP, &lifecycle.record,
                          status_name(STATUS_STOPPED), 0);
    } else {
        error_clear();
        result = fail_state(EEXIST, "container ID %s is in use", state_id(&lifecycle.state));
    }
    *state = lifecycle.state;
    lifecycle.state = NO_STATE;
    return result;
}
