/* The file systems of a container by themselves.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/idmap.h"
#include "core/container/setup.h"
#include "core/container/sync.h"
#include "core/linux/capability.h"
#include "core/linux/mount.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

/* A clone takes no unbindable mount along; and who maps ids is not known here, unless the mount
 * says it. */
static int check_mount(const struct container *container, size_t i, enum tree_use use)
{
    const struct mount_options *options = &container->options[i];
    char field[48];
    int result = 0;
    snprintf(field, sizeof(field), "/mounts/%zu/options", i);
    if (options->idmap && container->config->mounts[i].maps.uid.count == 0) {
        result = fail_config(field, "idmap needs uidMappings and gidMappings here");
        error_hint("a directory can be idmapped before: idmap-mount");
    } else if (options->propagation == MS_UNBINDABLE && use == TREE_DETACH) {
        result = fail_config(field, "an unbindable mount can only be had with --pivot");
    }
    return result;
}

int tree_check(struct config *config, enum tree_use use)
{
    struct container container;
    memset(config->namespaces, 0, sizeof(config->namespaces));
    config->root_path = NULL;
    config->process.terminal = false;
    /* Those of NEXT are not known: as if it had all. */
    config->process.capabilities.permitted = UINT64_MAX;
    container_init(&container, config);
    int result = container_parse_mounts(&container);
    for (size_t i = 0; result == 0 && i < config->mount_count; i++)
        result = check_mount(&container, i, use);
    container_free(&container);
    return result;
}

static int open_directory(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? fail(errno, "cannot open root file system %s", path) : fd;
}

static int prepare(struct container *container)
{
    container->privileged = capability_have(CAP_SYS_ADMIN);
    if (!container->privileged) {
        int result = fail(EPERM, "cannot mount anything");
        error_hint("put this before: unshare --map-root-user --mount --");
        return result;
    }
    if (container->rootfs) {
        autoclose int directory = open_directory(container->rootfs);
        if (directory < 0)
            return directory;
    }
    /* It may be missing, where it is not needed. */
    container->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = container_parse_mounts(container);
    if (result == 0)
        result = labels_prepare_mounts(container);
    if (result == 0)
        result = idmap_prepare(container);
    /* What is mounted in it must not come to whoever shares it. */
    if (result == 0 && container->root >= 0)
        result = mount_set_propagation(container->root, MS_SLAVE, true);
    return result;
}

int tree_enter(struct container *container)
{
    int result = prepare(container);
    step("enter a new mount namespace");
    if (result == 0 && sys_unshare(CLONE_NEWNS) < 0)
        result = fail(errno, "cannot create a mount namespace");
    if (result < 0)
        return result;
    /* What is made has exactly the modes that it is given. */
    mode_t mask = umask(0);
    result = setup_enter_tree(container);
    umask(mask);
    trace_flush();
    return result;
}

static _Noreturn void make(struct container *container, int channel)
{
    trace_child("tree");
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    umask(0);
    int result = setup_detach_tree(container);
    trace_flush();
    if (result < 0 || sync_send_fd(channel, SYNC_TREE, container->root) < 0)
        sync_send_error(channel);
    _exit(0);
}

static int make_in_child(struct container *container)
{
    int ends[2] = {-1, -1};
    int result = sync_open(ends);
    autoclose int channel = ends[0];
    autoclose int child_end = ends[1];
    autoclose int tree = -1;
    autoprocess struct process child = NO_PROCESS;
    if (result < 0)
        return result;
    pid_t pid = process_clone(CLONE_NEWNS, -1, &child);
    if (pid < 0)
        return pid;
    if (pid == 0) {
        close(channel);
        make(container, child_end);
    }
    close_fd(&child_end);
    if (sync_receive(channel, &tree) == SYNC_TREE && tree >= 0)
        return take_fd(&tree);
    return error_is_set() ? -EINVAL : fail(EPIPE, "the process that mounts is gone");
}

int tree_make(struct container *container)
{
    int result = prepare(container);
    return result < 0 ? result : make_in_child(container);
}

int tree_cover(struct container *container)
{
    const char *path = container->rootfs;
    autoclose int target = open_directory(path);
    if (target < 0)
        return target;
    step("open the root file system");
    container->rootfs = NULL;
    container->root = mount_clone(target, "", true);
    if (container->root < 0) {
        error_hint("in a mount namespace of this user's own: unshare --map-root-user --mount --");
        return container->root;
    }
    autoclose int tree = tree_make(container);
    if (tree < 0)
        return tree;
    step("attach the tree on %s", path);
    return mount_attach(tree, target, path);
}
