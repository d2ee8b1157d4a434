/* What is on disk about containers: one directory each, named by its ID.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* A claimed ID. */
struct state {
    char *path; /* ROOT/ID, allocated; NULL: none */
    int fd;     /* of that directory, locked as long as this process lives; -1: none */
};
#define NO_STATE ((struct state){.path = 0, .fd = -1})

/* Claim the ID: make the directory ROOT/ID and lock it (flock(2)). Two processes cannot have the
 * same ID; a directory that nobody has locked was left behind by one that was killed, and is taken
 * over. root: NULL for the default, /run/shimbox; for an ordinary user
 * $XDG_RUNTIME_DIR/shimbox, else /tmp/shimbox-UID.
 * Returns 0 or a negative errno (recorded; -EEXIST: the ID is in use). */
int state_claim(struct state *state, const char *root, const char *id);

/* Give the ID back: remove the directory. Does nothing without one. */
void state_release(struct state *state);
#define autostate __attribute__((cleanup(state_release)))
