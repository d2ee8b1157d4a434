/* Network interfaces, addresses, routes. netdevice(7), rtnetlink(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/* Bring the loopback interface of this network namespace up, which gives it 127.0.0.1 and ::1.
 * Returns 0 or a negative errno (recorded). */
int network_loopback_up(void);

struct netlink;

/* An address with the length of its network's prefix: 10.0.0.2/24, fd00::2/64. */
struct network_address {
    int family; /* AF_INET, AF_INET6 */
    unsigned char bytes[16];
    unsigned prefix;
};

/* Parse ADDRESS/PREFIX; gateway: an ADDRESS alone. option: for messages. Returns 0 or -EINVAL
 * (recorded, a usage error). */
int network_parse_address(const char *option, const char *text, struct network_address *address);
int network_parse_gateway(const char *option, const char *text, struct network_address *address);

/* Can it be the name of an interface? */
bool network_is_name(const char *name);

/* Is it a name that an interface can have? Returns 0 or -EINVAL (recorded, a usage error). */
int network_check_name(const char *option, const char *name);

/* The following act in the network namespace of the netlink socket, and each checks the kernel's
 * answer. They return 0 or a negative errno (recorded).
 *
 * Make a pair of connected interfaces; the peer in the network namespace that is open as netns. */
int network_add_veth(struct netlink *netlink, const char *name, const char *peer, int netns);
int network_set_up(struct netlink *netlink, const char *name);
int network_add_address(struct netlink *netlink, const char *name,
                        const struct network_address *address);
/* The default route. */
int network_add_gateway(struct netlink *netlink, const struct network_address *gateway);
int network_delete(struct netlink *netlink, const char *name);
/* Move an interface into another network namespace. */
int network_move(struct netlink *netlink, const char *name, int netns);
