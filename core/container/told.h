/* What the hooks of a container are told of it that has no state on disk.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "core/container/record.h"

struct container;

struct told {
    struct record record; /* the container's, once prepared */
    char *bundle;
    char *rootfs;
};
#define NO_TOLD ((struct told){.bundle = 0})

/* Check the hooks of the container, whose id, config and root are set: its own process executes
 * createContainer and startContainer, and is told of the container by its id; the others are for a
 * parent that drives it. Returns 0 or a negative errno (recorded with the config's field). */
int told_prepare(struct told *told, struct container *container, bool has_parent);

void told_free(struct told *told);
#define autotold __attribute__((cleanup(told_free)))
