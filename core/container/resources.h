/* A container's own cgroup: made before its first process, limited before its program runs, removed
 * with all that is left in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/linux/cgroup.h"
#include "core/oci/resources.h"

struct container;

struct own_cgroup {
    struct cgroup place;               /* its path is the container's to remember */
    int fd;                            /* O_PATH; -1: there is none */
    int filter;                        /* of devices, not yet in force; -1: there is none */
    bool join;                         /* the child moves itself, for lack of clone3(2) */
    bool standard;                     /* its limits are those of the default specification */
    bool optional;                     /* likewise, and nobody has asked for a cgroup */
    struct resource_settings settings; /* to be written before the program runs */
    bool measured;                     /* the peak is wanted */
    uint64_t peak;                     /* of its memory, bytes; 0: not known */
    uint64_t oom_kills;                /* how many processes the lack of memory has cost */
};
#define NO_OWN_CGROUP ((struct own_cgroup){.place = {.root = -1}, .fd = -1, .filter = -1})

/* Check linux.resources: what is not supported is refused by name. Changes nothing. Returns 0 or a
 * negative errno (recorded with the config's field), as all of the following. */
int resources_prepare(struct container *container);

/* Make the cgroup, unless there is no need of one, and enable the controllers that its limits take.
 * Where the controllers belong to version 1, the limits are left out with a warning; refused if the
 * container is to be strict. */
int resources_create(struct container *container);

/* Of this, finding the place and making it. What was made stays after a failure. */
int resources_place(struct container *container);

/* In the child: be in it, and in a cgroup namespace whose root it is. */
int setup_cgroup(struct container *container);

/* Load the filter of devices, which the kernel takes a while to check: while the child is at its
 * set-up. */
int resources_load_filter(struct container *container);

/* Close its descriptors. */
void resources_close(struct container *container);

/* Write the limits, and put the filter of devices in force. From the parent, when the set-up is
 * done: that may take more than the program is to have. */
int resources_limit(struct container *container);

/* Kill what is left in the cgroup and remove it. oom_kills is known then. Never fails: what cannot
 * be removed is told in a warning. */
void resources_remove(struct container *container);

/* For a container that is there, in the cgroup at that place: all of these limits and the filter of
 * devices, or nothing, as far as cgroup_make() has it. What is not asked for stays as it is. A
 * limit of memory that is raised is written before that of swap space, else after it. process: as
 * for cgroup_find(). Returns 0 or a negative errno (recorded). */
int resources_update(struct cgroup *place, int process, const struct resources *resources);

/* How many processes the lack of memory has cost so far; 0 where that is not counted. */
uint64_t resources_oom_kills(struct cgroup *place);

/* ---- for the parts of this ---- */

/* Refuse what cannot be had. */
int resources_refuse(const struct resources *resources);

/* With checkBeforeUpdate: is there room for what is in use? The kernel would make room, by ending
 * processes if need be. */
int resources_check_memory(int fd, const char *path, const struct resources *resources);

/* Is that a limit of swap space which says nothing, since the kernel counts none? Once the
 * controller is there. */
bool resources_is_moot(int fd, const char *setting);
