/* Parts of a container's creation that the state machine of supervise.c decides when to do.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct container;
struct process;

/* Does the child wait until it is told that its ids are mapped? Asked on both sides. */
bool launch_is_awaited(const struct container *container);

/* Do for the child what only its parent can, its ID mappings above all, and let it go on. channel:
 * to the child. Returns 0 or a negative errno (recorded). */
int launch_map_ids(const struct container *container, const struct process *child, int channel);
