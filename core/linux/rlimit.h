/* Resource limits by name. getrlimit(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

struct text_list;

/* The number of "RLIMIT_NOFILE", or -ENOENT (not recorded). */
int rlimit_number(const char *name);

/* The name of a number that rlimit_number() gave. */
const char *rlimit_name(int resource);

/* Let this process have that many files open, as far as its hard limit allows: opening one too many
 * tells. *before: the limit to be restored, unchanged if nothing had to be done. */
void rlimit_raise_files(uint64_t wanted, struct rlimit *before);

/* Read "NAME=SOFT[:HARD]", NAME as in nofile or RLIMIT_NOFILE, limits as numbers or unlimited;
 * without HARD both are SOFT. option: for messages. Returns the resource's number or -EINVAL
 * (recorded, a usage error). */
int rlimit_parse(const char *option, const char *text, struct rlimit *limit);

/* The limits of an option that may be given several times: check all, changing nothing; set all of
 * this process. Return 0 or a negative errno (recorded). */
int rlimits_check(const char *option, const struct text_list *list);
int rlimits_set(const char *option, const struct text_list *list);
