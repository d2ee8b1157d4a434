/* Fuzz target: a request to a function.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/oci/function_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct function_request request;
    int result = request_parse(&request, "request", (const char *)data, size);

    if ((result < 0) != error_is_set() || (request.input && request.input_file) ||
        (result == 0 && request.args && !request.args[0]))
        abort();
    for (char **entry = request.env; result == 0 && entry && *entry; entry++) {
        if (!strchr(*entry, '=') || **entry == '=')
            abort();
    }
    request_free(&request);
    error_clear();
    return 0;
}
