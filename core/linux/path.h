/* Paths inside a root that is not trusted. openat2(2), path_resolution(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Open path as a process would that has `root` (a descriptor of a directory) for its root
 * directory: a leading slash, "..", and symbolic links, absolute ones too, stay inside. Links of
 * procfs ("magic links") are refused with -ELOOP. flags: as for open(2), without O_CREAT; O_CLOEXEC
 * is added. With O_NOFOLLOW the last component may not be a link (or, with O_PATH, is the link
 * itself). Returns a descriptor, or a negative errno (recorded). */
int path_open_in_root(int root, const char *path, int flags);

/* The same for a path that may well be missing: -ENOENT is not recorded, since to compose a message
 * takes longer than to look. */
int path_look_in_root(int root, const char *path, int flags);

/* Open the path as O_PATH, from this process's own root or working directory: where follow is
 * false, no component may be a symbolic link (-ELOOP). Returns a descriptor or a negative errno
 * (recorded).
 */
int path_open_plain(const char *path, bool follow);

/* The same by walking component by component: what path_open_in_root() does where openat2(2) is
 * missing, or forbidden by a seccomp filter (then it fails with EPERM). It refuses all links that
 * stand in procfs, as it cannot tell the magic ones. Declared here for its tests. */
int path_walk_in_root(int root, const char *path, int flags);

/* Open as O_PATH, and create what is missing: parents as directories 0755; the last component as a
 * directory (type S_IFDIR) or an empty file (S_IFREG). Nothing that exists is changed; an existing
 * last component of the wrong kind is -ENOTDIR or -EISDIR. Dangling absolute links are followed and
 * their target created, inside the root. Returns a descriptor or a negative errno (recorded). */
int path_make_in_root(int root, const char *path, mode_t type);

/* Open the directory that holds the last component, created as above, and point *name at that
 * component inside path. A path without a usable last component ("/", "a/..") is -EINVAL.
 * Returns a descriptor (O_PATH) or a negative errno (recorded). */
int path_make_parent_in_root(int root, const char *path, const char **name);

/* Is it nothing but names between single slashes, none of them "." or ".."? So is "". */
bool path_is_plain(const char *path);
