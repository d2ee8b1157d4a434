/* Fuzz target: process.json of exec, and the config of the container that it joins. What is made of
 * either is a config, or refused with a reason.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/oci/config.h"
#include "core/oci/exec_document.h"
#include "core/oci/json.h"
#include "core/oci/spec_default.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct json_object *base, const struct exec_wish *wish)
{
    struct json_object *document;
    struct config config;
    int result = exec_document(base, wish, &document);

    if (result == 0) {
        result = config_from_document(&config, "fuzz", document);
        if (result == 0)
            config_free(&config);
    }
    if ((result < 0) != error_is_set())
        abort();
    error_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"A=b", "kill", "7"};
    static char *const args[] = {"/bin/true", NULL};
    struct text_list lists[3] = {0};
    autojson struct json_object *given = NULL;

    if (json_parse(&given, "fuzz", (const char *)data, size) < 0) {
        error_clear();
        return 0;
    }
    for (size_t i = 0; i < 3; i++)
        text_list_add(&lists[i], words[i]);

    autojson struct json_object *base = spec_default(SPEC_PLAIN);
    const struct text_list none = {0};
    const struct exec_wish file = {
        .process = given, .env = &none, .capabilities = &none, .gids = &none};
    const struct exec_wish options = {.args = args,
                                      .arg_count = 1,
                                      .env = &lists[0],
                                      .capabilities = &lists[1],
                                      .gids = &lists[2],
                                      .cwd = "/",
                                      .user = "1:2",
                                      .terminal = true,
                                      .no_new_privileges = true};

    /* As the option has it, null is no file. */
    if (given)
        check(base, &file);
    check(given, &options);
    for (size_t i = 0; i < 3; i++)
        text_list_free(&lists[i]);
    return 0;
}
