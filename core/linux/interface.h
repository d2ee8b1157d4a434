/* Network interfaces and their addresses. rtnetlink(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct interface {
    int index;
    char name[16];
    uint32_t flags; /* IFF_UP ... */
    uint32_t mtu;
    char hardware[96]; /* "02:42:ac:11:00:02", "" for none */
};

struct interface_address {
    int index;     /* of the interface */
    char text[56]; /* "10.0.0.2/24", "fe80::1/64" */
};

/* Who is told of each, in the order in which the kernel lists them. */
struct interface_visitor {
    void (*interface)(void *context, const struct interface *interface);
    void (*address)(void *context, const struct interface_address *address);
    void *context;
};

/* A socket that knows the interfaces of this process's network namespace, also after the process
 * has left that. Returns it or a negative errno (not recorded). */
int interface_socket(void);

/* Tell of all interfaces, then of all addresses. Returns 0 or a negative errno (not recorded);
 * -EINTR when they changed meanwhile. */
int interface_list(int socket, const struct interface_visitor *visitor);
