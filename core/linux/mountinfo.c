/* The mounts of a process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/mountinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "\040" stands for a blank, in place. */
static void unescape(char *text)
{
    char *to = text;
    for (; *text; text++) {
        unsigned code;
        if (*text == '\\' && sscanf(text + 1, "%3o", &code) == 1) {
            *to++ = (char)code;
            text += 3;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

/* Fields: id, parent, device, root, path, options, tags up to a lone hyphen, type. */
static bool split(char *line, struct mountinfo *mount)
{
    char *fields[6];
    char *type = strstr(line, " - ");
    if (!type)
        return false;
    type += 3;
    type[strcspn(type, " ")] = '\0';
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        fields[i] = strsep(&line, " ");
        if (!fields[i])
            return false;
    }
    unescape(fields[4]);
    *mount = (struct mountinfo){.id = (int)strtol(fields[0], NULL, 10),
                                .path = fields[4],
                                .options = fields[5],
                                .type = type};
    return true;
}

bool mountinfo_next(char **rest, struct mountinfo *mount)
{
    while (*rest && **rest) {
        char *line = strsep(rest, "\n");
        if (split(line, mount))
            return true;
    }
    return false;
}
