/* User namespaces as descriptors. user_namespaces(7), ioctl_nsfs(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct idmaps;
struct process;

/* Make a user namespace with these maps. It lives as long as the descriptor or what is made with
 * it: the process that it takes to have one is gone when this returns. Maps that the caller may not
 * write itself take newuidmap and newgidmap, whose end must not be lost: SIGCHLD not ignored.
 * proc: a descriptor of /proc.
 * Returns a descriptor or a negative errno (recorded). */
int userns_create(int proc, const struct idmaps *maps);

/* The same, and *holder is a process in it, which the caller keeps or ends. */
int userns_hold(int proc, const struct idmaps *maps, struct process *holder);

/* Are the effective ids of this process mapped in that user namespace? It is asked by a child that
 * joins it. Returns 1, 0, or -1 when it cannot be told (not recorded). */
int userns_maps_caller(int userns);

/* Are these the same ranges, in the same order? */
bool userns_same_maps(const struct idmaps *one, const struct idmaps *other);
