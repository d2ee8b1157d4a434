/* The lines of /proc/PID/mountinfo.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/mountinfo.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/base/text.h"

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* The kernel writes blanks, tabs, newlines, backslashes and '#' as \NNN; in place. */
static char *unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && is_octal(from[2]) &&
            is_octal(from[3])) {
            char c = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
            /* Not the kernel's doing: it would cut the text. */
            if (c)
                *to++ = c;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return text;
}

/* The next field. One blank separates: a source may be empty. NULL when there is none. */
static char *next_field(char **line)
{
    return strsep(line, " ");
}

/* The optional fields up to the lone "-", as one text with blanks. NULL when the "-" is missing. */
static char *optional_fields(char **line)
{
    char *first = *line;
    if (!first)
        return NULL;
    if (strncmp(first, "- ", 2) == 0) {
        *line += 2;
        return memset(first, 0, 1);
    }
    char *end = strstr(first, " - ");
    if (!end)
        return NULL;
    *end = '\0';
    *line = end + 3;
    return first;
}

int mountinfo_next(char **text, struct mountinfo *mount)
{
    char *line = *text ? strsep(text, "\n") : NULL;
    if (!line || (!*text && !*line))
        return 0;
    const char *id = next_field(&line);
    const char *parent = next_field(&line);
    char *device = next_field(&line);
    char *root = next_field(&line);
    char *point = next_field(&line);
    char *options = next_field(&line);
    char *propagation = optional_fields(&line);
    char *type = next_field(&line);
    char *source = next_field(&line);
    char *filesystem = line;
    if (!parent || !propagation || !source || !filesystem ||
        parse_u32(id, INT_MAX, &mount->id) < 0 || parse_u32(parent, INT_MAX, &mount->parent) < 0)
        return -EINVAL;
    mount->device = device;
    mount->root = unescape(root);
    mount->point = unescape(point);
    mount->options = options;
    mount->propagation = propagation;
    mount->type = unescape(type);
    mount->source = unescape(source);
    mount->filesystem = unescape(filesystem);
    return 1;
}
