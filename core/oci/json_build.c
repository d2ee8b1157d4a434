/* Building and changing JSON documents.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/json_build.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/idmap.h"
#include "core/oci/json.h"

static int fail_memory(void)
{
    return fail(ENOMEM, "cannot allocate memory");
}

int json_set(struct json_object *object, const char *key, struct json_object *value)
{
    if (value && json_object_object_add(object, key, value) == 0)
        return 0;
    json_object_put(value);
    return fail_memory();
}

int json_append(struct json_object *array, struct json_object *value)
{
    if (value && json_object_array_add(array, value) == 0)
        return 0;
    json_object_put(value);
    return fail_memory();
}

struct json_object *json_text(const char *text)
{
    return json_object_new_string(text);
}

struct json_object *json_number(uint64_t number)
{
    return json_object_new_uint64(number);
}

struct json_object *json_texts(const char *const *texts, size_t count)
{
    struct json_object *array = json_object_new_array_ext((int)count);

    for (size_t i = 0; array && i < count; i++) {
        if (json_append(array, json_text(texts[i])) < 0) {
            json_object_put(array);
            return NULL;
        }
    }
    return array;
}

/* The member, made as an empty value of that type if it is missing. */
static struct json_object *enter(struct json_object *object, const char *key, enum json_type type,
                                 const char *path)
{
    struct json_object *member = json_object_object_get(object, key);

    if (json_object_is_type(member, type))
        return member;
    if (member) {
        fail_config(path, "%s: expected %s, found %s", path,
                    type == json_type_array ? "an array" : "an object", json_type_text(member));
        return NULL;
    }
    member = type == json_type_array ? json_object_new_array() : json_object_new_object();
    return json_set(object, key, member) < 0 ? NULL : member;
}

static struct json_object *descend(struct json_object *document, const char *const names[3],
                                   enum json_type last)
{
    autotext struct text path = {0};
    struct json_object *value = document;

    for (size_t i = 0; value && i < 3 && names[i]; i++) {
        bool end = i == 2 || !names[i + 1];

        text_append_format(&path, "/%s", names[i]);
        value = enter(value, names[i], end ? last : json_type_object, path.data ? path.data : "");
    }
    return value;
}

struct json_object *json_descend_object(struct json_object *document, const char *first,
                                        const char *second, const char *third)
{
    return descend(document, (const char *const[3]){first, second, third}, json_type_object);
}

struct json_object *json_descend_array(struct json_object *document, const char *first,
                                       const char *second, const char *third)
{
    return descend(document, (const char *const[3]){first, second, third}, json_type_array);
}

int json_add_namespace(struct json_object *document, const char *type)
{
    struct json_object *list = json_descend_array(document, "linux", "namespaces", NULL);

    if (!list)
        return -EINVAL;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        struct json_object *found = json_object_is_type(item, json_type_object)
                                        ? json_object_object_get(item, "type")
                                        : NULL;

        if (json_object_is_type(found, json_type_string) &&
            strcmp(json_object_get_string(found), type) == 0)
            return 0;
    }

    struct json_object *added = json_object_new_object();

    if (!added || json_set(added, "type", json_text(type)) < 0) {
        json_object_put(added);
        return fail_memory();
    }
    return json_append(list, added);
}

static struct json_object *build_map(const struct idmap *map)
{
    struct json_object *array = json_object_new_array_ext((int)map->count);

    for (size_t i = 0; array && i < map->count; i++) {
        struct json_object *range = json_object_new_object();
        bool complete =
            range && json_set(range, "containerID", json_number(map->ranges[i].container)) == 0 &&
            json_set(range, "hostID", json_number(map->ranges[i].host)) == 0 &&
            json_set(range, "size", json_number(map->ranges[i].size)) == 0;

        if (!complete || json_append(array, json_object_get(range)) < 0) {
            json_object_put(array);
            array = NULL;
        }
        json_object_put(range);
    }
    return array;
}

int json_set_maps(struct json_object *document, const struct idmaps *maps)
{
    struct json_object *section = json_descend_object(document, "linux", NULL, NULL);
    int result = section ? 0 : -EINVAL;

    if (result == 0)
        result = json_set(section, "uidMappings", build_map(&maps->uid));
    if (result == 0)
        result = json_set(section, "gidMappings", build_map(&maps->gid));
    if (result == 0)
        result = json_add_namespace(document, "user");
    return result;
}
