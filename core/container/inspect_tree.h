/* The mounts of a process as a tree.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

struct json_object;
struct text;

struct mount_tree {
    struct mount_node *nodes; /* one per row of mounts; owned */
    size_t count;
    int next; /* row that comes next from the top, -1 at the end */
};

/* Put the rows of an array of mounts into the order of a tree; those whose parent is not among them
 * are at the top. Returns 0 or a negative errno (not recorded); free the tree in any case. */
int mount_tree_build(struct mount_tree *tree, struct json_object *mounts);

/* The next row, parents before their children, -1 at the end. Appends to *drawing the lines that
 * lead to it. */
int mount_tree_next(struct mount_tree *tree, struct text *drawing);

void mount_tree_free(struct mount_tree *tree);
