/* The command line of the kernel, word by word. Documentation/admin-guide/kernel-parameters.rst,
 * bootparam(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct kernel_word {
    const char *name;  /* "root" */
    const char *value; /* "/dev/vda"; NULL without an equals sign, "" with nothing behind it */
};

/* Take the next word off *rest, which is written to: words are separated by blanks, except between
 * double quotes, of which those around a value, or around the whole word, are taken away. A lone
 * "--" ends what is for the kernel; what follows it is not given out. Returns whether there was
 * another word. */
bool kernel_command_next(char **rest, struct kernel_word *word);

/* Is that the name? To the kernel, '-' and '_' are the same in one. */
bool kernel_command_same(const char *name, const char *other);
