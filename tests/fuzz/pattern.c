/* Fuzz target: a regular expression, and behind the first line's end a name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/pattern.h"
#include "core/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    struct pattern pattern;

    text_append_bytes(&text, data, size);
    text_append_bytes(&text, "", 0);

    char *name = text.data;
    char *expression = strsep(&name, "\n");
    int result = pattern_compile(&pattern, expression);

    if ((result < 0) != error_is_set() || pattern.count > PATTERN_NODES)
        abort();
    if (result == 0)
        pattern_matches(&pattern, name ? name : "");
    error_clear();
    return 0;
}
