/* Fuzz target: the kernel's command line. Every word lies in the text, and what is read of it is
 * read again in the same way.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/boot_settings.h"
#include "core/linux/kernel_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct text *text, const char *string)
{
    if (string < text->data || string + strlen(string) > text->data + text->length)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    autotext struct text again = {0};
    struct boot_settings settings;
    struct kernel_word word;
    size_t words = 0;

    text_append_bytes(&text, data, size);
    text_append_bytes(&text, "", 0);
    text_append_bytes(&again, data, size);
    text_append_bytes(&again, "", 0);
    for (char *rest = text.data; kernel_command_next(&rest, &word);) {
        if (++words > size)
            abort();
        check(&text, rest);
        check(&text, word.name);
        if (word.value)
            check(&text, word.value);
    }
    int result = boot_read_settings(again.data, &settings);
    if ((result < 0) != error_is_set() || settings.exit > BOOT_HALT || settings.wait > 3600)
        abort();
    if (settings.run)
        check(&again, settings.run);
    error_clear();
    return 0;
}
