/* A new time namespace with clocks of its own. time_namespaces(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum time_clock {
    TIME_MONOTONIC, /* CLOCK_MONOTONIC, and those derived from it */
    TIME_BOOTTIME,
    TIME_CLOCKS,
};

/* What is added to the clock of the initial time namespace. */
struct time_offset {
    bool given;
    int64_t seconds;
    uint32_t nanoseconds; /* 0 to 999999999; added to the seconds, also to negative ones */
};

/* runtime-spec's and the kernel's name: "monotonic". */
const char *time_clock_name(enum time_clock clock);

/* Set the offsets of the time namespace that this process has made for its children, none of whom
 * is in it yet. proc: descriptor of /proc. Returns 0 or a negative errno (recorded, naming the
 * clock; -ERANGE where a clock would be negative, or beyond some 146 years). */
int time_namespace_move_clocks(int proc, const struct time_offset offsets[TIME_CLOCKS]);

/* Create a time namespace, set its offsets and move this process, which must have a single thread,
 * into it. proc: descriptor of /proc. Needs CAP_SYS_ADMIN and CAP_SYS_TIME in the user namespace of
 * this process, and permission for its own files in /proc, which it may lose when its ids change.
 * Returns 0 or a negative errno (recorded). */
int time_namespace_enter(int proc, const struct time_offset offsets[TIME_CLOCKS]);
