/* The config.json of a function: a default one or a bundle's, with bounds.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/text.h"

struct idmaps;
struct json_object;

enum function_network {
    NETWORK_AS_IT_IS,
    NETWORK_ISOLATED, /* a new network namespace */
    NETWORK_RUNNER,   /* that of the caller, with its resolv.conf */
};

struct function_wish {
    const struct idmaps *maps; /* of its user namespace; NULL: the document's own */
    const char *memory;        /* quantities (quantity.h); NULL: no limit */
    const char *cpu;
    uint32_t pids; /* processes at once, 0: no limit */
    enum function_network network;
    const struct text_list *env; /* NAME=VALUE */
    bool nested;                 /* proc and sysfs are those of the outside */
    bool readonly;
};

/* Change the document so: besides, a function has no terminal, and pid, mount and user namespaces
 * of its own. Returns 0 or a negative errno (recorded). */
int spec_make_function(struct json_object *document, const struct function_wish *wish);

/* Does it map ids itself? */
bool spec_has_maps(struct json_object *document);
