/* Fuzz target: quantities. A value is never 0, never beyond its bound, and milli agrees with bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/oci/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    uint64_t milli = 0;
    uint64_t bytes = 0;

    text_append_bytes(&text, data, size);
    text_append_bytes(&text, "", 0);

    int has_milli = quantity_milli("fuzz", text.data, &milli) == 0;

    error_clear();

    int has_bytes = quantity_bytes("fuzz", text.data, &bytes) == 0;

    error_clear();
    if (has_milli && (milli == 0 || milli > QUANTITY_MILLI_MAX || !has_bytes))
        abort();
    if (has_bytes && (bytes == 0 || bytes > INT64_MAX))
        abort();
    if (has_milli && bytes != (milli + 999) / 1000)
        abort();
    return 0;
}
