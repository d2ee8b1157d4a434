/* Fuzz target: lists of id ranges. What is accepted is within bounds and maps both ways.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/idmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_range(const struct idmap *map, const struct id_range *range)
{
    uint32_t last = range->size - 1;
    uint32_t id;

    if (range->size == 0 || range->container > ID_MAX - last || range->host > ID_MAX - last)
        abort();
    if (idmap_to_host(map, range->container + last, &id) < 0 || id != range->host + last)
        abort();
    if (idmap_to_container(map, range->host + last, &id) < 0 || id != range->container + last)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    struct idmap map = {0};

    text_append_bytes(&text, data, size);
    text_append_bytes(&text, "", 0);
    if (idmap_parse(&map, "fuzz", text.data) == 0 && idmap_check(&map, "fuzz") == 0) {
        for (size_t i = 0; i < map.count; i++)
            check_range(&map, &map.ranges[i]);
    }
    idmap_free(&map);
    error_clear();
    return 0;
}
