/* Resource limits by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/rlimit.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

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
