/* Network namespaces: made, furnished, kept under a name. network_namespaces(7), ip-netns(8).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "core/base/text.h"
#include "core/linux/network.h"

struct idmaps;

struct netns_wish {
    bool enter;          /* this process itself goes inside, and stays there */
    struct idmaps *maps; /* with enter: taken over for a new user namespace that owns it; NULL: the
                            present one does */
    bool loopback;       /* bring lo up */
    const char *host;    /* veth: the interface outside, NULL for none */
    const char *peer;    /* and the one inside */
    const char *move;    /* move this interface inside; NULL: none */
    bool has_address;    /* for the peer, or for the moved interface */
    bool has_gateway;
    struct network_address address;
    struct network_address gateway;
    /* Called when all is there, before it can no longer be undone; a failure (recorded) undoes it.
     * NULL: nothing more is to be done. */
    int (*keep)(const void *context, int netns);
    const void *context;
};

/* Make a network namespace and what it is to have. It lives as long as the descriptor, or what is
 * made with it. On failure interfaces are where they were. Returns a descriptor or a negative errno
 * (recorded). */
int netns_create(const struct netns_wish *wish);

/* Where names are kept: directory as given, or for NULL $XDG_RUNTIME_DIR/netns, or, for root
 * without that variable, /run/netns. The path is allocated. Returns 0 or a negative errno
 * (recorded). */
int netns_directory(const char *directory, char **path);

/* A random name: net- and 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12. */
void netns_random_name(char name[48]);

/* Is it a name: one component of a path? Returns 0 or -EINVAL (recorded, a usage error). */
int netns_check_name(const char *name);

/* Bind the namespace on directory/name, which must not exist. The directory is made where it is
 * missing, and is a shared mount afterwards, so that the name is seen in the mount namespaces that
 * come from this one; pin_remove() undoes it. Returns 0 or a negative errno (recorded). */
int netns_pin(int netns, const char *directory, const char *name);

/* Append the names of the network namespaces in the directory, sorted. A directory that is missing
 * has none. Returns 0 or a negative errno (recorded). */
int netns_list(const char *directory, struct text_list *names);
