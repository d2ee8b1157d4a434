/* The container's root directory: attached, then made the root.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/layer.h"
#include "core/container/setup.h"
#include "core/linux/mount.h"
#include "core/linux/root.h"
#include "core/oci/config.h"

static bool joins_mount_namespace(const struct container *container)
{
    return container->config->namespaces[NAMESPACE_MOUNT].path != NULL;
}

/* A detached mount of the root directory, unless that is there already. */
static int open_root(struct container *container)
{
    const char *path = container->rootfs ? container->rootfs : container->config->root_path;
    if (container->embedded_root) {
        container->root = setup_embedded_root(container);
    } else if (path && container->layer.overlay) {
        container->root = layer_open(container, path);
    } else if (path) {
        step("open the root file system");
        autoclose int pinned = take_fd(&container->root);
        container->root = mount_clone_locked(path, true, &pinned);
    }
    return container->root < 0 ? container->root : 0;
}

/* The root is attached on top of "/", the one directory that exists everywhere. Paths that start at
 * this process's root do not notice: its root is below the new mount, not on it. */
int setup_attach_root(struct container *container)
{
    if (joins_mount_namespace(container)) {
        container->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return container->root < 0 ? fail(errno, "cannot open the root directory") : 0;
    }
    int result = open_root(container);
    if (result < 0)
        return result;
    step("attach the root file system");
    autoclose int target = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0)
        return fail(errno, "cannot open the root directory");
    return mount_attach(container->root, target, "/");
}

/* May anything in the container come to unmount? Who has CAP_SYS_ADMIN, or root by executing a
 * file. Others can only by a user namespace of their own, where everything is locked anyway. */
static bool can_unmount(const struct container *container)
{
    const struct config_process *process = &container->config->process;
    uint64_t reachable = process->capabilities.permitted;
    if (!process->no_new_privileges)
        reachable |= process->capabilities.bounding;
    return reachable & (UINT64_C(1) << CAP_SYS_ADMIN);
}

int setup_pivot(struct container *container)
{
    bool lock = can_unmount(container);
    if (joins_mount_namespace(container))
        return 0;
    if (!container->no_pivot)
        return root_enter(container->proc, &container->root, lock);
    if (fchdir(container->root) < 0)
        return fail(errno, "cannot enter the root file system");
    return root_cover(container->proc, &container->root, lock);
}
