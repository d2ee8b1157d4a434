/* User namespaces as descriptors. user_namespaces(7), ioctl_nsfs(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct idmaps;

/* Make a user namespace with these maps. It lives as long as the descriptor or what is made with
 * it: the process that it takes to have one is gone when this returns. Maps that the caller may not
 * write itself take newuidmap and newgidmap, whose end must not be lost: SIGCHLD not ignored.
 * proc: a descriptor of /proc.
 * Returns a descriptor or a negative errno (recorded). */
int userns_create(int proc, const struct idmaps *maps);

/* Are these the same ranges, in the same order? */
bool userns_same_maps(const struct idmaps *one, const struct idmaps *other);
