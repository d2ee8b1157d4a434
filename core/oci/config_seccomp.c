/* config.json: linux.seccomp.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/seccomp.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"
#include "core/oci/config_parts.h"
#include "core/oci/json.h"
#include "core/oci/member.h"

/* An action and the errno, or message, that it may have: EPERM when it is not given. */
static int read_action(uint32_t *action, const struct json_field *parent, const char *key,
                       const char *errno_key)
{
    struct json_field number_field = json_member(parent, errno_key);
    uint32_t number = EPERM;
    int index = 0;
    int result = config_read_number(parent, key, filter_action, &index);

    if (result < 0)
        return result;

    uint32_t max = filter_action_number_max(index);

    if (number_field.value && max == 0)
        return json_fail(&number_field, "this action has no number");
    *action = filter_action_value(index);
    if (max == 0)
        return 0;
    result = json_get_u32(&number_field, max, &number);
    *action |= number;
    return result;
}

static int read_argument(struct filter_argument *argument, const struct json_field *element)
{
    static const struct member table[] = {
        {"index", MEMBER_U32, 1, offsetof(struct filter_argument, index)},
        {"value", MEMBER_U64, 1, offsetof(struct filter_argument, value)},
        {"valueTwo", MEMBER_U64, 0, offsetof(struct filter_argument, value_two)},
    };
    struct json_field index = json_member(element, "index");
    int comparison = 0;
    int result = json_require(element);

    if (result == 0)
        result = members_read(element, table, sizeof(table) / sizeof(table[0]), argument);
    if (result == 0)
        result = config_read_number(element, "op", filter_comparison, &comparison);
    if (result == 0 && argument->index >= FILTER_ARGUMENTS)
        result = json_fail(&index, "a system call has arguments 0 to %d", FILTER_ARGUMENTS - 1);
    argument->comparison = (uint32_t)comparison;
    return result;
}

static int read_arguments(struct filter_rule *rule, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "args");
    size_t count;
    int result = json_get_array(&field, &count);

    if (result < 0 || count == 0)
        return result;
    rule->arguments = calloc(count, sizeof(*rule->arguments));
    if (!rule->arguments)
        return fail(ENOMEM, "cannot allocate memory");
    rule->argument_count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&field, i);

        result = read_argument(&rule->arguments[i], &element);
    }
    return result;
}

/* What the listener is told by must not have to ask the listener. */
static int check_names(const struct filter_rule *rule, const struct json_field *field)
{
    if (!rule->names[0])
        return json_fail(field, "expected the name of a system call at least");
    for (size_t i = 0; rule->names[i]; i++) {
        struct json_field element = json_element(field, i);

        if (!*rule->names[i])
            return json_fail(&element, "expected text, found an empty string");
        if (rule->action == SECCOMP_RET_USER_NOTIF && strcmp(rule->names[i], "sendmsg") == 0)
            return json_fail(&element, "SCMP_ACT_NOTIFY is not possible for sendmsg, by which the "
                                       "listener gets its descriptor");
    }
    return 0;
}

static int read_rule(struct filter_rule *rule, const struct json_field *element)
{
    struct json_field names = json_member(element, "names");
    int result = json_require(element);

    if (result == 0)
        result = json_check_object(element);
    if (result == 0)
        result = read_action(&rule->action, element, "action", "errnoRet");
    if (result == 0)
        result = json_require(&names);
    if (result == 0)
        result = json_get_texts(&names, &rule->names);
    if (result == 0)
        result = check_names(rule, &names);
    return result < 0 ? result : read_arguments(rule, element);
}

static int read_rules(struct filter_profile *profile, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "syscalls");
    size_t count;
    int result = json_get_array(&field, &count);

    if (result < 0 || count == 0)
        return result;
    profile->rules = calloc(count, sizeof(*profile->rules));
    if (!profile->rules)
        return fail(ENOMEM, "cannot allocate memory");
    profile->rule_count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&field, i);

        result = read_rule(&profile->rules[i], &element);
        if (profile->rules[i].action == SECCOMP_RET_USER_NOTIF)
            profile->notifies = true;
    }
    return result;
}

static int read_architectures(struct filter_profile *profile, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "architectures");
    autofree const char **names = NULL;
    int result = json_get_texts(&field, &names);

    for (size_t i = 0; result == 0 && names[i]; i++) {
        struct json_field element = json_element(&field, i);
        int bit = filter_architecture(names[i]);

        if (bit < 0)
            return json_fail(&element, "unknown architecture \"%s\"", names[i]);
        profile->architectures |= (uint32_t)bit;
    }
    return result;
}

/* Where there is no word on flags, not even that there are none, the program's branches may be
 * guessed: the other way costs much, and this is what runc does. */
static int read_flags(struct filter_profile *profile, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "flags");
    uint64_t flags = field.value ? 0 : SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    int result = config_read_flags(parent, filter_flag, &flags);

    profile->flags = (uint32_t)flags;
    return result;
}

static int check_listener(const struct filter_profile *profile, const struct json_field *parent)
{
    struct json_field path = json_member(parent, "listenerPath");
    struct json_field action = json_member(parent, "defaultAction");
    struct json_field flags = json_member(parent, "flags");

    /* Nothing at all could be done before the listener has its descriptor. */
    if (profile->default_action == SECCOMP_RET_USER_NOTIF)
        return json_fail(&action, "SCMP_ACT_NOTIFY is not possible as default action");
    if (profile->notifies && profile->listener_path &&
        strlen(profile->listener_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return json_fail(&path, "longer than the path of a socket can be");
    if (!profile->notifies && profile->flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
        return json_fail(&flags, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is only for "
                                 "SCMP_ACT_NOTIFY");
    return 0;
}

int config_read_seccomp(struct config *config, const struct json_field *linux_field)
{
    static const struct member table[] = {
        {"listenerPath", MEMBER_TEXT, 0, offsetof(struct filter_profile, listener_path)},
        {"listenerMetadata", MEMBER_TEXT, 0, offsetof(struct filter_profile, listener_metadata)},
    };
    struct filter_profile *profile = &config->seccomp;
    struct json_field field = json_member(linux_field, "seccomp");
    int result = members_read(&field, table, sizeof(table) / sizeof(table[0]), profile);

    if (result < 0 || !field.value)
        return result;
    profile->given = true;
    result = read_action(&profile->default_action, &field, "defaultAction", "defaultErrnoRet");
    if (result == 0)
        result = read_architectures(profile, &field);
    if (result == 0)
        result = read_flags(profile, &field);
    if (result == 0)
        result = read_rules(profile, &field);
    return result < 0 ? result : check_listener(profile, &field);
}
