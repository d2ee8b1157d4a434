/* Paths inside a container's root, which its contents may try to lead astray.
 * SPDX-License-Identifier: Apache-2.0
 *
 * root is a descriptor of the root directory; paths are taken relative to it whether they begin
 * with a slash or not, symbolic links are followed but never out of it, magic links of /proc are
 * refused. openat2(2) does that; where it is missing (ENOSYS) or filtered (EPERM), a walk component
 * by component does.
 */
#pragma once

#include <sys/types.h>

/* Open what is there. flags as for open(2): O_PATH, O_RDONLY, O_DIRECTORY, O_NOFOLLOW (for the last
 * component)...; O_CLOEXEC is added. Returns a descriptor or a negative errno (recorded). */
int path_open_in_root(int root, const char *path, int flags);

/* Open as O_PATH, and create what is missing: parents as directories 0755; the last component as a
 * directory (type S_IFDIR) or an empty file (S_IFREG). Nothing that exists is changed; an existing
 * last component of the wrong kind is -ENOTDIR or -EISDIR. Dangling absolute links are followed and
 * their target created, inside the root. Returns a descriptor or a negative errno (recorded). */
int path_make_in_root(int root, const char *path, mode_t type);

/* Open the directory that holds the last component, created as above, and point *name at that
 * component inside path. A path without a usable last component ("/", "a/..") is -EINVAL.
 * Returns a descriptor (O_PATH) or a negative errno (recorded). */
int path_make_parent_in_root(int root, const char *path, const char **name);
