/* Bytes as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/base/text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct text *text, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    char encoded[1024];
    size_t used = 0;
    while (length > 0) {
        char *four = encoded + used;
        memset(four, '=', 4);
        size_t count = length < 3 ? length : 3;
        uint32_t group = (uint32_t)from[0] << 16;
        if (count > 1)
            group |= (uint32_t)from[1] << 8;
        if (count > 2)
            group |= from[2];
        for (size_t i = 0; i <= count; i++)
            four[i] = alphabet[group >> (18 - 6 * i) & 63];
        from += count;
        length -= count;
        used += 4;
        if (used == sizeof(encoded) || length == 0) {
            text_append_bytes(text, encoded, used);
            used = 0;
        }
    }
}

int base64_decode(const char *text, void *bytes, size_t *length)
{
    unsigned char *to = bytes;
    size_t digits = strcspn(text, "=");
    size_t padding = strlen(text + digits);
    uint32_t group = 0;
    if ((digits + padding) % 4 != 0 || padding > 2 || strspn(text + digits, "=") != padding)
        return -EINVAL;
    for (size_t i = 0; i < digits; i++) {
        const char *digit = strchr(alphabet, text[i]);
        if (!digit)
            return -EINVAL;
        group = group << 6 | (uint32_t)(digit - alphabet);
        if (i % 4 == 0)
            continue;
        unsigned rest = 4 - 2 * (unsigned)(i % 4 - 1); /* bits that belong to the next byte */
        *to++ = (unsigned char)(group >> rest);
        group &= (1U << rest) - 1;
    }
    *length = (size_t)(to - (unsigned char *)bytes);
    return group == 0 ? 0 : -EINVAL;
}
