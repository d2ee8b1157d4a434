/* Fuzz target: /proc/self/uid_map as a strange kernel, or a mount on it, may have it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/linux/rootless.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    struct rootless_facts facts = {.have_map = true};
    struct rootless rootless;

    text_append_bytes(&text, data, size);
    text_append_bytes(&text, "", 0);
    own_map_parse(&facts.map, text.data);
    if (facts.map.identity && (facts.map.lines != 1 || facts.map.odd || !facts.map.zero))
        abort();
    /* Only a map that is good, has 0 and is not everybody's tells by itself. */
    rootless_decide(&facts, &rootless);
    if ((rootless.answer == ROOTLESS_YES) !=
        (facts.map.zero && !facts.map.odd && !facts.map.identity))
        abort();
    if (facts.map.zero && !own_map_holds(text.data, 0, 1))
        abort();
    own_map_holds(text.data, size, UINT32_MAX);
    if (strlen(rootless.reason) == 0 || strchr(rootless.reason, '\n'))
        abort();
    return 0;
}
