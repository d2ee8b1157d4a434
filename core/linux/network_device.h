/* Network interfaces that go over to another network namespace, with their addresses. rtnetlink(7),
 * runtime-spec, config-linux.md, "Network devices".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/linux/interface.h"
#include "core/linux/netlink.h"

struct network_device {
    char name[IFNAMSIZ];                 /* in the namespace where it is */
    int index;                           /* there, once it was moved; 0: not yet */
    bool up;                             /* where it was found */
    struct interface_address *addresses; /* those that last, and are for everybody */
    size_t count;
};

/* Look for the interface of that name in the namespace of the socket, and note its addresses.
 * Returns 0 or a negative errno (recorded; -ENODEV: there is none). Free it in any case. */
int network_device_find(struct network_device *device, const struct netlink *netlink,
                        const char *name);
void network_device_free(struct network_device *device);

/* Move what was found to the namespace of the other socket: under this name, which must not be
 * there, with "%d" in it the first that is not; with its addresses; up, if it is to be. What was
 * moved before is known by its index, since others may have renamed it. The kernel takes addresses
 * and routes away. device->name is the new one, as soon as it is there. *moved: even if something
 * else failed then. Returns 0 or a negative errno (recorded). */
int network_device_move(struct network_device *device, struct netlink *from, struct netlink *to,
                        const char *name, bool up, bool *moved);
