/* Programs that are executed at points of a container's life.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/hooks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/oci/json.h"
#include "core/oci/member.h"

/* Which is more than a century, and fits into the milliseconds of poll(2) when bounded there. */
#define TIMEOUT_MAX 2000000

const char *hook_name(enum hook_type type)
{
    static const char names[HOOK_TYPES][16] = {
        [HOOK_PRESTART] = "prestart",
        [HOOK_CREATE_RUNTIME] = "createRuntime",
        [HOOK_CREATE_CONTAINER] = "createContainer",
        [HOOK_START_CONTAINER] = "startContainer",
        [HOOK_POSTSTART] = "poststart",
        [HOOK_POSTSTOP] = "poststop",
    };

    return names[type];
}

/* Unlike elsewhere, an empty string is as good an argument as any. */
static int read_hook(struct hook *hook, const struct json_field *field)
{
    static const struct member table[] = {
        {"path", MEMBER_PATH, 1, offsetof(struct hook, path)},
    };
    struct json_field path = json_member(field, "path");
    struct json_field args = json_member(field, "args");
    struct json_field env = json_member(field, "env");
    struct json_field timeout = json_member(field, "timeout");
    int result = json_require(field);

    if (result == 0)
        result = members_read(field, table, sizeof(table) / sizeof(table[0]), hook);
    if (result == 0 && !hook->path)
        result = json_fail(&path, "expected an absolute path, found \"\"");
    if (result == 0)
        result = json_get_texts(&args, &hook->args);
    if (result == 0)
        result = json_get_texts(&env, &hook->env);
    for (size_t i = 0; result == 0 && hook->env[i]; i++) {
        struct json_field variable = json_element(&env, i);
        const char *equals = strchr(hook->env[i], '=');

        if (!equals || equals == hook->env[i])
            result = json_fail(&variable, "expected NAME=VALUE, found \"%s\"", hook->env[i]);
    }
    if (result < 0 || !timeout.value)
        return result;
    result = json_get_u32(&timeout, TIMEOUT_MAX, &hook->timeout);
    if (result == 0 && hook->timeout == 0)
        result = json_fail(&timeout, "expected a number of seconds above 0, found 0");
    return result;
}

int hooks_read(struct hooks *hooks, const struct json_field *field)
{
    size_t count;
    int result = json_get_array(field, &count);

    *hooks = (struct hooks){0};
    if (result < 0 || count == 0)
        return result;
    hooks->items = calloc(count, sizeof(*hooks->items));
    if (!hooks->items)
        return fail(ENOMEM, "cannot allocate memory");
    hooks->value = field->value;
    hooks->count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(field, i);

        result = read_hook(&hooks->items[i], &element);
    }
    return result;
}

void hooks_free(struct hooks *hooks)
{
    for (size_t i = 0; i < hooks->count; i++) {
        free(hooks->items[i].args);
        free(hooks->items[i].env);
    }
    free(hooks->items);
    *hooks = (struct hooks){0};
}
