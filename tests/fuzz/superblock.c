/* Fuzz target: superblocks. Strings end within their fields; the length of the input is exact, so
 * that a read behind it is found. The first byte says where the rest lies: at the start, 1 KiB,
 * 32 KiB or 64 KiB.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/own.h"
#include "core/linux/superblock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t places[] = {0, 1024, 32768, 65536};
    struct superblock found;

    superblock_parse(data, size, &found);
    if (size == 0)
        return 0;

    size_t place = places[data[0] % 4];
    autofree uint8_t *device = calloc(1, place + size);

    if (!device)
        return 0;
    memcpy(device + place, data + 1, size - 1);
    superblock_parse(device, place + size - 1, &found);
    if (strnlen(found.types, sizeof(found.types)) == sizeof(found.types) ||
        strnlen(found.label, sizeof(found.label)) == sizeof(found.label) ||
        strnlen(found.uuid, sizeof(found.uuid)) == sizeof(found.uuid))
        abort();
    if (!found.types[0] && (found.label[0] || found.uuid[0]))
        abort();
    return 0;
}
