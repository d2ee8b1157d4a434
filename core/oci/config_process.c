/* config.json: the process section.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/rlimit.h"
#include "core/oci/config.h"
#include "core/oci/config_parts.h"
#include "core/oci/json.h"
#include "core/oci/member.h"

static int read_args(struct config_process *process, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "args");

    if (!field.value)
        return 0;

    int result = json_get_texts(&field, &process->args);

    if (result < 0)
        return result;
    if (!process->args[0])
        return json_fail(&field, "expected at least one string, found an empty array");
    if (!*process->args[0]) {
        struct json_field program = json_element(&field, 0);

        return json_fail(&program, "expected a program, found an empty string");
    }
    return 0;
}

static int read_env(struct config_process *process, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "env");
    int result = json_get_texts(&field, &process->env);

    for (size_t i = 0; result == 0 && process->env[i]; i++) {
        const char *equals = strchr(process->env[i], '=');

        if (!equals || equals == process->env[i]) {
            struct json_field element = json_element(&field, i);

            result = json_fail(&element, "expected NAME=VALUE, found \"%s\"", process->env[i]);
        }
    }
    return result;
}

static int read_console_size(struct config_process *process, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "consoleSize");
    struct json_field height = json_member(&field, "height");
    struct json_field width = json_member(&field, "width");
    uint32_t rows = 0;
    uint32_t columns = 0;
    int result = json_check_object(&field);

    if (result < 0 || !field.value)
        return result;
    result = json_require(&height);
    if (result == 0)
        result = json_require(&width);
    if (result == 0)
        result = json_get_u32(&height, UINT16_MAX, &rows);
    if (result == 0)
        result = json_get_u32(&width, UINT16_MAX, &columns);
    process->console_height = (uint16_t)rows;
    process->console_width = (uint16_t)columns;
    return result;
}

static int read_groups(struct config_process *process, const struct json_field *user)
{
    struct json_field field = json_member(user, "additionalGids");
    size_t count;
    int result = json_get_array(&field, &count);

    if (result < 0 || count == 0)
        return result;
    process->additional_gids = calloc(count, sizeof(*process->additional_gids));
    if (!process->additional_gids)
        return fail(ENOMEM, "cannot allocate memory");
    process->additional_gid_count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&field, i);

        result = json_require(&element);
        if (result == 0)
            result = json_get_u32(&element, ID_MAX, &process->additional_gids[i]);
    }
    return result;
}

static int read_user(struct config_process *process, const struct json_field *parent)
{
    static const struct member table[] = {
        {"uid", MEMBER_ID, 0, offsetof(struct config_process, uid)},
        {"gid", MEMBER_ID, 0, offsetof(struct config_process, gid)},
    };
    struct json_field user = json_member(parent, "user");
    int result = members_read(&user, table, sizeof(table) / sizeof(table[0]), process);

    if (result < 0)
        return result;

    struct json_field field = json_member(&user, "umask");

    if (field.value) {
        uint32_t mask = 0;

        result = json_get_u32(&field, 0777, &mask);
        process->umask = (int)mask;
    }
    return result < 0 ? result : read_groups(process, &user);
}

/* Names that nobody knows are left out here and named by config_unapplied(). */
static int read_set(uint64_t *set, const struct json_field *parent, const char *key)
{
    struct json_field field = json_member(parent, key);
    size_t count;
    int result = json_get_array(&field, &count);

    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&field, i);
        const char *name = NULL;

        result = json_require(&element);
        if (result == 0)
            result = json_get_text(&element, &name);
        if (result < 0)
            return result;

        int number = capability_number(name);

        if (number >= 0)
            *set |= UINT64_C(1) << number;
    }
    return result;
}

static int read_capabilities(struct config_process *process, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "capabilities");
    struct capability_sets *sets = &process->capabilities;
    int result = json_check_object(&field);

    process->has_capabilities = field.value != NULL;
    if (result == 0)
        result = read_set(&sets->bounding, &field, "bounding");
    if (result == 0)
        result = read_set(&sets->effective, &field, "effective");
    if (result == 0)
        result = read_set(&sets->permitted, &field, "permitted");
    if (result == 0)
        result = read_set(&sets->inheritable, &field, "inheritable");
    if (result == 0)
        result = read_set(&sets->ambient, &field, "ambient");
    return result;
}

struct written_rlimit {
    const char *type;
    uint64_t soft;
    uint64_t hard;
};

static int read_rlimit(struct config_process *process, const struct json_field *element)
{
    static const struct member table[] = {
        {"type", MEMBER_TEXT, 1, offsetof(struct written_rlimit, type)},
        {"soft", MEMBER_U64, 1, offsetof(struct written_rlimit, soft)},
        {"hard", MEMBER_U64, 1, offsetof(struct written_rlimit, hard)},
    };
    struct written_rlimit written = {0};
    struct json_field type = json_member(element, "type");
    int result = json_require(element);

    if (result == 0)
        result = members_read(element, table, sizeof(table) / sizeof(table[0]), &written);
    if (result < 0)
        return result;

    int resource = rlimit_number(written.type ? written.type : "");

    if (resource < 0)
        return json_fail(&type, "unknown resource limit \"%s\"", written.type ? written.type : "");
    if (written.soft > written.hard)
        return json_fail(element, "soft is more than hard");
    for (size_t i = 0; i < process->rlimit_count; i++) {
        if (process->rlimits[i].resource == resource)
            return json_fail(&type, "%s is listed twice", written.type);
    }
    process->rlimits[process->rlimit_count++] = (struct config_rlimit){
        .resource = resource,
        .limit = {.rlim_cur = written.soft, .rlim_max = written.hard},
    };
    return 0;
}

static int read_rlimits(struct config_process *process, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "rlimits");
    size_t count;
    int result = json_get_array(&field, &count);

    if (result < 0 || count == 0)
        return result;
    process->rlimits = calloc(count, sizeof(*process->rlimits));
    if (!process->rlimits)
        return fail(ENOMEM, "cannot allocate memory");
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&field, i);

        result = read_rlimit(process, &element);
    }
    return result;
}

int config_read_process(struct config *config, const struct json_field *root)
{
    static const struct member table[] = {
        {"cwd", MEMBER_PATH, 1, offsetof(struct config_process, cwd)},
        {"terminal", MEMBER_BOOL, 0, offsetof(struct config_process, terminal)},
        {"noNewPrivileges", MEMBER_BOOL, 0, offsetof(struct config_process, no_new_privileges)},
        {"apparmorProfile", MEMBER_TEXT, 0, offsetof(struct config_process, apparmor_profile)},
        {"selinuxLabel", MEMBER_TEXT, 0, offsetof(struct config_process, selinux_label)},
    };
    struct config_process *process = &config->process;
    struct json_field field = json_member(root, "process");
    int result = members_read(&field, table, sizeof(table) / sizeof(table[0]), process);

    if (result == 0)
        result = read_args(process, &field);
    if (result == 0)
        result = read_env(process, &field);
    if (result == 0)
        result = read_console_size(process, &field);
    if (result == 0)
        result = read_user(process, &field);
    if (result == 0)
        result = read_capabilities(process, &field);
    if (result == 0)
        result = read_rlimits(process, &field);
    if (result == 0)
        result = config_read_schedule(config, &field);
    return result;
}
