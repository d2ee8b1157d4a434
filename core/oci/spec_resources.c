/* Changes to a config.json that is under construction: resources, network, capabilities.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/capability.h"
#include "core/oci/json_build.h"
#include "core/oci/quantity.h"
#include "core/oci/spec_edit.h"

/* Bounds of cpu.shares in the kernel (MIN_SHARES, MAX_SHARES). */
#define SHARES_MIN 2
#define SHARES_MAX 262144

int spec_set_cpu(struct json_object *document, const char *quantity)
{
    uint64_t milli;
    int result = quantity_milli("--cpu", quantity, &milli);

    if (result < 0)
        return result;

    struct json_object *resources = json_descend_object(document, "linux", "resources", NULL);
    struct json_object *cpu = resources ? json_object_new_object() : NULL;
    uint64_t shares = milli * 1024 / 1000;
    uint64_t quota = quantity_cpu_quota(milli);

    if (!resources)
        return -EINVAL;
    if (shares < SHARES_MIN)
        shares = SHARES_MIN;
    if (shares > SHARES_MAX)
        shares = SHARES_MAX;
    result = json_set(resources, "cpu", cpu);
    if (result == 0)
        result = json_set(cpu, "shares", json_number(shares));
    if (result == 0)
        result = json_set(cpu, "quota", json_number(quota));
    if (result == 0)
        result = json_set(cpu, "period", json_number(CPU_PERIOD));
    return result;
}

int spec_set_memory(struct json_object *document, const char *quantity)
{
    uint64_t bytes;
    int result = quantity_bytes("--memory", quantity, &bytes);

    if (result < 0)
        return result;

    struct json_object *resources = json_descend_object(document, "linux", "resources", NULL);
    struct json_object *memory = resources ? json_object_new_object() : NULL;

    if (!resources)
        return -EINVAL;
    result = json_set(resources, "memory", memory);
    return result < 0 ? result : json_set(memory, "limit", json_number(bytes));
}

/* Is the member of that name this string? */
static bool member_is(struct json_object *object, const char *key, const char *value)
{
    struct json_object *member =
        json_object_is_type(object, json_type_object) ? json_object_object_get(object, key) : NULL;

    return json_object_is_type(member, json_type_string) &&
           strcmp(json_object_get_string(member), value) == 0;
}

/* Remove the elements whose member has that value; returns whether there were any. */
static bool remove_elements(struct json_object *array, const char *key, const char *value)
{
    bool found = false;

    for (size_t i = json_object_array_length(array); i-- > 0;) {
        if (member_is(json_object_array_get_idx(array, i), key, value)) {
            json_object_array_del_idx(array, i, 1);
            found = true;
        }
    }
    return found;
}

/* Mounts of that file system become what is mounted at path outside. */
static int bind_instead(struct json_object *mounts, const char *type, const char *path,
                        const char *const *options, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < json_object_array_length(mounts); i++) {
        struct json_object *mount = json_object_array_get_idx(mounts, i);

        if (!member_is(mount, "type", type))
            continue;
        result = json_set(mount, "type", json_text("bind"));
        if (result == 0)
            result = json_set(mount, "source", json_text(path));
        if (result == 0)
            result = json_set(mount, "options", json_texts(options, count));
    }
    return result;
}

static int bind_sysfs(struct json_object *mounts)
{
    static const char *const options[] = {"rprivate", "nosuid", "noexec", "nodev", "ro", "rbind"};

    return bind_instead(mounts, "sysfs", "/sys", options, sizeof(options) / sizeof(options[0]));
}

int spec_set_nested(struct json_object *document)
{
    static const char *const proc[] = {"nosuid", "noexec", "nodev", "rbind"};
    static const char *const sys[] = {"rprivate", "nosuid", "noexec", "nodev", "rro", "rbind"};
    struct json_object *mounts = json_descend_array(document, "mounts", NULL, NULL);
    int result = mounts ? bind_instead(mounts, "proc", "/proc", proc, 4) : -EINVAL;

    return result < 0 ? result : bind_instead(mounts, "sysfs", "/sys", sys, 6);
}

