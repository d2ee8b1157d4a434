/* Many bytes kept until all of them are known, without a place that has to grow.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A text that doubles touches twice the pages that it needs, and a page that is touched for the
 * first time costs as much as looking at a container.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct piece {
    struct piece *next;
    size_t length;
    size_t capacity;
    char bytes[];
};

/* Start with {0}. After running out of memory, `failed` is set and adding does nothing: check it
 * once, at the end. */
struct pieces {
    struct piece *first;
    struct piece *last;
    bool failed;
};

/* Copy bytes behind those that are there; they lie in one piece, however many they are. */
void pieces_add(struct pieces *pieces, const void *bytes, size_t length);
void pieces_free(struct pieces *pieces);
