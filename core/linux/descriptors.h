/* Descriptors of this process, many at once. close_range(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

/* Close all from that number on, but for those kept (-1: none). Returns 0 or a negative errno
 * (recorded). */
int descriptors_close(unsigned from, const int *kept, size_t count);
