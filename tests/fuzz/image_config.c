/* Fuzz target: the configuration of an image.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/oci/config.h"
#include "core/oci/image_config.h"
#include "core/oci/spec_default.h"
#include "core/oci/spec_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_config image;
    struct config config;

    if (image_config_parse(&image, "fuzz", (const char *)data, size) == 0) {
        struct json_object *document = spec_default(SPEC_PLAIN);

        if (spec_apply_image(document, &image, true) < 0)
            abort();
        error_clear();
        /* May be refused, for the length of the host name. */
        if (config_from_document(&config, "fuzz", document) == 0)
            config_free(&config);
    }
    image_config_free(&image);
    error_clear();
    return 0;
}
