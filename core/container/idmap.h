/* Idmapped mounts: which user namespace maps them, and who may do it. runtime-spec, config.md,
 * mount options "idmap" and "ridmap".
 * SPDX-License-Identifier: Apache-2.0
 *
 * The kernel wants privilege over the file system, in the user namespace that it was mounted in. A
 * child in a new user namespace has none over the host's: so it makes the clone, in whose tree
 * submounts stay locked, and sends it to the parent, which idmaps what both have open (sync.h).
 */
#pragma once

#include <stddef.h>

struct container;
struct process;

/* In the parent, before there is a child: check the options, make the user namespaces; one for
 * equal maps. Returns 0 or a negative errno (recorded with the config's field). */
int idmap_prepare(struct container *container);

/* A descriptor of the user namespace of the container itself, joined or the child's new one.
 * Returns it or a negative errno (recorded). */
int idmap_open_own(const struct container *container, const struct process *child);

/* Give the detached mount of entry i what it does not have yet: with idmap and ridmap its mapping,
 * the propagation, and a bind mount its attributes. In the child, which asks the parent where it
 * must. Returns 0 or a negative errno (recorded). */
int idmap_in_child(const struct container *container, size_t i, int mount);

/* The same in the process that is privileged over the file system. child: who is in the container's
 * own user namespace; NULL: nobody. */
int idmap_mount(const struct container *container, size_t i, int mount,
                const struct process *child);
