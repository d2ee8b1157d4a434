/* Fuzz target: lines of mountinfo. Every string of a mount lies in the text, and ends there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/linux/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct text *text, const char *string)
{
    if (string < text->data || string + strlen(string) > text->data + text->length)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    struct mountinfo mount;
    size_t lines = 0;
    int result;

    text_append_bytes(&text, data, size);
    text_append_bytes(&text, "", 0);
    for (char *rest = text.data; (result = mountinfo_next(&rest, &mount)) != 0;) {
        if (++lines > size + 1)
            abort();
        if (result < 0)
            continue;
        check(&text, mount.device);
        check(&text, mount.root);
        check(&text, mount.point);
        check(&text, mount.options);
        check(&text, mount.propagation);
        check(&text, mount.type);
        check(&text, mount.source);
        check(&text, mount.filesystem);
    }
    return 0;
}
