/* The first things a process sees to, before any work.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/base/error.h"

unsigned start_stdio(void)
{
    unsigned closed = 0;
    struct pollfd standard[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};
    if (poll(standard, 3, 0) <= 0)
        return 0;
    for (int fd = 0; fd < 3; fd++) {
        if (!(standard[fd].revents & POLLNVAL))
            continue;
        closed |= 1U << fd;
        /* All lower numbers are in use, so the new descriptor gets this one. */
        if (open("/dev/null", O_RDWR | O_NOCTTY) >= 0)
            continue;
        /* No /dev yet. The reading end of a dead pipe: the end of file to who reads, EBADF as
         * before to who writes. */
        int ends[2];
        if (pipe(ends) == 0)
            close(ends[1]);
    }
    return closed;
}

static bool has_file_capabilities(const char *path, bool *known)
{
    char value[64];
    ssize_t size = getxattr(path, "security.capability", value, sizeof(value));
    *known = size >= 0 || errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE;
    return size > 0 || (size < 0 && errno == ERANGE);
}

int start_check_privilege(void)
{
    const char *why = NULL;
    /* From the auxiliary vector: no system call. */
    if (getauxval(AT_UID) != getauxval(AT_EUID)) {
        why = "set-user-ID";
    } else if (getauxval(AT_GID) != getauxval(AT_EGID)) {
        why = "set-group-ID";
    } else if (getauxval(AT_SECURE)) {
        bool known;
        const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
        if (has_file_capabilities("/proc/self/exe", &known) ||
            (!known && name && has_file_capabilities(name, &known)) || !known)
            why = "with file capabilities";
    }
    if (!why)
        return 0;
    int result = fail(EPERM, "cannot run %s", why);
    error_hint("it would lend its privilege to every user; chmod ug-s and setcap -r its file");
    return result;
}
