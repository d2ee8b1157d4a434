/* What a container's root file system is seen through: its owners, and what it changes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One read-only tree can be the root of any number of containers at once: each has an overlay, the
 * upper layer of which goes with it. overlayfs takes attached mounts only, below Linux 6.15, and
 * whoever makes one in a user namespace has its rights there: so the container's process does it,
 * in its own mount namespace, from mounts that its parent has opened and idmapped. Kernel,
 * Documentation/filesystems/overlayfs.rst; mount_setattr(2).
 */
#pragma once

struct container;
struct process;

/* In the parent: open what its child may not be allowed to. path: of the root file system. Returns
 * 0 or a negative errno (recorded), as all of these. */
int layer_pin(struct container *container, const char *path);

/* In the parent, when the child has its ids. Where the file system cannot be idmapped, a warning
 * says so, and its owners are nobody's inside. */
int layer_idmap(const struct container *container, const struct process *child);

/* In the child: the mount that is to be the root, detached. Where no overlay can be had, it is a
 * copy. */
int layer_open(struct container *container, const char *path);
