/* linux.netDevices: interfaces that the parent moves into the container's network namespace.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct container;
struct process;

/* Check that they are there, and may be moved. Changes nothing. Returns 0 or a negative errno
 * (recorded with the config's field). */
int net_devices_prepare(struct container *container);

/* Move them, while the child waits; all of them, or none. Results as above. */
int net_devices_move(struct container *container, const struct process *child);

/* Forget of them; after a failure (back) move them to where they were: with the namespace, the
 * kernel would remove those that are virtual. */
void net_devices_end(struct container *container, bool back);
