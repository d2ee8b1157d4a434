/* The file systems of a container by themselves: a root with its mounts, devices, masked and
 * read-only paths, made by the steps that `run` has for them (setup.h).
 * SPDX-License-Identifier: Apache-2.0
 *
 * All is mounted in a mount namespace that only this is done in, and leaves it when it is complete:
 * until then nobody sees anything of it, and after a failure, or a kill, there is nothing to undo.
 */
#pragma once

#include <stdbool.h>

struct config;
struct container;

/* What becomes of the tree. */
enum tree_use {
    TREE_ENTER,  /* it is the root of this process, in a new mount namespace */
    TREE_DETACH, /* it is a detached mount */
};

/* Check what config asks of a tree that is for that use; changes nothing but config: what it says
 * of namespaces and the process is forgotten, since these are what they are, and root.path.
 * Returns 0 or a negative errno (recorded with the config's field). */
int tree_check(struct config *config, enum tree_use use);

/* Make the tree of a container that has nothing but its config, and rootfs, a path, or else root, a
 * detached mount, which is used up. Returns 0 or a negative errno (recorded with the config's
 * field). */
int tree_enter(struct container *container);

/* The same; returns a descriptor of the detached tree, or a negative errno. */
int tree_make(struct container *container);

/* The same, and attach it on rootfs itself: that stays below. Returns 0 or a negative errno. */
int tree_cover(struct container *container);
