/* The privileges of this process, changed together.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/trace.h"

static int fail_ids(int number, const char *what)
{
    int result = fail(number, "cannot set the %s", what);
    if (number == EINVAL)
        error_hint("the id is not mapped in this user namespace");
    else if (number == EPERM)
        error_hint("needs CAP_SETUID and CAP_SETGID");
    return result;
}

static int set_ids(const struct privilege *privilege)
{
    /* The saved id follows the effective one, so that nothing of the old can be taken up again. */
    uid_t euid = privilege->euid.given ? privilege->euid.id : (uid_t)-1;
    uid_t ruid = privilege->ruid.given ? privilege->ruid.id : (uid_t)-1;
    gid_t egid = privilege->egid.given ? privilege->egid.id : (gid_t)-1;
    gid_t rgid = privilege->rgid.given ? privilege->rgid.id : (gid_t)-1;
    if (privilege->set_groups && setgroups(privilege->group_count, privilege->groups) < 0) {
        int number = errno;
        int result = fail(number, "cannot set the additional groups");
        error_hint(number == EPERM ? "needs CAP_SETGID, and setgroups allowed in the user namespace"
                                   : "a group is not mapped in this user namespace");
        return result;
    }
    step("set user and group");
    if ((privilege->rgid.given || privilege->egid.given) && setresgid(rgid, egid, egid) < 0)
        return fail_ids(errno, "group");
    if ((privilege->ruid.given || privilege->euid.given) && setresuid(ruid, euid, euid) < 0)
        return fail_ids(errno, "user");
    return 0;
}

/* Leaving uid 0 empties the effective set; what is permitted still is taken up again, since the
 * steps that follow need it. What the program gets is settled by the sets, and by its exec. */
static int become(const struct privilege *privilege, const struct capability_sets *before)
{
    int securebits = prctl(PR_GET_SECUREBITS);
    bool kept = securebits >= 0 && (securebits & SECBIT_KEEP_CAPS_LOCKED);
    if (!kept && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return fail(errno, "cannot keep capabilities");
    int result = set_ids(privilege);
    struct capability_sets now;
    if (result == 0)
        result = capability_need(&now);
    if (result < 0)
        return result;
    now.effective = before->effective & now.permitted;
    return capability_apply(&now);
}

static int set_securebits(const struct privilege *privilege)
{
    if (!privilege->set_securebits)
        return 0;
    step("set the securebits");
    if (prctl(PR_SET_SECUREBITS, privilege->securebits, 0, 0, 0) == 0)
        return 0;
    int result = fail(errno, "cannot set the securebits");
    error_hint("needs CAP_SETPCAP, and bits that are not locked");
    return result;
}

static int set_capabilities(const struct privilege *privilege)
{
    const struct capability_sets *wanted = &privilege->capabilities;
    struct capability_sets sets;
    int result = privilege->set_bounding ? capability_bound(wanted->bounding) : 0;
    if (result == 0)
        result = capability_need(&sets);
    if (result < 0 ||
        !(privilege->set_inheritable || privilege->set_permitted || privilege->set_ambient))
        return result;
    if (privilege->set_inheritable)
        sets.inheritable = wanted->inheritable;
    if (privilege->set_permitted) {
        sets.permitted = wanted->permitted;
        sets.effective = wanted->effective & wanted->permitted;
    }
    sets.ambient =
        privilege->set_ambient ? wanted->ambient : sets.ambient & sets.inheritable & sets.permitted;
    return capability_apply(&sets);
}

int privilege_apply(const struct privilege *privilege)
{
    struct capability_sets before;
    int result = capability_need(&before);
    bool ids = privilege->ruid.given || privilege->euid.given || privilege->rgid.given ||
               privilege->egid.given || privilege->set_groups;
    if (result == 0 && ids)
        result = become(privilege, &before);
    if (result == 0)
        result = set_securebits(privilege);
    return result < 0 ? result : set_capabilities(privilege);
}
