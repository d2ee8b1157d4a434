/* What the hooks of a container are told of it that has no state on disk.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/told.h"

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/container/bundle.h"
#include "core/container/container.h"
#include "core/oci/config.h"

int told_prepare(struct told *told, struct container *container, bool has_parent)
{
    static const enum hook_type outer[] = {HOOK_PRESTART, HOOK_CREATE_RUNTIME, HOOK_POSTSTART,
                                           HOOK_POSTSTOP};
    const struct hooks *hooks = container->config->hooks;
    for (size_t i = 0; !has_parent && i < sizeof(outer) / sizeof(outer[0]); i++) {
        if (hooks[outer[i]].count > 0)
            return fail_config("/hooks", "but for createContainer and startContainer, they are for "
                                         "a parent (--sync-fd)");
    }
    if (hooks[HOOK_CREATE_CONTAINER].count + hooks[HOOK_START_CONTAINER].count == 0)
        return 0;
    if (!container->id)
        return fail_config("/hooks", "hooks are told of a container by its ID: --id ID");
    int result = bundle_name(container->config, container->rootfs, &told->bundle, &told->rootfs);
    if (result == 0)
        result = record_init(&told->record, container->config, container->id, told->bundle,
                             told->rootfs);
    if (result == 0)
        container->record = &told->record;
    return result;
}

void told_free(struct told *told)
{
    free_pointer(&told->bundle);
    free_pointer(&told->rootfs);
}
