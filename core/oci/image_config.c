/* What an OCI image says about its process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/image_config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/oci/json.h"

/* The member of that name in any case. Two of them are a mistake: which one counts differs from
 * program to program. */
static int find_member(const struct json_field *parent, const char *name, struct json_field *found)
{
    *found = (struct json_field){.parent = parent, .key = name};
    if (!parent->value)
        return 0;

    bool seen = false;

    json_object_object_foreach(parent->value, key, value)
    {
        if (strcasecmp(key, name) != 0)
            continue;
        found->key = key;
        if (seen)
            return json_fail(found, "is there twice, in different cases");
        found->value = value;
        seen = true;
    }
    return 0;
}

static int read_texts(const struct json_field *config, const char *name, const char ***texts)
{
    struct json_field field;
    int result = find_member(config, name, &field);

    return result < 0 ? result : json_get_texts(&field, texts);
}

static int read_text(const struct json_field *config, const char *name, const char **text)
{
    struct json_field field;
    int result = find_member(config, name, &field);

    if (result == 0)
        result = json_get_text(&field, text);
    if (result == 0 && *text && !**text)
        *text = NULL;
    return result;
}

static int check_env(const struct image_config *image, const struct json_field *config)
{
    struct json_field field;
    int result = find_member(config, "Env", &field);

    for (size_t i = 0; result == 0 && image->env[i]; i++) {
        const char *equals = strchr(image->env[i], '=');
        struct json_field element = json_element(&field, i);

        if (!equals || equals == image->env[i])
            result = json_fail(&element, "expected NAME=VALUE, found \"%s\"", image->env[i]);
    }
    return result;
}

static int check_working_dir(const struct image_config *image, const struct json_field *config)
{
    struct json_field field;
    int result = find_member(config, "WorkingDir", &field);

    if (result == 0 && image->working_dir && *image->working_dir != '/')
        result = json_fail(&field, "expected an absolute path, found \"%s\"", image->working_dir);
    return result;
}

static int read_config(struct image_config *image, const struct json_field *config)
{
    int result = json_check_object(config);

    if (result == 0)
        result = read_texts(config, "Entrypoint", &image->entrypoint);
    if (result == 0)
        result = read_texts(config, "Cmd", &image->command);
    if (result == 0)
        result = read_texts(config, "Env", &image->env);
    if (result == 0)
        result = read_text(config, "WorkingDir", &image->working_dir);
    if (result == 0)
        result = read_text(config, "Hostname", &image->hostname);
    if (result == 0)
        result = read_text(config, "User", &image->user);
    if (result == 0)
        result = check_env(image, config);
    if (result == 0)
        result = check_working_dir(image, config);
    return result;
}

int image_config_parse(struct image_config *image, const char *name, const char *text,
                       size_t length)
{
    *image = (struct image_config){0};

    int result = json_parse(&image->document, name, text, length);

    if (result < 0)
        return result;

    struct json_field root = json_root(image->document);
    struct json_field config;

    if (!json_object_is_type(root.value, json_type_object))
        result = json_fail(&root, "expected an object, found %s", json_type_text(root.value));
    if (result == 0)
        result = find_member(&root, "config", &config);
    if (result == 0)
        result = read_config(image, &config);
    if (result < 0)
        error_context("%s", name);
    return result;
}

void image_config_free(struct image_config *image)
{
    free(image->entrypoint);
    free(image->command);
    free(image->env);
    json_object_put(image->document);
    *image = (struct image_config){0};
}
