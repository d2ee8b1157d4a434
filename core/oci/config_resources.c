/* config.json: linux.resources.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/schedule.h"
#include "core/oci/json.h"
#include "core/oci/resources.h"

/* Fields that are refused where they ask for anything: it belongs to version 1 alone, or to
 * controllers that are not supported yet. */
static const char unsupported_fields[][28] = {
    "memory/kernel",
    "memory/kernelTCP",
    "memory/swappiness",
    "memory/disableOOMKiller",
    "cpu/realtimeRuntime",
    "cpu/realtimePeriod",
    "blockIO",
    "hugepageLimits",
    "network",
    "rdma",
};

/* -1 is "no limit"; swappiness is a wish whatever its value is. */
static bool asks(struct json_object *value, bool any_number)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return json_object_get_boolean(value);
    case json_type_int:
        return any_number || json_object_get_int64(value) > 0;
    case json_type_array:
        return json_object_array_length(value) > 0;
    case json_type_object: {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            if (asks(member, any_number))
                return true;
        }
        return false;
    }
    default:
        return value != NULL;
    }
}

static void find_unsupported(struct resources *resources, const struct json_field *parent)
{
    for (size_t i = 0; i < sizeof(unsupported_fields) / sizeof(unsupported_fields[0]); i++) {
        const char *name = unsupported_fields[i];
        const char *slash = strchr(name, '/');
        char section[16] = "";
        struct json_field field = *parent;

        if (slash) {
            strncat(section, name, (size_t)(slash - name));
            field = json_member(parent, section);
            name = slash + 1;
        }
        if (asks(json_member(&field, name).value, strcmp(name, "swappiness") == 0)) {
            snprintf(resources->unsupported, sizeof(resources->unsupported),
                     "/linux/resources/%.28s", unsupported_fields[i]);
            return;
        }
    }
}

static int read_memory(struct resources *resources, const struct json_field *parent)
{
    struct json_field memory = json_member(parent, "memory");
    const struct {
        const char *key;
        int64_t *target;
    } table[] = {
        {"limit", &resources->memory_limit},
        {"reservation", &resources->memory_reservation},
        {"swap", &resources->memory_swap},
    };
    int result = json_check_object(&memory);

    for (size_t i = 0; result == 0 && i < sizeof(table) / sizeof(table[0]); i++) {
        struct json_field field = json_member(&memory, table[i].key);

        result = json_get_signed(&field, -1, INT64_MAX, table[i].target);
    }

    struct json_field check = json_member(&memory, "checkBeforeUpdate");

    return result == 0 ? json_get_bool(&check, &resources->check_memory) : result;
}

static int read_list(const struct json_field *parent, const char *key, const char **target)
{
    struct json_field field = json_member(parent, key);
    const char *text = NULL;
    int result = json_get_text(&field, &text);

    if (result < 0 || !text || !*text)
        return result;
    if (parse_number_list(text, CPU_MAX, NULL) < 0)
        return json_fail(&field, "expected a list such as 0-3,7, found \"%s\"", text);
    *target = text;
    return 0;
}

static int read_idle(struct resources *resources, const struct json_field *cpu)
{
    struct json_field field = json_member(cpu, "idle");
    int64_t idle = 0;
    int result = json_get_signed(&field, 0, 1, &idle);

    resources->has_cpu_idle = field.value != NULL;
    resources->cpu_idle = idle == 1;
    return result;
}

static int read_cpu(struct resources *resources, const struct json_field *parent)
{
    struct json_field cpu = json_member(parent, "cpu");
    struct json_field shares = json_member(&cpu, "shares");
    struct json_field quota = json_member(&cpu, "quota");
    struct json_field period = json_member(&cpu, "period");
    struct json_field burst = json_member(&cpu, "burst");
    int result = json_check_object(&cpu);

    if (result == 0)
        result = json_get_number(&shares, UINT64_MAX, &resources->cpu_shares);
    if (result == 0)
        result = json_get_signed(&quota, INT64_MIN, INT64_MAX, &resources->cpu_quota);
    if (result == 0)
        result = json_get_number(&period, UINT64_MAX, &resources->cpu_period);
    if (result == 0)
        result = json_get_number(&burst, UINT64_MAX, &resources->cpu_burst);
    resources->has_cpu_burst = burst.value != NULL;
    if (result == 0)
        result = read_idle(resources, &cpu);
    if (result == 0)
        result = read_list(&cpu, "cpus", &resources->cpus);
    return result == 0 ? read_list(&cpu, "mems", &resources->mems) : result;
}

