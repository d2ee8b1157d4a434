/* Many bytes kept until all of them are known, without a place that has to grow.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/pieces.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY ((16U << 10) - sizeof(struct piece))

static struct piece *new_piece(struct pieces *pieces, size_t length)
{
    size_t capacity = length > CAPACITY ? length : CAPACITY;
    struct piece *piece = malloc(sizeof(*piece) + capacity);
    if (!piece) {
        pieces->failed = true;
        return NULL;
    }
    piece->next = NULL;
    piece->length = 0;
    piece->capacity = capacity;
    *(pieces->last ? &pieces->last->next : &pieces->first) = piece;
    pieces->last = piece;
    return piece;
}

void pieces_add(struct pieces *pieces, const void *bytes, size_t length)
{
    struct piece *piece = pieces->last;
    if (pieces->failed || length == 0)
        return;
    if (!piece || piece->capacity - piece->length < length)
        piece = new_piece(pieces, length);
    if (!piece)
        return;
    memcpy(piece->bytes + piece->length, bytes, length);
    piece->length += length;
}

void pieces_free(struct pieces *pieces)
{
    for (struct piece *piece = pieces->first, *next; piece; piece = next) {
        next = piece->next;
        free(piece);
    }
    *pieces = (struct pieces){0};
}
