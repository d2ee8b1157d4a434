/* Resource limits by name. getrlimit(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

/* The number of "RLIMIT_NOFILE", or -ENOENT (not recorded). */
int rlimit_number(const char *name);

/* The name of a number that rlimit_number() gave. */
const char *rlimit_name(int resource);

/* Let this process have that many files open, as far as its hard limit allows: opening one too many
 * tells. *before: the limit to be restored, unchanged if nothing had to be done. */
void rlimit_raise_files(uint64_t wanted, struct rlimit *before);
