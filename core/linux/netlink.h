/* Requests to the kernel's routing netlink, and its answers. netlink(7), rtnetlink(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request under construction. */
struct netlink {
    int fd; /* of a socket, which belongs to the network namespace that it was opened in */
    uint32_t sequence;
    size_t length;
    _Alignas(4) unsigned char bytes[1024];
};

/* Open a socket in the present network namespace. Returns 0 or a negative errno (recorded). */
int netlink_open(struct netlink *netlink);

/* The same in the network namespace of another process; pidfd -1: in a new one, where nobody is. A
 * child that shares everything goes there, while this process stands still, and stays here: it
 * might not have the right to come back. */
int netlink_open_in(struct netlink *netlink, int pidfd);
void netlink_close(struct netlink *netlink);
#define autonetlink __attribute__((cleanup(netlink_close)))

/* The network namespace that the socket belongs to (SIOCGSKNS, Linux 4.10; needs CAP_NET_ADMIN
 * there). Returns a descriptor, close-on-exec, or a negative errno (recorded). */
int netlink_namespace(const struct netlink *netlink);

/* The number of an interface in that namespace; libc would ask in that of this process. Returns it
 * or a negative errno (not recorded). And whether there is one of that number. */
int netlink_index(const struct netlink *netlink, const char *name);
bool netlink_has_index(const struct netlink *netlink, int index);

/* Begin a request: type RTM_NEWLINK ..., flags NLM_F_CREATE ... beside those that every request
 * has, and its fixed header. */
void netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags, const void *header,
                   size_t size);

/* Append an attribute; the text with its NUL. What does not fit makes netlink_talk() fail. */
void netlink_put(struct netlink *netlink, uint16_t type, const void *data, size_t size);
void netlink_put_text(struct netlink *netlink, uint16_t type, const char *text);
void netlink_put_u32(struct netlink *netlink, uint16_t type, uint32_t number);

/* Append what follows inside an attribute, until the end. Returns what netlink_end() wants. */
size_t netlink_nest(struct netlink *netlink, uint16_t type);
void netlink_end(struct netlink *netlink, size_t nest);

/* Append raw bytes inside of a nest, such as the header of a peer. */
void netlink_put_raw(struct netlink *netlink, const void *data, size_t size);

/* Send the request and wait for the kernel's answer. Returns 0 or a negative errno (not recorded:
 * the caller knows what it was about). */
int netlink_talk(struct netlink *netlink);
