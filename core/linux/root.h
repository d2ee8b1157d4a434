/* Changing the root directory of a mount namespace. pivot_root(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/* Make the mount *root, which is attached on "/", the root directory of this process and its mount
 * namespace, and detach everything that was mounted before. The working directory becomes "/". The
 * namespace must be this process's own, and its mounts not shared with others. On the kernel's
 * rootfs, an initramfs, root_cover() does it, with that lock. proc: descriptor of /proc, needed
 * only there, or -1. Returns 0 or a negative errno (recorded). */
int root_enter(int proc, int *root, bool lock);

/* The same with a detached mount, locked where it covers the old root: whoever changes its root by
 * itself may have any privilege later. Returns 0 or a negative errno (recorded). */
int root_change(int mount);

/* The same with a clone of what is at path, submounts included. */
int root_pivot(const char *path);

/* Only this process's root directory, as chroot(1) does: whoever has CAP_SYS_CHROOT can get out.
 * The working directory becomes the new root. Returns 0 or a negative errno (recorded). */
int root_chroot(const char *path);

/* Is this process's root the kernel's rootfs (an initramfs), which pivot_root(2) cannot replace?
 * proc: descriptor of /proc. false also where that cannot be told. */
bool root_is_rootfs(int proc);

/* In place of pivot_root(2): the mount *root, which is attached on "/" and is the working
 * directory, stays on top of the old root for good, and what else is mounted is unmounted. lock:
 * somebody below it may come to have CAP_SYS_ADMIN, and must not take it off; *root is another
 * descriptor of it then. Returns 0 or a negative errno (recorded). */
int root_cover(int proc, int *root, bool lock);
