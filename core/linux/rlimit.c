/* Resource limits by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/rlimit.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/trace.h"

static const struct {
    char name[18];
    unsigned char resource;
} rlimits[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

#define COUNT (sizeof(rlimits) / sizeof(rlimits[0]))

int rlimit_number(const char *name)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(name, rlimits[i].name) == 0)
            return rlimits[i].resource;
    }
    return -ENOENT;
}

const char *rlimit_name(int resource)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (rlimits[i].resource == resource)
            return rlimits[i].name;
    }
    return "a resource limit";
}

void rlimit_raise_files(uint64_t wanted, struct rlimit *before)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted ||
        limit.rlim_cur >= limit.rlim_max)
        return;
    *before = limit;
    limit.rlim_cur = wanted < limit.rlim_max ? (rlim_t)wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* A number or "unlimited" in the first `length` bytes. */
static int parse_value(const char *text, size_t length, rlim_t *value)
{
    char word[24] = "";
    uint64_t number;
    if (length >= sizeof(word))
        return -EINVAL;
    memcpy(word, text, length);
    if (strcmp(word, "unlimited") == 0) {
        *value = RLIM_INFINITY;
        return 0;
    }
    if (parse_u64(word, UINT64_MAX, &number) < 0)
        return -EINVAL;
    *value = number;
    return 0;
}

int rlimit_parse(const char *option, const char *text, struct rlimit *limit)
{
    char name[24] = "RLIMIT_";
    const size_t prefix = sizeof("RLIMIT_") - 1;
    size_t length = strcspn(text, "=");
    size_t skipped = strncasecmp(text, name, prefix) == 0 ? prefix : 0;
    int resource = -ENOENT;
    if (length > skipped && length - skipped < sizeof(name) - prefix) {
        for (size_t i = skipped; i < length; i++)
            name[prefix + i - skipped] = (char)(text[i] >= 'a' ? text[i] - 'a' + 'A' : text[i]);
        resource = rlimit_number(name);
    }
    if (resource < 0)
        return fail_usage("option %s: there is no resource limit '%.*s'", option, (int)length,
                          text);
    const char *soft = text + length + (text[length] == '=');
    size_t colon = strcspn(soft, ":");
    const char *hard = soft[colon] ? soft + colon + 1 : soft;
    if (parse_value(soft, colon, &limit->rlim_cur) < 0 ||
        parse_value(hard, hard == soft ? colon : strlen(hard), &limit->rlim_max) < 0)
        return fail_usage("option %s: expected NAME=SOFT[:HARD], found '%s'", option, text);
    if (limit->rlim_cur > limit->rlim_max)
        return fail_usage("option %s: in '%s' the soft limit is more than the hard one", option,
                          text);
    return resource;
}

int rlimits_check(const char *option, const struct text_list *list)
{
    struct rlimit limit;
    for (size_t i = 0; i < list->count; i++) {
        if (rlimit_parse(option, list->items[i], &limit) < 0)
            return -EINVAL;
    }
    return 0;
}

int rlimits_set(const char *option, const struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct rlimit limit;
        int resource = rlimit_parse(option, list->items[i], &limit);
        if (resource < 0)
            return resource;
        step("limit %s", rlimit_name(resource));
        if (setrlimit(resource, &limit) < 0) {
            int result = fail(errno, "cannot set %s", rlimit_name(resource));
            if (result == -EPERM)
                error_hint("raising a hard limit needs CAP_SYS_RESOURCE");
            return result;
        }
    }
    return 0;
}
