/* Resource limits by name. getrlimit(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* The number of "RLIMIT_NOFILE", or -ENOENT (not recorded). */
int rlimit_number(const char *name);

/* The name of a number that rlimit_number() gave. */
const char *rlimit_name(int resource);
