/* Who this process is: user, groups, and the owner of what it was given. credentials(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Become uid and gid (real, effective, saved, file system) with exactly these additional groups.
 * Where setgroups is denied (unprivileged user namespaces) no additional groups can be asked for,
 * and those of the caller stay. Permitted capabilities are kept for capability_apply(), which ends
 * that. Returns 0 or a negative errno (recorded, naming the id that is not mapped). */
int credentials_set(uint32_t uid, uint32_t gid, const uint32_t *groups, size_t group_count);

/* Become root of a user namespace that was just entered, if it has one: what is created from now on
 * then belongs to ids of the namespace. Returns 0 or a negative errno (recorded). */
int credentials_enter_root(void);

/* Become the user and the group that are not NULL, real, effective and saved; with a group, no
 * additional groups are left. lenient: where setgroups is denied, they stay. Returns 0 or a
 * negative errno (recorded). */
int credentials_become(const uint32_t *uid, const uint32_t *gid, bool lenient);

/* Let the user own its standard streams, 0 to 2: pipes and terminals can then be opened again
 * through /dev/stdout. /dev/null is left alone; what cannot be changed stays as it is. */
int credentials_own_stdio(uint32_t uid);
