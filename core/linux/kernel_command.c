/* The command line of the kernel.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/kernel_command.h"

#include <string.h>

static const char blanks[] = " \t\n\v\f\r";

/* The end of the word: the first blank outside of quotes. *equals: its first equals sign, or NULL.
 */
static char *find_end(char *at, char **equals)
{
    bool quoted = false;
    *equals = NULL;
    for (; *at && (quoted || !strchr(blanks, *at)); at++) {
        if (*at == '=' && !*equals)
            *equals = at;
        if (*at == '"')
            quoted = !quoted;
    }
    return at;
}

bool kernel_command_next(char **rest, struct kernel_word *word)
{
    char *name = *rest + strspn(*rest, blanks);
    char *equals;
    if (!*name)
        return false;
    char *end = find_end(name, &equals);
    *rest = *end ? end + 1 : end;
    *end = '\0';
    bool whole = *name == '"';
    if (whole)
        name++;
    char *value = equals ? equals + 1 : NULL;
    if (equals)
        *equals = '\0';
    if (value && *value == '"') {
        value++;
        whole = true;
    }
    /* Of the word, or of the value, which ends where the word does. */
    if (whole && end > (value ? value : name) && end[-1] == '"')
        end[-1] = '\0';
    *word = (struct kernel_word){name, value};
    if (value || strcmp(name, "--") != 0)
        return true;
    *rest += strlen(*rest);
    return false;
}

bool kernel_command_same(const char *name, const char *other)
{
    for (; *name && *other; name++, other++)
        if (*name != *other && !(strchr("-_", *name) && strchr("-_", *other)))
            return false;
    return *name == *other;
}
