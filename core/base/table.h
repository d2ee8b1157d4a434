/* Tables of lines with fields between colons (/etc/passwd, group, subuid), read with fixed memory.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines that are empty, or begin with '#', are passed over. Blanks before a field are left out. The
 * size of lines and files does not matter: fields come one by one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct table_reader {
    int fd;           /* belongs to the caller */
    const char *name; /* of the file, for messages */
    unsigned
        list_column; /* from this column on (0 is the first), commas divide as well; 0: never */
    /* The rest is the reader's own, zeroed at the start. */
    size_t line;
    unsigned column;
    bool inside; /* in a line: the next byte belongs to a field of it */
    bool ended;
    size_t used;
    size_t next;
    char buffer[4096];
};

struct table_field {
    size_t line;     /* from 1 */
    unsigned column; /* from 0; the parts of a comma list have the same one */
    bool last;       /* ends its line */
    bool cut;        /* too long, or with a NUL byte inside: text is not all of it */
    size_t length;
    char text[1024];
};

/* The next field. Returns 1, 0 at the end of the file, or a negative errno (recorded). */
int table_next(struct table_reader *reader, struct table_field *field);
