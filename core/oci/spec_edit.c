/* Changes to a config.json that is under construction: the process, its root and its names.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/spec_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/oci/image_config.h"
#include "core/oci/json_build.h"
#include "core/oci/user.h"

/* Set one member of the object process. */
static int set_process(struct json_object *document, const char *key, struct json_object *value)
{
    struct json_object *process = json_descend_object(document, "process", NULL, NULL);

    if (!process) {
        json_object_put(value);
        return -EINVAL;
    }
    return json_set(process, key, value);
}

int spec_set_args(struct json_object *document, const char *const *args, size_t count)
{
    return set_process(document, "args", json_texts(args, count));
}

/* Length of the name in "NAME=VALUE", 0 if it is not of that form. */
static size_t name_length(const char *entry)
{
    const char *equals = strchr(entry, '=');

    return equals ? (size_t)(equals - entry) : 0;
}

static bool has_name(struct json_object *item, const char *entry, size_t length)
{
    const char *text =
        json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";

    return strncmp(text, entry, length) == 0 && text[length] == '=';
}

int spec_set_env(struct json_object *document, const char *entry)
{
    size_t length = name_length(entry);
    struct json_object *env = json_descend_array(document, "process", "env", NULL);

    if (!env)
        return -EINVAL;
    if (length == 0)
        return fail_usage("--env: expected NAME=VALUE, found \"%s\"", entry);

    struct json_object *text = json_text(entry);
    bool placed = false;

    if (!text)
        return fail(ENOMEM, "cannot allocate memory");
    for (size_t i = 0; i < json_object_array_length(env);) {
        if (!has_name(json_object_array_get_idx(env, i), entry, length)) {
            i++;
        } else if (placed) {
            json_object_array_del_idx(env, i, 1);
        } else {
            json_object_array_put_idx(env, i++, text);
            placed = true;
        }
    }
    return placed ? 0 : json_append(env, text);
}

int spec_set_cwd(struct json_object *document, const char *path)
{
    if (*path != '/')
        return fail_usage("--cwd: expected an absolute path, found \"%s\"", path);
    return set_process(document, "cwd", json_text(path));
}

int spec_set_terminal(struct json_object *document)
{
    struct json_object *env = json_descend_array(document, "process", "env", NULL);

    if (!env)
        return -EINVAL;

    bool found = false;

    for (size_t i = 0; i < json_object_array_length(env); i++)
        found = found || has_name(json_object_array_get_idx(env, i), "TERM", strlen("TERM"));

    int result = found ? 0 : json_append(env, json_text("TERM=xterm"));

    return result < 0 ? result : set_process(document, "terminal", json_object_new_boolean(1));
}

int spec_set_user(struct json_object *document, const struct user *user)
{
    struct json_object *object = json_descend_object(document, "process", "user", NULL);
    struct json_object *gids = json_object_new_array_ext((int)user->groups.count);
    int result = object && gids ? 0 : -EINVAL;

    if (result == 0)
        result = json_set(object, "uid", json_number(user->uid));
    if (result == 0)
        result = json_set(object, "gid", json_number(user->gid));
    for (size_t i = 0; result == 0 && i < user->groups.count; i++)
        result = json_append(gids, json_number(user->groups.gids[i]));
    if (result == 0 && user->groups.count > 0)
        return json_set(object, "additionalGids", gids);
    json_object_put(gids);
    if (result == 0)
        json_object_object_del(object, "additionalGids");
    return result;
}

int spec_set_hostname(struct json_object *document, const char *name)
{
    if (!*name)
        return fail_usage("--hostname: the name is empty");

    int result = json_set(document, "hostname", json_text(name));

    return result < 0 ? result : json_add_namespace(document, "uts");
}

int spec_set_rootfs(struct json_object *document, const char *path)
{
    struct json_object *root = json_descend_object(document, "root", NULL, NULL);

    if (!*path)
        return fail_usage("--rootfs: the path is empty");
    return root ? json_set(root, "path", json_text(path)) : -EINVAL;
}

int spec_set_readonly(struct json_object *document)
{
    struct json_object *root = json_descend_object(document, "root", NULL, NULL);

    return root ? json_set(root, "readonly", json_object_new_boolean(1)) : -EINVAL;
}

int spec_set_annotation(struct json_object *document, const char *entry)
{
    struct json_object *annotations = json_descend_object(document, "annotations", NULL, NULL);
    size_t length = name_length(entry);

    if (!annotations)
        return -EINVAL;
    if (length == 0)
        return fail_usage("--annotation: expected KEY=VALUE, found \"%s\"", entry);

    autofree char *key = strndup(entry, length);

    if (!key)
        return fail(ENOMEM, "cannot allocate memory");
    return json_set(annotations, key, json_text(entry + length + 1));
}

/* args becomes the entry point, then the command. */
static int apply_command(struct json_object *document, const struct image_config *image)
{
    struct json_object *args = json_texts(NULL, 0);
    const char *const *const parts[] = {image->entrypoint, image->command};
    int result = 0;

    for (size_t part = 0; part < 2; part++) {
        for (size_t i = 0; args && result == 0 && parts[part][i]; i++)
            result = json_append(args, json_text(parts[part][i]));
    }
    if (result < 0) {
        json_object_put(args);
        return result;
    }
    return set_process(document, "args", args);
}

int spec_apply_image(struct json_object *document, const struct image_config *image,
                     bool args_given)
{
    int result = 0;

    if (!args_given && !image->entrypoint[0] && !image->command[0])
        return fail_config(NULL, "the image has neither an entry point nor a command");
    if (!args_given)
        result = apply_command(document, image);
    for (size_t i = 0; result == 0 && image->env[i]; i++)
        result = spec_set_env(document, image->env[i]);
    if (result == 0 && image->working_dir)
        result = spec_set_cwd(document, image->working_dir);
    if (result == 0 && image->hostname)
        result = spec_set_hostname(document, image->hostname);
    return result;
}
