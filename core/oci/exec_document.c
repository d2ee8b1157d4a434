/* The config of a process that joins a container.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/exec_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/oci/json.h"
#include "core/oci/json_build.h"
#include "core/oci/spec_edit.h"

static int set_user(struct json_object *base, const char *text)
{
    struct json_object *user = json_descend_object(base, "process", "user", NULL);
    size_t length = strcspn(text, ":");
    autofree char *uid = strndup(text, length);
    uint32_t number;

    if (!user || !uid)
        return user ? fail(ENOMEM, "cannot allocate memory") : -EINVAL;
    if (parse_id(uid, &number) < 0)
        return fail_usage("--user: '%s' is not UID or UID:GID", text);

    int result = json_set(user, "uid", json_number(number));

    if (result < 0 || !text[length])
        return result;
    if (parse_id(text + length + 1, &number) < 0)
        return fail_usage("--user: '%s' is not UID or UID:GID", text);
    return json_set(user, "gid", json_number(number));
}

static int add_gids(struct json_object *base, const struct text_list *gids)
{
    struct json_object *list = json_descend_array(base, "process", "user", "additionalGids");
    int result = list ? 0 : -EINVAL;

    for (size_t i = 0; result == 0 && i < gids->count; i++) {
        uint32_t number;

        if (parse_id(gids->items[i], &number) < 0)
            return fail_usage("--additional-gids: '%s' is not a gid", gids->items[i]);
        result = json_append(list, json_number(number));
    }
    return result;
}

/* The flags hold for the container's process only where they are given; but its terminal is its
 * own. */
static int set_flags(struct json_object *base, const struct exec_wish *wish)
{
    struct json_object *process = json_descend_object(base, "process", NULL, NULL);

    if (!process)
        return -EINVAL;
    json_object_object_del(process, "terminal");

    int result = wish->terminal ? spec_set_terminal(base) : 0;

    if (result == 0 && wish->no_new_privileges)
        result = json_set(process, "noNewPrivileges", json_object_new_boolean(1));
    return result;
}

static int edit_process(struct json_object *base, const struct exec_wish *wish)
{
    const struct text_list none = {0};
    int result = set_flags(base, wish);

    if (result == 0 && wish->args)
        result = spec_set_args(base, (const char *const *)wish->args, wish->arg_count);
    for (size_t i = 0; result == 0 && i < wish->env->count; i++)
        result = spec_set_env(base, wish->env->items[i]);
    if (result == 0 && wish->cwd)
        result = spec_set_cwd(base, wish->cwd);
    if (result == 0 && wish->user)
        result = set_user(base, wish->user);
    if (result == 0 && wish->gids->count > 0)
        result = add_gids(base, wish->gids);
    if (result == 0 && wish->capabilities->count > 0)
        result = spec_edit_capabilities(base, wish->capabilities, &none);
    return result;
}

/* Members that the process has in common with the container's. */
static int copy_members(struct json_object *base, struct json_object *document)
{
    static const char *const shared[] = {"seccomp", "personality"};
    struct json_object *from = json_descend_object(base, "linux", NULL, NULL);
    struct json_object *to = json_descend_object(document, "linux", NULL, NULL);
    int result = from && to ? 0 : -EINVAL;

    for (size_t i = 0; result == 0 && i < sizeof(shared) / sizeof(shared[0]); i++) {
        struct json_object *member = json_object_object_get(from, shared[i]);

        if (member)
            result = json_set(to, shared[i], json_object_get(member));
    }
    return result;
}

/* Whoever gives a whole process need not know what confines the container. */
static int set_label(struct json_object *process, const char *key, const char *wanted,
                     struct json_object *old)
{
    struct json_object *given = json_object_object_get(process, key);

    if (wanted && *wanted)
        return json_set(process, key, json_text(wanted));
    if (given &&
        !(json_object_is_type(given, json_type_string) && json_object_get_string_len(given) == 0))
        return 0;
    return old ? json_set(process, key, json_object_get(old)) : 0;
}

static int set_labels(struct json_object *base, const struct exec_wish *wish,
                      struct json_object *container)
{
    struct json_object *process = json_descend_object(base, "process", NULL, NULL);
    int result = process ? 0 : -EINVAL;

    if (result == 0)
        result = set_label(process, "apparmorProfile", wish->apparmor,
                           json_object_object_get(container, "apparmorProfile"));
    if (result == 0)
        result = set_label(process, "selinuxLabel", wish->selinux,
                           json_object_object_get(container, "selinuxLabel"));
    return result;
}

static int make(struct json_object *base, const struct exec_wish *wish,
                struct json_object *document)
{
    struct json_object *version = json_object_object_get(base, "ociVersion");
    autojson struct json_object *container =
        json_object_get(json_object_object_get(base, "process"));
    int result = 0;

    if (version)
        result = json_set(document, "ociVersion", json_object_get(version));
    if (result == 0 && wish->process)
        result = json_set(base, "process", json_object_get(wish->process));
    if (result == 0 && !wish->process)
        result = edit_process(base, wish);
    if (result == 0)
        result = set_labels(base, wish, container);
    if (result == 0)
        result =
            json_set(document, "process", json_object_get(json_object_object_get(base, "process")));
    return result < 0 ? result : copy_members(base, document);
}

int exec_document(struct json_object *base, const struct exec_wish *wish, struct json_object **made)
{
    if (!json_object_is_type(base, json_type_object))
        return fail_config(NULL, "expected an object, found %s", json_type_text(base));

    struct json_object *document = json_object_new_object();
    int result = document ? make(base, wish, document) : fail(ENOMEM, "cannot allocate memory");

    if (result < 0)
        json_object_put(document);
    else
        *made = document;
    return result;
}
