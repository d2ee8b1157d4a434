/* config.json: what the linux section asks of the kernel beside namespaces, mounts and limits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/network.h"
#include "core/linux/sysctl.h"
#include "core/oci/config.h"
#include "core/oci/config_parts.h"
#include "core/oci/json.h"
#include "core/oci/member.h"

#define NANOSECONDS 1000000000U

static int read_sysctl(struct config *config, const struct json_field *field)
{
    struct config_sysctl *sysctl = &config->sysctls[config->sysctl_count];
    char path[PATH_MAX];
    int result = json_require(field);

    if (result == 0)
        result = json_get_text(field, &sysctl->value);
    if (result < 0)
        return result;
    if (sysctl_path(field->key, path, sizeof(path)) < 0)
        return json_fail(field, "not the name of a kernel parameter");

    int type = sysctl_namespace(path);

    if (type < 0)
        return json_fail(field, "no namespace has this parameter for itself");
    if (!config->namespaces[type].wanted)
        return json_fail(field, "needs a namespace of type %s in /linux/namespaces",
                         namespace_name((enum namespace_type)type));
    if (strcmp(path, "kernel/hostname") == 0)
        return json_fail(field, "is set by /hostname");
    if (strcmp(path, "kernel/domainname") == 0 && config->domainname)
        return json_fail(field, "is set by /domainname");
    sysctl->name = field->key;
    sysctl->type = (enum namespace_type)type;
    config->sysctl_count++;
    return 0;
}

static int read_sysctls(struct config *config, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "sysctl");
    int result = json_check_object(&field);

    if (result < 0 || !field.value || json_object_object_length(field.value) == 0)
        return result;
    config->sysctls =
        calloc((size_t)json_object_object_length(field.value), sizeof(*config->sysctls));
    if (!config->sysctls)
        return fail(ENOMEM, "cannot allocate memory");
    json_object_object_foreach(field.value, key, value)
    {
        struct json_field member = {.value = value, .parent = &field, .key = key};

        result = read_sysctl(config, &member);
        if (result < 0)
            return result;
    }
    return 0;
}

static int personality_domain(const char *name)
{
    if (strcmp(name, "LINUX") == 0)
        return PER_LINUX;
    return strcmp(name, "LINUX32") == 0 ? PER_LINUX32 : -1;
}

/* runtime-spec has the member, and no flags for it. */
static int no_flag(const char *name)
{
    (void)name;
    return -1;
}

static int read_personality(struct config *config, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "personality");
    uint64_t flags = 0;
    int result = json_check_object(&field);

    if (result < 0 || !field.value)
        return result;
    config->has_personality = true;
    result = config_read_number(&field, "domain", personality_domain, &config->personality);
    return result < 0 ? result : config_read_flags(&field, no_flag, &flags);
}

static int read_nodes(struct memory_policy *policy, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "nodes");
    const char *text = "";
    int result = json_get_text(&field, &text);

    if (result < 0)
        return result;
    policy->has_nodes = *text;
    if (*text && parse_number_list(text, NODE_MAX, policy->nodes) < 0)
        return json_fail(&field, "expected memory nodes such as \"0-3,7\", found \"%s\"", text);
    if (*text && !memory_policy_takes_nodes(policy->mode))
        return json_fail(&field, "not with this mode");
    if (!*text && memory_policy_needs_nodes(policy->mode))
        return json_fail(&field, "missing, which this mode needs");
    return 0;
}

static int read_memory_policy(struct config *config, const struct json_field *parent)
{
    struct memory_policy *policy = &config->memory_policy;
    struct json_field field = json_member(parent, "memoryPolicy");
    struct json_field flags_field = json_member(&field, "flags");
    uint64_t flags = 0;
    int result = json_check_object(&field);

    if (result < 0 || !field.value)
        return result;
    policy->given = true;
    result = config_read_number(&field, "mode", memory_policy_mode, &policy->mode);
    if (result == 0)
        result = config_read_flags(&field, memory_policy_flag, &flags);
    policy->flags = (int)flags;
    if (result == 0 && memory_policy_flags_exclude(policy->flags))
        result = json_fail(&flags_field, "static and relative nodes exclude each other");
    return result < 0 ? result : read_nodes(policy, &field);
}

