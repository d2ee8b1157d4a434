/* Changing the root directory of a mount namespace. pivot_root(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Make the detached mount the root directory of this process and its mount namespace, and detach
 * everything that was mounted before. The working directory becomes "/". The namespace must be this
 * process's own, and its mounts not shared with others. Returns 0 or a negative errno (recorded).
 */
int root_change(int mount);

/* The same with a clone of what is at path, submounts included. */
int root_pivot(const char *path);

/* Only this process's root directory, as chroot(1) does: whoever has CAP_SYS_CHROOT can get out.
 * The working directory becomes the new root. Returns 0 or a negative errno (recorded). */
int root_chroot(const char *path);
