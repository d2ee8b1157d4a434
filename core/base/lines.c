/* Lines from a descriptor that is read as it becomes ready.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"

/* Bytes that are read at once. */
#define PIECE 16384

/* Forget what has been taken. */
static void compact(struct lines *lines)
{
    struct text *input = &lines->input;
    if (lines->start == 0)
        return;
    memmove(input->data, input->data + lines->start, input->length - lines->start);
    input->length -= lines->start;
    lines->searched -= lines->start;
    lines->start = 0;
}

int lines_read(struct lines *lines, int fd, const char *name)
{
    char bytes[PIECE];
    ssize_t count = read(fd, bytes, sizeof(bytes));
    if (count < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : fail(errno, "cannot read %s", name);
    compact(lines);
    if (count == 0)
        lines->ended = true;
    else
        text_append_bytes(&lines->input, bytes, (size_t)count);
    return lines->input.failed ? fail(ENOMEM, "cannot read %s", name) : 0;
}

/* Does a piece of a line begin at `start` that can be told from what follows? *newline: it ends
 * with one. */
static bool find(struct lines *lines, bool *newline)
{
    const struct text *input = &lines->input;
    size_t left = input->length - lines->searched;
    const char *end = left > 0 ? memchr(input->data + lines->searched, '\n', left) : NULL;
    lines->searched = end ? (size_t)(end - input->data) : input->length;
    size_t length = lines->searched - lines->start;
    *newline = end != NULL;
    return end || length > lines->limit || (lines->ended && length > 0);
}

static bool is_blank(const char *bytes, size_t length)
{
    size_t i = 0;
    while (i < length && (bytes[i] == ' ' || bytes[i] == '\t' || bytes[i] == '\r'))
        i++;
    return i == length;
}

bool lines_take(struct lines *lines, struct line *line)
{
    bool newline;
    while (find(lines, &newline)) {
        bool rest = lines->cutting;
        size_t length = lines->searched - lines->start;
        line->bytes = lines->input.data + lines->start;
        line->cut = length > lines->limit;
        line->length = line->cut ? lines->limit : length;
        lines->searched += newline;
        lines->start = lines->searched;
        lines->cutting = !newline;
        lines->count += !rest;
        if (!rest && !is_blank(line->bytes, line->length))
            return true;
    }
    return false;
}

bool lines_are_left(const struct lines *lines)
{
    return lines->start < lines->input.length;
}

void lines_end(struct lines *lines)
{
    text_free(&lines->input);
    lines->input = (struct text){0};
    lines->start = lines->searched = 0;
    lines->ended = true;
}