static int read_pids(struct resources *resources, const struct json_field *parent)
{
    struct json_field pids = json_member(parent, "pids");
    struct json_field limit = json_member(&pids, "limit");
    int result = json_check_object(&pids);

    resources->has_pids_limit = limit.value != NULL;
    return result == 0 ? json_get_signed(&limit, INT64_MIN, INT64_MAX, &resources->pids_limit)
                       : result;
}

/* Files of a controller, whose names lead nowhere else. The value is one line: of a file that has
 * several, as io.max, one can be written. */
static int read_unified(struct resources *resources, const struct json_field *parent)
{
    struct json_field unified = json_member(parent, "unified");
    int result = json_check_object(&unified);

    if (result < 0 || !unified.value || json_object_object_length(unified.value) == 0)
        return result;
    resources->unified =
        calloc((size_t)json_object_object_length(unified.value), sizeof(*resources->unified));
    if (!resources->unified)
        return fail(ENOMEM, "cannot allocate memory");
    json_object_object_foreach(unified.value, key, value)
    {
        struct json_field field = {.value = value, .parent = &unified, .key = key};
        struct resource_file *file = &resources->unified[resources->unified_count];

        result = json_require(&field);
        if (result == 0)
            result = json_get_text(&field, &file->value);
        if (result == 0 && !cgroup_is_setting(key, strlen(key)))
            result = json_fail(&field, "not the name of a file that holds a limit");
        if (result == 0 && strchr(file->value, '\n'))
            result = json_fail(&field, "more than one line");
        if (result < 0)
            return result;
        file->file = key;
        resources->unified_count++;
    }
    return 0;
}

static int read_access(const struct json_field *rule, unsigned *access)
{
    struct json_field field = json_member(rule, "access");
    const char *letters = NULL;
    int result = json_get_text(&field, &letters);

    *access = letters && *letters ? 0 : DEVICE_ALL;
    for (; result == 0 && letters && *letters; letters++) {
        if (!strchr("rwm", *letters))
            return json_fail(&field, "expected letters of \"rwm\", found '%c'", *letters);
        *access |= *letters == 'r' ? DEVICE_READ : *letters == 'w' ? DEVICE_WRITE : DEVICE_MKNOD;
    }
    return result;
}

static int read_rule(struct device_rule *rule, const struct json_field *element)
{
    struct json_field allow = json_member(element, "allow");
    struct json_field type = json_member(element, "type");
    struct json_field major = json_member(element, "major");
    struct json_field minor = json_member(element, "minor");
    const char *letter = "a";
    int result = json_require(element);

    *rule = (struct device_rule){.major = DEVICE_ANY, .minor = DEVICE_ANY};
    if (result == 0)
        result = json_check_object(element);
    if (result == 0)
        result = json_get_bool(&allow, &rule->allow);
    if (result == 0)
        result = json_get_text(&type, &letter);
    if (result == 0 && *letter && strcmp(letter, "a") != 0 && strcmp(letter, "b") != 0 &&
        strcmp(letter, "c") != 0)
        result = json_fail(&type, "expected \"a\", \"b\" or \"c\", found \"%s\"", letter);
    if (result == 0)
        result = json_get_signed(&major, DEVICE_ANY, INT32_MAX, &rule->major);
    if (result == 0)
        result = json_get_signed(&minor, DEVICE_ANY, INT32_MAX, &rule->minor);
    rule->type = *letter ? *letter : 'a';
    return result == 0 ? read_access(element, &rule->access) : result;
}

static int read_rules(struct resources *resources, const struct json_field *parent)
{
    struct json_field devices = json_member(parent, "devices");
    size_t count;
    int result = json_get_array(&devices, &count);

    resources->has_devices = result == 0 && count > 0;
    if (result < 0 || count == 0)
        return result;
    resources->devices = calloc(count, sizeof(*resources->devices));
    if (!resources->devices)
        return fail(ENOMEM, "cannot allocate memory");
    resources->device_count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&devices, i);

        result = read_rule(&resources->devices[i], &element);
    }
    return result;
}

int resources_read(struct resources *resources, const struct json_field *field)
{
    int result = json_check_object(field);

    *resources = (struct resources){0};
    if (result == 0)
        result = read_memory(resources, field);
    if (result == 0)
        result = read_cpu(resources, field);
    if (result == 0)
        result = read_pids(resources, field);
    if (result == 0)
        result = read_unified(resources, field);
    if (result == 0)
        result = read_rules(resources, field);
    if (result == 0)
        find_unsupported(resources, field);
    return result;
}
