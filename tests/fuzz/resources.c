/* Fuzz target: linux.resources, from text to settings of a cgroup and to a program for devices.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/device_filter.h"
#include "core/oci/json.h"
#include "core/oci/resources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each is FILE=VALUE; the file is no path, and neither has a line's end. */
static void check_settings(const struct resources *resources)
{
    struct resource_settings settings;
    int result = resources_settings(resources, &settings);

    if ((result < 0) != error_is_set())
        abort();
    for (size_t i = 0; result == 0 && i < settings.list.count; i++) {
        const char *text = settings.list.items[i];
        size_t length = strcspn(text, "=");

        if (length == 0 || text[length] != '=' || memchr(text, '/', length) || text[0] == '.')
            abort();
    }
    resource_settings_free(&settings);
    error_clear();
}

static void check_devices(const struct resources *resources)
{
    size_t rules = resources->device_count + device_default_rule_count;
    size_t room = DEVICE_FRAME_INSTRUCTIONS + rules * DEVICE_RULE_INSTRUCTIONS;
    autofree struct device_instruction *code = calloc(room, sizeof(*code));

    if (code && device_filter_write(resources->devices, resources->device_count, code) > room)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autojson struct json_object *document = NULL;
    struct resources resources = {0};

    if (json_parse(&document, "fuzz", (const char *)data, size) < 0) {
        error_clear();
        return 0;
    }

    struct json_field field = json_root(document);
    int result = resources_read(&resources, &field);

    if ((result < 0) != error_is_set())
        abort();
    error_clear();
    if (result == 0) {
        resources_are_standard(&resources);
        check_settings(&resources);
        check_devices(&resources);
        if (memchr(resources.unsupported, 0, sizeof(resources.unsupported)) == NULL)
            abort();
    }
    resources_free(&resources);
    return 0;
}
