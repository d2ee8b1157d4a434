/* The mounts of a process as a tree.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/inspect_tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "core/base/own.h"
#include "core/base/text.h"

/* Rows are told by their index, -1 is none. */
struct mount_node {
    int parent;
    int child;   /* the first one */
    int sibling; /* the next one */
};

struct number {
    int64_t id;
    int row;
};

static int compare(const void *a, const void *b)
{
    const struct number *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static int64_t member(struct json_object *mounts, size_t row, const char *key)
{
    struct json_object *mount = json_object_array_get_idx(mounts, row);
    struct json_object *value;
    return json_object_object_get_ex(mount, key, &value) ? json_object_get_int64(value) : -1;
}

/* Would this row be above itself? The kernel has no such mounts, but its list is read in pieces. */
static bool is_above(const struct mount_node *nodes, int row, int wanted)
{
    while (row >= 0 && row != wanted)
        row = nodes[row].parent;
    return row == wanted;
}

int mount_tree_build(struct mount_tree *tree, struct json_object *mounts)
{
    size_t count = json_object_array_length(mounts);
    autofree struct number *numbers = calloc(count + 1, sizeof(*numbers));
    struct mount_node *nodes = calloc(count + 1, sizeof(*nodes));
    *tree = (struct mount_tree){.nodes = nodes, .count = count, .next = -1};
    if (!numbers || !nodes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (struct number){member(mounts, i, "id"), (int)i};
        nodes[i] = (struct mount_node){.parent = -1, .child = -1, .sibling = -1};
    }
    qsort(numbers, count, sizeof(*numbers), compare);
    /* From the end, as each becomes the first of its siblings. */
    for (size_t i = count; i-- > 0;) {
        struct number wanted = {.id = member(mounts, i, "parent")};
        const struct number *parent = bsearch(&wanted, numbers, count, sizeof(*numbers), compare);
        int *first = &tree->next;
        if (parent && !is_above(nodes, parent->row, (int)i)) {
            nodes[i].parent = parent->row;
            first = &nodes[parent->row].child;
        }
        nodes[i].sibling = *first;
        *first = (int)i;
    }
    return 0;
}

/* The lines of the ancestors go on below them where they have more siblings. The ones at the top
 * have no lines. */
static void draw(const struct mount_node *nodes, int row, bool last, struct text *drawing)
{
    if (nodes[row].parent < 0)
        return;
    draw(nodes, nodes[row].parent, false, drawing);
    bool more = nodes[row].sibling >= 0;
    if (last)
        text_append(drawing, more ? "├─" : "└─");
    else
        text_append(drawing, more ? "│ " : "  ");
}

int mount_tree_next(struct mount_tree *tree, struct text *drawing)
{
    const struct mount_node *nodes = tree->nodes;
    int row = tree->next;
    if (row < 0)
        return -1;
    draw(nodes, row, true, drawing);
    int next = nodes[row].child;
    for (int up = row; next < 0 && up >= 0; up = nodes[up].parent)
        next = nodes[up].sibling;
    tree->next = next;
    return row;
}

void mount_tree_free(struct mount_tree *tree)
{
    free(tree->nodes);
    tree->nodes = NULL;
}
