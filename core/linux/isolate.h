/* This process, put into new namespaces: unshare(2), ID mappings, clock offsets, files that keep
 * the namespaces. namespaces(7), user_namespaces(7), time_namespaces(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/linux/idmap.h"
#include "core/linux/namespace.h"
#include "core/linux/process.h"
#include "core/linux/time_namespace.h"

struct isolation {
    uint64_t flags;                         /* CLONE_NEW* of the namespaces to make, 0 allowed */
    struct idmaps maps;                     /* of the new user namespace */
    struct time_offset clocks[TIME_CLOCKS]; /* of the new time namespace */
    const char *pins[NAMESPACE_TYPES];      /* bind the new namespace on this file; NULL: do not */
    bool fork; /* go on in a child, the first process of a pid namespace */
    /* That child, where it comes to execute a program, instead of a return in it: it runs in the
     * memory of this process, which stands still meanwhile, so that none is copied (vfork(2)). It
     * changes no variable of the caller's. Not with pins. NULL: fork(2). */
    int (*become)(void *argument); /* returns an exit code where that failed */
    void *argument;
};

/* Enter new namespaces. What the new namespaces have no right to (maps of other ids, binding the
 * files that keep them) is done by a helper process outside of them, which is gone when this
 * returns. With `fork` this returns twice: 0 in the child that goes on, its pid in this process,
 * whose *child is it; the child's standing is the caller's matter (follow.h). A failure leaves
 * nothing bound; the process itself may be in new namespaces. The maps are freed in any case.
 * Returns 0, a pid, or a negative errno (recorded). */
pid_t isolate(struct isolation *isolation, struct process *child);
