/* Network interfaces and their addresses. rtnetlink(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
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
    int family;    /* AF_INET, AF_INET6 */
    unsigned prefix;
    unsigned scope;          /* RT_SCOPE_UNIVERSE ... */
    uint32_t flags;          /* IFA_F_PERMANENT ... */
    unsigned char local[16]; /* of a family's length */
    unsigned char peer[16];  /* the same one, unless it is a line between two */
    unsigned char broadcast[4];
    bool has_broadcast;
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
