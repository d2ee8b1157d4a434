/* The config.json of a function.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/spec_function.h"

#include <errno.h>

#include <json-c/json.h>

#include "core/oci/json.h"
#include "core/oci/json_build.h"
#include "core/oci/spec_default.h"
#include "core/oci/spec_edit.h"

/* No swap space beside that: it would be a limit of speed only. */
static int limit_memory(struct json_object *document, const char *quantity)
{
    int result = spec_set_memory(document, quantity);
    if (result < 0)
        return result;
    struct json_object *memory = json_descend_object(document, "linux", "resources", "memory");
    if (!memory)
        return -EINVAL;
    return json_set(memory, "swap", json_object_get(json_object_object_get(memory, "limit")));
}

/* Its guard (guard.h) is one more. That of the default specification is as good as none. */
static int limit_pids(struct json_object *document, uint32_t count)
{
    const struct json_field root = json_root(document);
    const struct json_field section = json_member(&root, "linux");
    const struct json_field resources = json_member(&section, "resources");
    const struct json_field pids = json_member(&resources, "pids");
    const struct json_field limit = json_member(&pids, "limit");
    int64_t wanted = count;
    if (!wanted && limit.value && json_get_signed(&limit, INT64_MIN, INT64_MAX, &wanted) < 0)
        return -EINVAL;
    if (wanted <= 0 || (!count && wanted >= SPEC_PIDS_LIMIT))
        return 0;
    struct json_object *target = json_descend_object(document, "linux", "resources", "pids");
    return target ? json_set(target, "limit", json_number((uint64_t)wanted + 1)) : -EINVAL;
}

static int set_network(struct json_object *document, enum function_network network)
{
    switch (network) {
    case NETWORK_ISOLATED:
        return spec_set_own_network(document);
    case NETWORK_RUNNER:
        return spec_set_host_network(document);
    default:
        return 0;
    }
}

static int set_namespaces(struct json_object *document, const struct function_wish *wish)
{
    static const char types[][6] = {"pid", "mount", "user"};
    int result = wish->maps ? json_set_maps(document, wish->maps) : 0;
    for (size_t i = 0; result == 0 && i < sizeof(types) / sizeof(types[0]); i++)
        result = json_add_namespace(document, types[i]);
    return result == 0 ? set_network(document, wish->network) : result;
}

static int set_no_terminal(struct json_object *document)
{
    struct json_object *process = json_descend_object(document, "process", NULL, NULL);
    return process ? json_set(process, "terminal", json_object_new_boolean(0)) : -EINVAL;
}

int spec_make_function(struct json_object *document, const struct function_wish *wish)
{
    int result = set_no_terminal(document);
    if (result == 0)
        result = set_namespaces(document, wish);
    if (result == 0 && wish->nested)
        result = spec_set_nested(document);
    if (result == 0 && wish->readonly)
        result = spec_set_readonly(document);
    if (result == 0 && wish->memory)
        result = limit_memory(document, wish->memory);
    if (result == 0 && wish->cpu)
        result = spec_set_cpu(document, wish->cpu);
    if (result == 0)
        result = limit_pids(document, wish->pids);
    for (size_t i = 0; result == 0 && i < wish->env->count; i++)
        result = spec_set_env(document, wish->env->items[i]);
    return result;
}

bool spec_has_maps(struct json_object *document)
{
    struct json_field root = json_root(document);
    struct json_field section = json_member(&root, "linux");
    return json_member(&section, "uidMappings").value != NULL;
}
