/* Descriptors that a parent hands over by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/listen.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"

#define FIRST     3
#define COUNT_MAX 1024

static int read_number(const char *variable, uint32_t max, uint32_t *number)
{
    const char *value = getenv(variable);
    if (!value)
        return fail_usage("%s is not set", variable);
    if (parse_u32(value, max, number) < 0)
        return fail_usage("%s is no number that makes sense: '%s'", variable, value);
    return 0;
}

/* The name that starts at text is that of this descriptor. */
static int take_one(const char *text, size_t length, int fd, const char *const *names, size_t count,
                    int *fds)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) != length || memcmp(names[i], text, length) != 0)
            continue;
        if (fds[i] >= 0)
            return fail_usage("the descriptor '%s' is given twice", names[i]);
        fds[i] = fd;
        return 0;
    }
    return fail_usage("LISTEN_FDNAMES has an unknown name: '%.*s'", (int)length, text);
}

int listen_take(const char *const *names, size_t count, int *fds)
{
    uint32_t pid;
    uint32_t given;
    int result = read_number("LISTEN_PID", INT32_MAX, &pid);
    if (result == 0 && pid != (uint32_t)getpid())
        result = fail_usage("LISTEN_PID is not the pid of this process");
    if (result == 0)
        result = read_number("LISTEN_FDS", COUNT_MAX, &given);
    if (result < 0)
        return result;
    const char *at = getenv("LISTEN_FDNAMES");
    for (uint32_t i = 0; i < given; i++) {
        if (!at)
            return fail_usage("LISTEN_FDNAMES has fewer names than LISTEN_FDS says");
        size_t length = strcspn(at, ":");
        result = take_one(at, length, FIRST + (int)i, names, count, fds);
        if (result < 0)
            return result;
        at = at[length] ? at + length + 1 : NULL;
    }
    return at && *at ? fail_usage("LISTEN_FDNAMES has more names than LISTEN_FDS says") : 0;
}
