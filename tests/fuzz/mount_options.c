/* Fuzz target: options of mounts, separated by commas.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/mount_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS 64

/* No attribute is set and cleared at once, but for the field of bits that says when files' times of
 * access are kept; and there is one propagation, or none. */
static void check(const struct mount_options *options)
{
    const uint64_t one_of = MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE;

    if (options->set & options->clear & ~(uint64_t)0x70)
        abort();
    if (options->recursive_set & options->recursive_clear & ~(uint64_t)0x70)
        abort();
    if (options->propagation & ~one_of || options->propagation & (options->propagation - 1))
        abort();
    if ((options->bind_recursive && !options->bind) ||
        (options->idmap_recursive && !options->idmap))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    struct mount_options options;
    const char *words[WORDS + 1];
    size_t count = 0;

    text_append_bytes(&text, data, size);
    text_append_bytes(&text, "", 0);
    for (char *rest = text.data, *word; count < WORDS && (word = strsep(&rest, ","));)
        words[count++] = word;
    words[count] = NULL;

    int result = mount_options_parse(&options, words, "/mounts/0/options");

    if ((result < 0) != error_is_set())
        abort();
    if (result == 0) {
        check(&options);
        mount_options_refuse_filesystem(&options, NULL);
    }
    mount_options_free(&options);
    error_clear();
    return 0;
}
