/* Fuzz target: config.json, from text to struct and back to text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/oci/config.h"
#include "core/oci/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, const char *pointer, bool known)
{
    (void)known;
    text_append(context, pointer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text pointers = {0};
    autotext struct text again = {0};
    struct json_object *document;
    struct config config;

    if (config_parse(&config, "fuzz", (const char *)data, size) == 0) {
        config_unapplied(&config, ignore, &pointers);
        /* What has been read can be written, and read again. */
        if (json_write(config.document, &again) < 0 ||
            json_parse(&document, "again", again.data, again.length) < 0)
            abort();
        json_object_put(document);
        config_free(&config);
    }
    error_clear();
    return 0;
}