int spec_set_host_network(struct json_object *document)
{
    struct json_object *namespaces = json_descend_array(document, "linux", "namespaces", NULL);
    struct json_object *mounts = json_descend_array(document, "mounts", NULL, NULL);
    bool user = false;

    if (!namespaces || !mounts)
        return -EINVAL;
    remove_elements(namespaces, "type", "network");
    for (size_t i = 0; i < json_object_array_length(namespaces); i++)
        user = user || member_is(json_object_array_get_idx(namespaces, i), "type", "user");

    int result = user ? bind_sysfs(mounts) : 0;

    return result < 0 ? result
                      : spec_add_mount(document, "type=bind,src=/etc/resolv.conf,"
                                                 "dst=/etc/resolv.conf,rbind,ro");
}

int spec_set_own_network(struct json_object *document)
{
    struct json_object *namespaces = json_descend_array(document, "linux", "namespaces", NULL);

    if (!namespaces)
        return -EINVAL;
    remove_elements(namespaces, "type", "network");
    return json_add_namespace(document, "network");
}

/* The mask of the names in a list; *all: "ALL" is among them. */
static int read_names(const char *option, const struct text_list *list, uint64_t *mask, bool *all)
{
    *mask = 0;
    *all = false;
    for (size_t i = 0; i < list->count; i++) {
        int number = capability_number(list->items[i]);

        if (strcasecmp(list->items[i], "ALL") == 0)
            *all = true;
        else if (number < 0)
            return fail_usage("%s: unknown capability \"%s\"", option, list->items[i]);
        else
            *mask |= UINT64_C(1) << number;
    }
    return 0;
}

static bool has_text(struct json_object *array, const char *text)
{
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct json_object *item = json_object_array_get_idx(array, i);

        if (json_object_is_type(item, json_type_string) &&
            strcasecmp(json_object_get_string(item), text) == 0)
            return true;
    }
    return false;
}

static void drop_names(struct json_object *set, uint64_t mask, bool all)
{
    for (size_t i = json_object_array_length(set); i-- > 0;) {
        struct json_object *item = json_object_array_get_idx(set, i);
        int number = json_object_is_type(item, json_type_string)
                         ? capability_number(json_object_get_string(item))
                         : -ENOENT;

        if (all || (number >= 0 && mask >> number & 1))
            json_object_array_del_idx(set, i, 1);
    }
}

static int add_names(struct json_object *set, uint64_t mask, bool all)
{
    int result = 0;

    for (int number = 0; result == 0 && capability_name(number); number++) {
        const char *name = capability_name(number);

        if ((all || mask >> number & 1) && !has_text(set, name))
            result = json_append(set, json_text(name));
    }
    return result;
}

int spec_edit_capabilities(struct json_object *document, const struct text_list *add,
                           const struct text_list *drop)
{
    static const char sets[][12] = {"bounding", "effective", "permitted", "inheritable", "ambient"};
    uint64_t added;
    uint64_t dropped;
    bool add_all;
    bool drop_all;
    int result = read_names("--cap-add", add, &added, &add_all);

    if (result == 0)
        result = read_names("--cap-drop", drop, &dropped, &drop_all);
    if (result < 0)
        return result;
    if ((added & dropped) || (add_all && drop_all))
        return fail_usage("--cap-add and --cap-drop name the same capability");

    struct json_object *object = json_descend_object(document, "process", "capabilities", NULL);

    for (size_t i = 0; object && result == 0 && i < sizeof(sets) / sizeof(sets[0]); i++) {
        bool grown = i < 3;

        if (!grown && !json_object_object_get(object, sets[i]))
            continue;

        struct json_object *set = json_descend_array(document, "process", "capabilities", sets[i]);

        if (!set)
            return -EINVAL;
        drop_names(set, drop_all ? 0 : dropped, drop_all);
        if (grown)
            result = add_names(set, added, add_all);
        drop_names(set, dropped, false); /* what --cap-add ALL has brought */
    }
    return object ? result : -EINVAL;
}
