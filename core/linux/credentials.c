/* Who this process is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/device.h"
#include "core/linux/sys.h"

/* The plain system calls, and not libc's, which block all signals around each, for the sake of
 * threads that there are not. */

/* EINVAL from set*id means that the id has no mapping in this user namespace. */
static int fail_id(int number, const char *what, uint32_t id)
{
    int result = fail(number, "cannot become %s %u", what, id);
    if (number == EINVAL)
        error_hint("%s %u is not mapped in this user namespace", what, id);
    return result;
}

static int set_groups(const uint32_t *groups, size_t count)
{
    if (sys_setgroups(count, groups) == 0)
        return 0;
    int number = errno;
    if (number == EPERM && count == 0)
        return 0;
    int result = fail(number, "cannot set %zu additional groups", count);
    if (number == EPERM)
        error_hint("setgroups is denied in this user namespace; map a range of gids");
    else if (number == EINVAL)
        error_hint("a group is not mapped in this user namespace");
    return result;
}

int credentials_set(uint32_t uid, uint32_t gid, const uint32_t *groups, size_t group_count)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return fail(errno, "cannot keep capabilities");
    int result = set_groups(groups, group_count);
    if (result < 0)
        return result;
    if (sys_setresgid(gid, gid, gid) < 0)
        return fail_id(errno, "gid", gid);
    if (sys_setresuid(uid, uid, uid) < 0)
        return fail_id(errno, "uid", uid);
    return 0;
}

int credentials_become(const uint32_t *uid, const uint32_t *gid, bool lenient)
{
    if (gid) {
        if (sys_setgroups(0, NULL) < 0 && !(lenient && errno == EPERM)) {
            int result = fail(errno, "cannot drop the additional groups");
            error_hint("setgroups is denied in this user namespace");
            return result;
        }
        if (sys_setresgid(*gid, *gid, *gid) < 0)
            return fail_id(errno, "gid", *gid);
    }
    if (uid && sys_setresuid(*uid, *uid, *uid) < 0)
        return fail_id(errno, "uid", *uid);
    return 0;
}

int credentials_enter_root(void)
{
    /* EINVAL: no root here (the caller's own id mapped to itself); then we stay who we are. */
    if (sys_setresgid(0, 0, 0) < 0 && errno != EINVAL)
        return fail(errno, "cannot become group root of the user namespace");
    if (sys_setgroups(0, NULL) < 0 && errno != EPERM)
        return fail(errno, "cannot drop the caller's groups");
    if (sys_setresuid(0, 0, 0) < 0 && errno != EINVAL)
        return fail(errno, "cannot become root of the user namespace");
    return 0;
}

int credentials_own_stdio(uint32_t uid)
{
    for (int fd = 0; fd <= 2; fd++) {
        struct stat status;
        if (fstat(fd, &status) < 0) {
            if (errno == EBADF)
                continue;
            return fail(errno, "cannot examine standard stream %d", fd);
        }
        if (status.st_uid == uid || device_is(&status, 1, 3))
            continue;
        /* EPERM: somebody else's; EINVAL: an id without a mapping; EROFS: a read-only file system.
         * The program can still use the descriptor, only not open it again. */
        if (fchown(fd, uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL && errno != EROFS)
            return fail(errno, "cannot give standard stream %d to uid %u", fd, uid);
    }
    return 0;
}
