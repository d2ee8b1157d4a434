/* Lines from a descriptor that is read as it becomes ready.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/text.h"

struct lines {
    size_t limit;      /* bytes that a line may have */
    uint64_t count;    /* of lines that were taken */
    bool ended;        /* no more is read */
    struct text input; /* (own, as what follows) read, from `start` on not yet taken */
    size_t start;
    size_t searched; /* no newline before this */
    bool cutting;    /* the rest of a line that was too long is passed over */
};

struct line {
    const char *bytes; /* not terminated; until the next call */
    size_t length;     /* without the newline */
    bool cut;          /* it was longer, and these are the first limit bytes */
};

/* fd is ready: read from it once. name: for messages. Returns 0 or a negative errno (recorded). */
int lines_read(struct lines *lines, int fd, const char *name);

/* Is there a whole line? The last one may lack its newline. Blank ones are counted and passed over,
 * and so is the rest of one that was cut. */
bool lines_take(struct lines *lines, struct line *line);

/* Is anything read that was not taken yet? */
bool lines_are_left(const struct lines *lines);

/* Take no more, whatever is there. */
void lines_end(struct lines *lines);
