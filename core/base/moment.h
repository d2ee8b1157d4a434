/* Moments, by a clock that nobody sets. clock_gettime(2), CLOCK_MONOTONIC.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

/* The present one, in microseconds. */
int64_t moment_now(void);

/* Until that one, as a time limit of poll(2): milliseconds, rounded up; 0 when it is over; -1 for a
 * moment of 0, which never comes. */
int moment_left(int64_t moment);
