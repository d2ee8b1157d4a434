/* What can be done with a container that exists. runtime-spec, runtime.md, "Operations".
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where the state of the container does not allow it, the error has the words of runc, which
 * engines look for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/container/record.h"
#include "core/container/state.h"
#include "core/linux/cgroup.h"

enum status {
    STATUS_CREATING, /* somebody is at it */
    STATUS_CREATED,  /* its process waits for `start` */
    STATUS_RUNNING,
    STATUS_PAUSED,
    STATUS_STOPPED, /* its process has ended, or was never there */
};
const char *status_name(enum status status);

/* What is the same for all containers that one command looks up, once it is known. */
struct lifecycle_host {
    int proc;
    char boot[RECORD_BOOT];
    struct cgroup cgroup; /* the root of the mount */
};
#define NO_LIFECYCLE_HOST ((struct lifecycle_host){.proc = -1, .cgroup = NO_CGROUP})
void lifecycle_host_close(struct lifecycle_host *host);

/* A container that was looked up. */
struct lifecycle {
    struct lifecycle_host *host; /* the caller's; NULL: it is the only one */
    struct state state;
    struct record record;
    bool recorded;  /* there is a record; else its creation was begun, or was killed before that */
    bool this_boot; /* the record is of it */
    enum status status;
    int proc; /* /proc; the host's, if there is one */
};
#define NO_LIFECYCLE ((struct lifecycle){.state = NO_STATE, .proc = -1})

/* Look one up, without a lock. -ENOENT (recorded): there is none. If there is a directory all the
 * same, lifecycle->state is that: it was left behind, or somebody is at work (STATUS_CREATING).
 * Other errors leave it open as well: a record that cannot be used. Close it in any case. */
int lifecycle_open(struct lifecycle *lifecycle, const char *root, const char *id);

/* Look at an entry that is open already (taken over). host: NULL where it is the only one. */
int lifecycle_take(struct lifecycle *lifecycle, struct state *state, struct lifecycle_host *host);

/* What is told of one of many. */
struct lifecycle_view {
    const char *id;
    const struct record *record; /* NULL: it cannot be used, and why is recorded */
    enum status status;
};

/* Call visit for each container, in the order of their IDs. brief: what is left out of a record
 * then (record_parse_quickly()) is not wanted. A negative result ends this, and is returned. */
int lifecycle_each(const char *root, bool brief,
                   int (*tell_of)(void *context, const struct lifecycle_view *view), void *context);

/* Lock it, and look again. */
int lifecycle_lock(struct lifecycle *lifecycle);

/* Both, for one that must have a record. */
int lifecycle_open_locked(struct lifecycle *lifecycle, const char *root, const char *id);
void lifecycle_close(struct lifecycle *lifecycle);
#define autolifecycle __attribute__((cleanup(lifecycle_close)))

/* A pidfd of its first process, which is sure to be that. Returns it, -ESRCH (not recorded) when it
 * has ended, or another negative errno (recorded). */
int lifecycle_pidfd(const struct lifecycle *lifecycle);

/* Send a signal to its first process, or to all of its processes; 0 only asks whether one could.
 * Returns 0 or a negative errno (recorded; -ESRCH: it is not running). */
int lifecycle_kill(const struct lifecycle *lifecycle, int number, bool all);

/* Its processes, in the order of their pids, as this pid namespace numbers them: those in its pid
 * namespace and below; where it shares ours, its first process and what descends from that. *pids:
 * allocated, also when there are none. Returns 0 or a negative errno (recorded). */
int lifecycle_pids(const struct lifecycle *lifecycle, pid_t **pids, size_t *count);

/* Is that process one of those? */
bool lifecycle_has(const struct lifecycle *lifecycle, pid_t pid);

/* Remove the container with all that belongs to it, then execute its poststop hooks. force: kill it
 * if it runs; a container without a usable record loses its directory. Returns 0 or a negative
 * errno (recorded). */
int lifecycle_delete(struct lifecycle *lifecycle, bool force);

/* Remove it after a failure, whose record stays. */
void lifecycle_discard(struct lifecycle *lifecycle);

/* Stop all of its processes, or let them go on, by its cgroup. Returns 0 or a negative errno
 * (recorded). */
int lifecycle_freeze(const struct lifecycle *lifecycle, bool freeze);

/* Give it other limits, as resources_update() has it. Lock it before. Returns 0 or a negative errno
 * (recorded). */
struct resources;
int lifecycle_update(const struct lifecycle *lifecycle, const struct resources *resources);

/* ---- for the parts of this ---- */

/* Is that process there, and no other one with its pid? 1, 0 or a negative errno (recorded).
 * *fresh: it has not executed anything since it was cloned. */
int lifecycle_is_alive(int proc, const struct record_process *process, bool *fresh);
/* By its cgroup, whether it is frozen: 1, 0 (also without one), or a negative errno (recorded). */
int lifecycle_is_frozen(const struct lifecycle *lifecycle);
/* A signal to all in it. -ENOENT (not recorded): it has none. */
int lifecycle_signal_cgroup(const struct lifecycle *lifecycle, int number);
/* Record that it is not in a state for that, or has no cgroup of its own. Return a negative errno.
 */
int lifecycle_fail_not_running(const struct lifecycle *lifecycle);
int lifecycle_fail_without_cgroup(const struct lifecycle *lifecycle);

/* A descriptor of its cgroup, O_PATH. Returns it, -ENOENT (not recorded) where it has none, or
 * another negative errno (recorded). */
int lifecycle_open_cgroup(const struct lifecycle *lifecycle);

/* The same of a cgroup below it: names between slashes. -ENOENT is recorded here. */
int lifecycle_open_subcgroup(const struct lifecycle *lifecycle, const char *path);

/* The same of the cgroup that its first process is in, if that is the container's or one below. */
int lifecycle_open_own_cgroup(const struct lifecycle *lifecycle);

/* Kill what is in it, and remove it, if it has one; or the one that was noted. */
int lifecycle_end_cgroup(const struct lifecycle *lifecycle);

/* For who claims an ID, and has the lock: remove what a killed process has left there, unless it is
 * a container that somebody may want (-EEXIST, recorded). Returns 0 or a negative errno (recorded).
 */
int lifecycle_sweep(struct state *state);

/* For an entry without a record, which is locked: end the cgroup that is noted there, if any is.
 * Returns 0 or a negative errno (recorded). */
int lifecycle_end_unrecorded(struct state *state);
