/* Tables of lines with fields between colons, read with fixed memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/table.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/error.h"

#define END (-1)

/* The next byte without taking it, END at the end of the file, or another negative errno. */
static int peek(struct table_reader *reader, int *byte)
{
    *byte = END;
    if (reader->next == reader->used && !reader->ended) {
        ssize_t count;

        do
            count = read(reader->fd, reader->buffer, sizeof(reader->buffer));
        while (count < 0 && errno == EINTR);
        if (count < 0)
            return fail(errno, "cannot read %s", reader->name);
        reader->used = (size_t)count;
        reader->next = 0;
        reader->ended = count == 0;
    }
    if (!reader->ended)
        *byte = (unsigned char)reader->buffer[reader->next];
    return 0;
}

/* Go to the first byte of the next line that holds something. A '#' in the first column begins a
 * comment. */
static int enter_line(struct table_reader *reader)
{
    int byte;
    int result;
    bool skipping = false;

    reader->line++;
    reader->column = 0;
    while ((result = peek(reader, &byte)) == 0 && byte != END) {
        if (byte == '\n') {
            skipping = false;
            reader->line++;
        } else if (byte == '#') {
            skipping = true;
        } else if (!skipping && byte != '\r') {
            reader->inside = true;
            return 0;
        }
        reader->next++;
    }
    return result;
}

static void append(struct table_field *field, int byte)
{
    if (field->length == 0 && !field->cut && (byte == ' ' || byte == '\t'))
        return;
    if (byte == '\0' || field->length == sizeof(field->text) - 1)
        field->cut = true;
    else
        field->text[field->length++] = (char)byte;
}

static bool divides(const struct table_reader *reader, int byte)
{
    return byte == ':' ||
           (byte == ',' && reader->list_column > 0 && reader->column >= reader->list_column);
}

int table_next(struct table_reader *reader, struct table_field *field)
{
    int byte;
    int result = reader->inside ? 0 : enter_line(reader);

    if (result < 0 || !reader->inside)
        return result;
    field->line = reader->line;
    field->column = reader->column;
    field->last = false;
    field->cut = false;
    field->length = 0;
    while ((result = peek(reader, &byte)) == 0 && byte != END && byte != '\n') {
        reader->next++;
        if (divides(reader, byte)) {
            reader->column += byte == ':';
            field->text[field->length] = '\0';
            return 1;
        }
        append(field, byte);
    }
    if (result < 0)
        return result;
    if (byte == '\n')
        reader->next++;
    if (field->length > 0 && field->text[field->length - 1] == '\r')
        field->length--;
    field->text[field->length] = '\0';
    field->last = true;
    reader->inside = false;
    return 1;
}
