/* ID mappings as the options of unshare(1) describe them.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "core/linux/idmap.h"

/* The caller's own id, seen as `inner`. */
struct idmap_single {
    bool given;
    uint32_t inner;
};

struct idmap_unshare {
    bool automatic; /* subordinate ids of both kinds from 0 on */
    bool subids;    /* subordinate ids of both kinds to themselves */
    struct idmap_single user;
    struct idmap_single group;
    /* INNER:OUTER:COUNT, OUTER,INNER,COUNT (util-linux before 2.39), auto, subids, or all: what
     * this user namespace has, to itself */
    const struct text_list *users;
    const struct text_list *groups;
};

/* Does the kernel, or unshare(1), want setgroups(2) denied for these maps? So it is when the own
 * group is all that is mapped. */
bool idmap_unshare_must_deny(const struct idmap_unshare *wish);

/* Make the maps, checked whole. Ranges make room for the caller's own id (idmap_insert()). Without
 * any wish they stay empty. Returns 0 or a negative errno (recorded); free them in any case. */
int idmaps_by_unshare(struct idmaps *maps, const struct idmap_unshare *wish);
