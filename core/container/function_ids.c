/* Which ids a function gets.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/function_ids.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/linux/capability.h"
#include "core/linux/idmap.h"
#include "core/linux/namespace.h"
#include "core/linux/rootless.h"

#define ROOT_DEFAULT 100000
#define IDS          65536

static int read_id(const char *name, const char *text, uint32_t *id)
{
    *id = ROOT_DEFAULT;
    if (!text)
        return 0;
    if (parse_id(text, id) < 0 || *id > ID_MAX - IDS + 1)
        return fail_usage("option --%s: '%s' is no id that %u more can follow", name, text,
                          IDS - 1);
    return 0;
}

/* In a user namespace that is not the initial one these ids need not exist. */
static bool are_mapped(const char *path, uint32_t first)
{
    autotext struct text text = {0};
    bool mapped = read_file(AT_FDCWD, path, 65536, &text) == 0 && text.data &&
                  own_map_holds(text.data, first, IDS);
    error_clear();
    return mapped;
}

int function_choose_ids(struct idmaps *maps, const char *root_uid, const char *root_gid)
{
    bool asked = root_uid || root_gid;
    uint32_t uid;
    uint32_t gid;
    int result = read_id("root-uid", root_uid, &uid);
    if (result == 0)
        result = read_id("root-gid", root_gid, &gid);
    if (result < 0)
        return result;
    bool able = capability_have(CAP_SETUID) && capability_have(CAP_SETGID);
    if (asked && !able) {
        result = fail(EPERM, "cannot map ids from %u on", uid);
        error_hint("it takes CAP_SETUID and CAP_SETGID; without --root-uid and --root-gid the "
                   "subordinate ids of the caller are used, or its own");
        return result;
    }
    if (able && !asked && namespace_own_is_initial(NAMESPACE_USER) != 1)
        able = are_mapped("/proc/self/uid_map", uid) && are_mapped("/proc/self/gid_map", gid);
    if (!able)
        return idmaps_by_word(maps, "auto");
    result = idmap_add(&maps->uid, "uid map", 0, uid, IDS);
    return result < 0 ? result : idmap_add(&maps->gid, "gid map", 0, gid, IDS);
}
