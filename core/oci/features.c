/* What this runtime can do.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/features.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/linux/capability.h"
#include "core/linux/mount_options.h"
#include "core/linux/namespace.h"
#include "core/oci/config.h"
#include "core/oci/hooks.h"
#include "core/oci/json_build.h"

static int add_hooks(struct json_object *document)
{
    struct json_object *hooks = json_descend_array(document, "hooks", NULL, NULL);
    int result = hooks ? 0 : -ENOMEM;

    for (int type = 0; result == 0 && type < HOOK_TYPES; type++)
        result = json_append(hooks, json_text(hook_name((enum hook_type)type)));
    return result;
}

static int add_option(void *context, const char *name, bool recursive)
{
    char word[32];
    int result = json_append(context, json_text(name));

    snprintf(word, sizeof(word), "r%s", name);
    return result == 0 && recursive ? json_append(context, json_text(word)) : result;
}

static int compare(const void *a, const void *b)
{
    return strcmp(json_object_get_string(*(struct json_object *const *)a),
                  json_object_get_string(*(struct json_object *const *)b));
}

static int add_mount_options(struct json_object *document)
{
    struct json_object *options = json_descend_array(document, "mountOptions", NULL, NULL);
    int result = options ? mount_options_each(add_option, options) : -ENOMEM;

    if (result == 0)
        json_object_array_sort(options, compare);
    return result;
}

static int add_names(struct json_object *document)
{
    struct json_object *namespaces = json_descend_array(document, "linux", "namespaces", NULL);
    struct json_object *capabilities = json_descend_array(document, "linux", "capabilities", NULL);
    int result = namespaces && capabilities ? 0 : -ENOMEM;

    for (int type = 0; result == 0 && type < NAMESPACE_TYPES; type++)
        result = json_append(namespaces, json_text(namespace_name((enum namespace_type)type)));
    if (result == 0)
        json_object_array_sort(namespaces, compare);
    for (int number = 0; result == 0 && capability_name(number); number++)
        result = json_append(capabilities, json_text(capability_name(number)));
    return result;
}

/* {"enabled": …}: whether the config's field is applied. */
static int add_switches(struct json_object *document)
{
    static const struct {
        char name[16];
        char field[26];
    } switches[] = {
        {"seccomp", "/linux/seccomp"},           {"apparmor", "/process/apparmorProfile"},
        {"selinux", "/process/selinuxLabel"},    {"intelRdt", "/linux/intelRdt"},
        {"memoryPolicy", "/linux/memoryPolicy"}, {"netDevices", "/linux/netDevices"},
    };
    int result = 0;

    for (size_t i = 0; result == 0 && i < sizeof(switches) / sizeof(switches[0]); i++) {
        struct json_object *object = json_descend_object(document, "linux", switches[i].name, NULL);
        bool enabled = config_applies(switches[i].field);

        result = object ? json_set(object, "enabled", json_object_new_boolean(enabled)) : -ENOMEM;
    }
    return result;
}

static int add_cgroup(struct json_object *document)
{
    struct json_object *cgroup = json_descend_object(document, "linux", "cgroup", NULL);
    bool applied = config_applies("/linux/cgroupsPath");
    int result = cgroup ? json_set(cgroup, "v1", json_object_new_boolean(false)) : -ENOMEM;

    if (result == 0)
        result = json_set(cgroup, "v2", json_object_new_boolean(applied));
    if (result == 0)
        result = json_set(cgroup, "systemd", json_object_new_boolean(false));
    return result == 0 ? json_set(cgroup, "systemdUser", json_object_new_boolean(false)) : result;
}

static int add_idmap(struct json_object *document)
{
    struct json_object *idmap = json_descend_object(document, "linux", "mountExtensions", "idmap");
    bool enabled = config_applies("/mounts/*/uidMappings");

    return idmap ? json_set(idmap, "enabled", json_object_new_boolean(enabled)) : -ENOMEM;
}

struct json_object *features_document(void)
{
    struct json_object *document = json_object_new_object();
    int result = document ? 0 : fail(ENOMEM, "cannot allocate memory");

    if (result == 0)
        result = json_set(document, "ociVersionMin", json_text("1.0.0"));
    if (result == 0)
        result = json_set(document, "ociVersionMax", json_text("1.1.0"));
    if (result == 0)
        result = add_hooks(document);
    if (result == 0)
        result = add_mount_options(document);
    if (result == 0)
        result = add_names(document);
    if (result == 0)
        result = add_cgroup(document);
    if (result == 0)
        result = add_switches(document);
    if (result == 0)
        result = add_idmap(document);
    if (result < 0) {
        json_object_put(document);
        return NULL;
    }
    return document;
}
