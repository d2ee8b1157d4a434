/* What a process that calls functions leaves in file systems, and the sweeping of that.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Beside the states of containers it has an entry of its own, .spark-PID, locked as long as it
 * lives: there it is noted which cgroup and which scratch directory are about to be made. One that
 * nobody has locked was left behind by a process that was killed.
 */
#pragma once

#include <stdbool.h>

#include "core/container/state.h"

struct idmaps;

struct function_entry {
    struct state state;
    char *scratch;             /* a directory of its own, absolute, allocated; NULL: none */
    const struct idmaps *maps; /* whose root owns what is in there, the caller's */
    unsigned long calls;
};
#define NO_FUNCTION_ENTRY ((struct function_entry){.state = NO_STATE})

/* Remove what is left of processes that were killed; what cannot be removed is told in a warning.
 * root: as in state.h. */
void function_sweep(const char *root, const struct idmaps *maps);

/* Make an entry. scratch: directory for what functions change, absolute; NULL: none is wanted.
 * Returns 0 or a negative errno (recorded). Close it in any case. */
int function_entry_open(struct function_entry *entry, const char *root, const char *scratch,
                        const struct idmaps *maps);
void function_entry_close(struct function_entry *entry);
#define autoentry __attribute__((cleanup(function_entry_close)))

/* "spark-PID": what is made for it is called so. */
const char *function_entry_name(const struct function_entry *entry);

/* A place for the changes of one call, where there is a scratch directory: *path is allocated. The
 * caller takes it away in the end. Returns 0 or a negative errno (recorded). */
int function_entry_place(struct function_entry *entry, char **path);
void function_entry_clear(const struct function_entry *entry, const char *path);