static int read_net_device(struct config *config, const struct json_field *field)
{
    static const struct member table[] = {
        {"name", MEMBER_TEXT, 0, offsetof(struct config_net_device, inside)},
    };
    struct config_net_device *device = &config->net_devices[config->net_device_count++];
    struct json_field inside = json_member(field, "name");

    *device = (struct config_net_device){.name = field->key, .inside = field->key};

    int result = members_read(field, table, 1, device);
    const char *percent = strchr(device->inside, '%');

    if (result < 0)
        return result;
    if (!network_is_name(device->name) || strchr(device->name, '%'))
        return json_fail(field, "not the name of an interface");
    if (!network_is_name(device->inside) ||
        (percent && (percent[1] != 'd' || strchr(percent + 1, '%'))))
        return json_fail(&inside, "\"%s\" cannot be the name of an interface", device->inside);
    return 0;
}

static int read_net_devices(struct config *config, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "netDevices");
    int result = json_check_object(&field);

    if (result < 0 || !field.value || json_object_object_length(field.value) == 0)
        return result;
    if (!config->namespaces[NAMESPACE_NETWORK].wanted)
        return json_fail(&field, "needs a network namespace in /linux/namespaces");
    config->net_devices =
        calloc((size_t)json_object_object_length(field.value), sizeof(*config->net_devices));
    if (!config->net_devices)
        return fail(ENOMEM, "cannot allocate memory");
    json_object_object_foreach(field.value, key, value)
    {
        struct json_field member = {.value = value, .parent = &field, .key = key};

        result = read_net_device(config, &member);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Classes of cache and memory bandwidth: nothing of it is done, so it is not done by half. */
static int refuse_rdt(const struct json_field *parent)
{
    struct json_field field = json_member(parent, "intelRdt");

    return field.value ? json_fail(&field, "resctrl is not supported") : 0;
}

static int read_time_offset(struct config *config, const struct json_field *field)
{
    struct json_field seconds = json_member(field, "secs");
    struct json_field nanoseconds = json_member(field, "nanosecs");
    int clock = TIME_MONOTONIC;
    int result = json_check_object(field);

    while (clock < TIME_CLOCKS && strcmp(field->key, time_clock_name((enum time_clock)clock)) != 0)
        clock++;
    if (clock == TIME_CLOCKS)
        return json_fail(field, "unknown clock; expected monotonic or boottime");
    if (result < 0 || !field->value)
        return result;

    struct time_offset *offset = &config->time_offsets[clock];

    offset->given = true;
    result = json_get_signed(&seconds, INT64_MIN, INT64_MAX, &offset->seconds);
    return result < 0 ? result : json_get_u32(&nanoseconds, NANOSECONDS - 1, &offset->nanoseconds);
}

static int read_time_offsets(struct config *config, const struct json_field *parent)
{
    const struct config_namespace *time = &config->namespaces[NAMESPACE_TIME];
    struct json_field field = json_member(parent, "timeOffsets");
    int result = json_check_object(&field);

    if (result < 0 || !field.value || json_object_object_length(field.value) == 0)
        return result;
    if (!time->wanted)
        return json_fail(&field, "needs a time namespace in /linux/namespaces");
    if (time->path)
        return json_fail(&field, "needs a new time namespace, not one to join");
    json_object_object_foreach(field.value, key, value)
    {
        struct json_field member = {.value = value, .parent = &field, .key = key};

        result = read_time_offset(config, &member);
        if (result < 0)
            return result;
    }
    return 0;
}

int config_read_kernel(struct config *config, const struct json_field *linux_field)
{
    int result = read_sysctls(config, linux_field);

    if (result == 0)
        result = read_personality(config, linux_field);
    if (result == 0)
        result = read_memory_policy(config, linux_field);
    if (result == 0)
        result = read_time_offsets(config, linux_field);
    if (result == 0)
        result = read_net_devices(config, linux_field);
    if (result == 0)
        result = refuse_rdt(linux_field);
    return result;
}
