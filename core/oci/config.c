/* config.json as one typed struct: the whole, its root and its mounts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/linux/uts.h"
#include "core/oci/config_parts.h"
#include "core/oci/json.h"
#include "core/oci/member.h"

/* "1.MINOR.PATCH", with or without a pre-release part: "1.0.2-dev". */
static int read_version(struct config *config, const struct json_field *root)
{
    struct json_field field = json_member(root, "ociVersion");
    const char *version = NULL;
    int result = json_require(&field);

    if (result == 0)
        result = json_get_text(&field, &version);
    if (result < 0)
        return result;

    size_t minor = strspn(version + (strncmp(version, "1.", 2) == 0 ? 2 : 0), "0123456789");
    const char *patch = version + 2 + minor;

    if (strncmp(version, "1.", 2) != 0 || minor == 0 || patch[0] != '.' ||
        strspn(patch + 1, "0123456789") == 0)
        return json_fail(&field, "expected a version 1.x.y, found \"%s\"", version);
    config->version = version;
    return 0;
}

static int read_root(struct config *config, const struct json_field *document)
{
    static const struct member table[] = {
        {"path", MEMBER_TEXT, 1, offsetof(struct config, root_path)},
        {"readonly", MEMBER_BOOL, 0, offsetof(struct config, root_readonly)},
    };
    struct json_field root = json_member(document, "root");
    int result = members_read(&root, table, sizeof(table) / sizeof(table[0]), config);

    if (result == 0 && root.value && !config->root_path) {
        struct json_field path = json_member(&root, "path");

        return json_fail(&path, "expected a path, found an empty string");
    }
    return result;
}

static int read_mounts(struct config *config, const struct json_field *document)
{
    static const struct member table[] = {
        {"destination", MEMBER_PATH, 1, offsetof(struct config_mount, destination)},
        {"type", MEMBER_TEXT, 0, offsetof(struct config_mount, type)},
        {"source", MEMBER_TEXT, 0, offsetof(struct config_mount, source)},
        {"options", MEMBER_TEXTS, 0, offsetof(struct config_mount, options)},
    };
    struct json_field mounts = json_member(document, "mounts");
    size_t count;
    int result = json_get_array(&mounts, &count);

    if (result < 0 || count == 0)
        return result;
    config->mounts = calloc(count, sizeof(*config->mounts));
    if (!config->mounts)
        return fail(ENOMEM, "cannot allocate memory");
    config->mount_count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field mount = json_element(&mounts, i);

        result = members_read(&mount, table, sizeof(table) / sizeof(table[0]), &config->mounts[i]);
        if (result == 0 && !config->mounts[i].destination)
            result = json_fail(&mount, "expected an object with a destination");
        if (result == 0)
            result = config_read_maps(&config->mounts[i].maps, &mount);
    }
    return result;
}

/* Notes for others, which find them in the state. */
static int read_annotations(struct config *config, const struct json_field *document)
{
    struct json_field field = json_member(document, "annotations");
    int result = json_check_object(&field);

    if (result < 0 || !field.value)
        return result;
    json_object_object_foreach(field.value, key, value)
    {
        struct json_field member = {.value = value, .parent = &field, .key = key};
        const char *text = NULL;

        if (json_require(&member) < 0 || json_get_text(&member, &text) < 0)
            return -EINVAL;
    }
    config->annotations = field.value;
    return 0;
}

static int read_hooks(struct config *config, const struct json_field *document)
{
    struct json_field field = json_member(document, "hooks");
    int result = json_check_object(&field);

    for (int type = 0; result == 0 && type < HOOK_TYPES; type++) {
        struct json_field list = json_member(&field, hook_name((enum hook_type)type));

        result = hooks_read(&config->hooks[type], &list);
    }
    return result;
}

/* The strings alone: what they need is checked when the namespaces are known. */
static int read_names(struct config *config, const struct json_field *document)
{
    static const struct member table[] = {
        {"hostname", MEMBER_TEXT, 0, offsetof(struct config, hostname)},
        {"domainname", MEMBER_TEXT, 0, offsetof(struct config, domainname)},
    };

    return members_read(document, table, sizeof(table) / sizeof(table[0]), config);
}

static int check_name(const struct config *config, const struct json_field *document,
                      const char *key, const char *name)
{
    struct json_field field = json_member(document, key);

    if (!name)
        return 0;
    if (strlen(name) > UTS_NAME_MAX)
        return json_fail(&field, "longer than %d bytes", UTS_NAME_MAX);
    if (!config->namespaces[NAMESPACE_UTS].wanted)
        return json_fail(&field, "needs a uts namespace in /linux/namespaces");
    return 0;
}

static int read_document(struct config *config, const struct json_field *root)
{
    if (!json_object_is_type(root->value, json_type_object))
        return json_fail(root, "expected an object, found %s", json_type_text(root->value));

    int result = read_version(config, root);

    if (result == 0)
        result = read_root(config, root);
    if (result == 0)
        result = config_read_process(config, root);
    if (result == 0)
        result = read_mounts(config, root);
    if (result == 0)
        result = read_names(config, root);
    if (result == 0)
        result = read_annotations(config, root);
    if (result == 0)
        result = read_hooks(config, root);
    if (result == 0)
        result = config_read_linux(config, root);
    if (result == 0)
        result = check_name(config, root, "hostname", config->hostname);
    if (result == 0)
        result = check_name(config, root, "domainname", config->domainname);
    return result;
}

int config_from_document(struct config *config, const char *name, struct json_object *document)
{
    struct json_field root = json_root(document);

    *config = (struct config){.document = document, .process.umask = -1, .process.cwd = "/"};

    int result = read_document(config, &root);

    if (result < 0) {
        error_context("%s", name);
        config_free(config);
    }
    return result;
}

int config_parse(struct config *config, const char *name, const char *text, size_t length)
{
    struct json_object *document;
    int result = json_parse(&document, name, text, length);

    if (result < 0) {
        *config = (struct config){0};
        return result;
    }
    return config_from_document(config, name, document);
}

bool config_has(const struct config *config, const char *pointer)
{
    struct json_object *value = *pointer ? config->document : NULL;
    char name[32];

    while (value && *pointer) {
        size_t length = strcspn(++pointer, "/");

        if (length >= sizeof(name) || !json_object_is_type(value, json_type_object))
            return false;
        memcpy(name, pointer, length);
        name[length] = '\0';
        if (!json_object_object_get_ex(value, name, &value))
            return false;
        pointer += length;
    }
    return value != NULL;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config->mount_count; i++) {
        free(config->mounts[i].options);
        idmaps_free(&config->mounts[i].maps);
    }
    for (int type = 0; type < HOOK_TYPES; type++)
        hooks_free(&config->hooks[type]);
    free(config->mounts);
    free(config->process.args);
    free(config->process.env);
    free(config->process.additional_gids);
    free(config->process.rlimits);
    free(config->devices);
    free(config->sysctls);
    free(config->net_devices);
    free(config->masked_paths);
    free(config->readonly_paths);
    filter_profile_free(&config->seccomp);
    idmaps_free(&config->maps);
    resources_free(&config->resources);
    json_object_put(config->document);
    *config = (struct config){0};
}
