/* What is on disk about containers: one directory each, named by its ID.
 * SPDX-License-Identifier: Apache-2.0
 *
 * ROOT/ID holds state.json (record.h). Whoever changes it, or what it tells of, holds the lock of
 * the directory (flock(2)), which ends with the process; who only reads needs none, since the file
 * is replaced as a whole. A directory without state.json that nobody has locked was left behind by
 * a process that was killed.
 *
 * root, here and below: the directory of all containers, NULL for the default: /run/shimbox; for an
 * ordinary user $XDG_RUNTIME_DIR/shimbox, else /tmp/shimbox-UID; for root of a user namespace the
 * first of them where XDG_RUNTIME_DIR is set and USER is not root, as with runc.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/base/text.h"

/* The entry of a container. */
struct state {
    char *path; /* ROOT/ID, absolute, allocated; NULL: none */
    int fd;     /* of that directory; -1: none */
    bool locked;
    bool claimed; /* made or taken over here, and nothing is in it yet */
};
#define NO_STATE ((struct state){.path = 0, .fd = -1})

/* The last part of its path. */
const char *state_id(const struct state *state);

/* A name that may stand in a path: one component, not hidden, not an option. Returns 0 or -EINVAL
 * (recorded, a usage error). */
int state_check_id(const char *id);

/* Claim the ID for a new container: make the directory ROOT/ID and lock it. What a killed process
 * has left under that ID is removed before, if nobody may miss it: a directory without a record,
 * or the container of a `run` in the foreground. Returns 0 or a negative errno (recorded; -EEXIST:
 * the ID is in use). */
int state_claim(struct state *state, const char *root, const char *id);

/* Open the entry of a container that exists, without a lock. Returns 0 or a negative errno
 * (recorded; -ENOENT: there is none). */
int state_open(struct state *state, const char *root, const char *id);

/* Lock it, waiting for whoever has the lock, for so many milliseconds at most. Returns 0 or a
 * negative errno (recorded; -EBUSY: somebody has kept the lock; -ENOENT: it was removed). */
int state_lock(struct state *state, unsigned milliseconds);
void state_unlock(struct state *state);

/* Is it removed, or another one in its place by now? */
bool state_is_gone(const struct state *state);

/* Has any process locked it? Returns 1, 0 or a negative errno (recorded). */
int state_is_locked(const struct state *state);

/* Remove all files in the entry, which must be locked. Returns 0 or a negative errno (recorded). */
int state_clear(struct state *state);

/* Remove the entry, which must be locked, with all files in it. Returns 0 or a negative errno
 * (recorded). */
int state_remove(struct state *state);

/* The directory of all, and what is in it. */
struct state_root {
    int fd;             /* -1: there is none */
    char *path;         /* absolute */
    const char **names; /* of directories that may be entries, in their order */
    size_t count;
    struct text text; /* which they are in */
};
#define NO_STATE_ROOT ((struct state_root){.fd = -1})

/* Open it and read its names; without it there are none. hidden: those that start with a dot, which
 * are no containers', instead of the others. Returns 0 or a negative errno (recorded).
 * Close it in any case. */
int state_open_root(struct state_root *all, const char *root, bool hidden);
void state_close_root(struct state_root *all);
#define autostateroot __attribute__((cleanup(state_close_root)))

/* Open one of these entries, as state_open() does. -ENOENT and -ENOTDIR are not recorded: it has
 * been removed since. */
int state_open_below(struct state *state, const struct state_root *all, const char *name);

/* Let go of it. An entry that was claimed, and in which nothing was written, is removed. */
void state_release(struct state *state);
#define autostate __attribute__((cleanup(state_release)))
