/* Parts of <string.h> that are large in libc, since they are made to be fast on long texts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

char *strstr(const char *text, const char *wanted)
{
    size_t length = strlen(wanted);
    for (; strncmp(text, wanted, length) != 0; text++) {
        if (!*text)
            return NULL;
    }
    return (char *)text;
}
