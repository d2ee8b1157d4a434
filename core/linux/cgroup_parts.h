/* What the files about control groups (cgroup*.c) share.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "core/linux/cgroup.h"

/* The directory that holds the last component of the path, which *name becomes ("." for the root of
 * the mount). Returns an O_PATH descriptor or a negative errno (recorded). */
int cgroup_open_parent(struct cgroup *cgroup, const char **name);

/* Cut a setting that is known to be good: the file, and its controller, unless NULL. Returns the
 * value. */
const char *cgroup_cut(const char *setting, char file[64], char controller[64]);

/* Is the word in a list that is separated by blanks? */
bool cgroup_lists(const char *list, const char *word);

/* Only the root of the whole tree can have processes beside cgroups with controllers. The kernel
 * refuses most controllers, but takes pids, cpu and cpuset: all below would be for threads then. */
bool cgroup_is_top(int directory);

/* Write one value, with a newline: so an empty one is a write, too. Returns 0 or a negative errno
 * (recorded with path, which is the cgroup's). */
int cgroup_write(int directory, const char *path, const char *file, const char *value);
