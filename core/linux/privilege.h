/* The privileges of this process, changed together: ids, groups, capabilities, securebits.
 * setpriv(1). SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/text.h"
#include "core/linux/capability.h"

/* What is not given stays as it is. */
struct privilege {
    struct {
        bool given;
        uint32_t id;
    } ruid, euid, rgid, egid;
    bool set_groups;
    const uint32_t *groups;
    size_t group_count;
    bool set_securebits;
    unsigned securebits;
    bool set_bounding;
    bool set_inheritable;
    bool set_permitted; /* and effective */
    bool set_ambient;
    struct capability_sets capabilities; /* of those that are to be set */
};

/* Apply it, in the order that the kernel's rules ask for: groups and group before the user,
 * capabilities kept meanwhile, securebits before the sets that they protect, bounding before
 * inheritable, ambient last. Returns 0 or a negative errno (recorded). */
int privilege_apply(const struct privilege *privilege);

/* Append what this process has now: lines as setpriv(1) prints them, or a JSON object. detail: the
 * effective and permitted sets too from 2 on, saved ids from 3 on (in JSON they always are).
 * Returns 0 or a negative errno (recorded). */
int privilege_dump(struct text *text, bool json, unsigned detail);
