/* Session keyrings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/keyring.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/sys.h"

/* Permission bits of keyrings(7); these have no name in the kernel's public headers. */
#define OTHERS_SEARCH 0x00000008UL
#define OWNER_SEARCH  0x00080000UL

static int fail_join(int number)
{
    /* Without keyrings, or with a filter that the program will have as well, there is nothing to
     * protect. join answers EPERM by itself only for names that start with a dot. */
    if (number == ENOSYS || number == EPERM)
        return 0;
    int result = fail(number, "cannot join a new session keyring");
    if (number == EDQUOT)
        error_hint("the user's keys are used up, see /proc/sys/kernel/keys and --no-new-keyring");
    return result;
}

/* The answer of KEYCTL_DESCRIBE is "type;uid;gid;permissions;name". */
static int next_number(char **at, int base, unsigned long *number)
{
    char *field = strchr(*at, ';');
    if (!field)
        return -1;
    *number = strtoul(field + 1, at, base);
    return **at == ';' ? 0 : -1;
}

int keyring_join(const char *name, bool search_by_others)
{
    long ring = sys_keyctl(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)(uintptr_t)name, 0, 0);
    if (ring < 0)
        return fail_join(errno);
    char text[512];
    long length = sys_keyctl(KEYCTL_DESCRIBE, (unsigned long)ring, (unsigned long)(uintptr_t)text,
                             sizeof(text));
    char *at = text;
    unsigned long uid;
    unsigned long gid;
    unsigned long permissions;
    if (length < 0)
        return fail(errno, "cannot examine the session keyring");
    text[sizeof(text) - 1] = '\0';
    if (next_number(&at, 10, &uid) < 0 || next_number(&at, 10, &gid) < 0 ||
        next_number(&at, 16, &permissions) < 0)
        return fail(EPROTO, "cannot examine the session keyring");
    /* Whoever lets others search a keyring of this name would have us use theirs. */
    if (uid != geteuid())
        return fail(EPERM, "session keyring %s belongs to uid %lu", name ? name : "", uid);
    permissions |= search_by_others ? OTHERS_SEARCH : OWNER_SEARCH;
    if (sys_keyctl(KEYCTL_SETPERM, (unsigned long)ring, permissions, 0) < 0)
        return fail(errno, "cannot make the session keyring searchable");
    return 0;
}
