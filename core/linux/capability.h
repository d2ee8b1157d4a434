/* Capability sets by name, and giving them to this process. capabilities(7), libcap-ng.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One bit per capability, bit N is capability N. */
struct capability_sets {
    uint64_t bounding;
    uint64_t effective;
    uint64_t permitted;
    uint64_t inheritable;
    uint64_t ambient;
};

/* The number of a capability: "CAP_KILL", in any case, with or without CAP_. -ENOENT when libcap-ng
 * does not know it (not recorded). */
int capability_number(const char *name);

/* "CAP_KILL" for 5; NULL for a number without a name. */
const char *capability_name(int number);

/* What the running kernel knows: all bits up to its last capability. Asks by prctl(2), without
 * /proc. */
uint64_t capability_known(void);

/* Does this process have that capability in its effective set? */
bool capability_have(int number);

/* The bounding set of this process, for which the kernel is asked once for each capability. */
uint64_t capability_bounding(void);

/* The other four sets of this process; the bounding one is left empty. Returns 0 or a negative
 * errno (not recorded; by capability_need() recorded). */
int capability_get(struct capability_sets *sets);
int capability_need(struct capability_sets *sets);

/* Drop from the bounding set whatever is not in `bounding`. Needs CAP_SETPCAP where something is to
 * be dropped. Returns 0 or a negative errno (recorded). */
int capability_bound(uint64_t bounding);

/* Make all permitted capabilities inheritable and ambient, so that a program keeps them whoever
 * executes it. Returns 0 or a negative errno (recorded). */
int capability_keep_over_exec(void);

/* Set permitted, effective and inheritable, then the ambient set (prctl). Capabilities this process
 * does not have are refused by the kernel. Returns 0 or a negative errno (recorded). */
int capability_apply(const struct capability_sets *sets);
