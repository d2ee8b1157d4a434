/* Another process in a container that is there already.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/join.h"

#include <stdio.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/target.h"
#include "core/oci/config.h"

int join_config(struct join *join, struct config *config, int pidfd)
{
    autotarget struct target target = NO_TARGET;
    step("look for the namespaces to join");
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        if (config->namespaces[type].wanted)
            return fail_config("/linux/namespaces", "must be empty with a process to join");
    }
    int result = target_open_pidfd(&target, pidfd);
    for (int type = 0; result >= 0 && type < NAMESPACE_TYPES; type++) {
        autoclose int fd = target_namespace(&target, (enum namespace_type)type);
        result = fd < 0 ? fd : namespace_is_own(fd, (enum namespace_type)type);
        if (result != 0)
            continue;
        snprintf(join->paths[type], sizeof(join->paths[type]), "/proc/%d/ns/%s", (int)target.pid,
                 namespace_file((enum namespace_type)type));
        config->namespaces[type].wanted = true;
        config->namespaces[type].path = join->paths[type];
    }
    return result < 0 ? result : 0;
}
