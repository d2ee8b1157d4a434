/* The container's root directory: attached, then made the root.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/linux/mount.h"
#include "core/linux/mountinfo.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

static bool joins_mount_namespace(const struct container *container)
{
    return container->config->namespaces[NAMESPACE_MOUNT].path != NULL;
}

/* A detached mount of the root directory. */
static int open_root(struct container *container)
{
    const char *path = container->rootfs ? container->rootfs : container->config->root_path;
    if (container->embedded_root) {
        container->root = setup_embedded_root(container);
    } else {
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

/* Nothing may be left of a proc or sysfs of the host. One that cannot be unmounted, because it is
 * locked to what it is mounted on (mount_namespaces(7)), is covered. */
static int hide_mount(const char *path)
{
    if (sys_umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    autoclose int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct statfs system;
    /* Not there: it is one of the container's own, which are not below this root. */
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0 || fstatfs(fd, &system) < 0)
        return fail(errno, "cannot examine %s, to hide it", path);
    if (system.f_type != PROC_SUPER_MAGIC && system.f_type != SYSFS_MAGIC)
        return 0;
    static const char *const words[] = {"ro", "nosuid", "nodev", "noexec", "nr_inodes=1", NULL};
    struct mount_options options;
    int result = mount_options_parse(&options, words, NULL);
    autoclose int cover = result < 0 ? result : mount_create("tmpfs", "tmpfs", &options);
    mount_options_free(&options);
    return cover < 0 ? cover : mount_attach(cover, fd, path);
}

/* With chroot the host's mounts stay in the namespace. A complete proc or sysfs among them would
 * allow who makes a user namespace in the container to mount a new one, in which nothing is masked
 * (GHSA-fh74-hm69-rqjw). */
static int hide_kernel_mounts(const struct container *container)
{
    autotext struct text mounts = {0};
    int result = read_file(container->proc, "self/mountinfo", 64 << 20, &mounts);
    char *rest = mounts.data;
    struct mountinfo mount;
    int found = 1;
    while (result == 0 && found != 0) {
        found = mountinfo_next(&rest, &mount);
        if (found > 0 && (strcmp(mount.type, "proc") == 0 || strcmp(mount.type, "sysfs") == 0))
            result = hide_mount(mount.point);
    }
    return result;
}

/* pivot_root with both directories the same puts the old root on top of the new one, from where it
 * is taken away: no directory is needed to hold it. */
int setup_pivot(struct container *container)
{
    if (joins_mount_namespace(container))
        return 0;
    if (fchdir(container->root) < 0)
        return fail(errno, "cannot enter the root file system");
    if (container->no_pivot) {
        step("hide proc and sysfs of the host");
        int result = hide_kernel_mounts(container);
        if (result < 0)
            return result;
        step("chroot");
        /* The new root covers the old one, so whoever gets out of the chroot lands in it again. */
        if (chroot(".") < 0)
            return fail(errno, "cannot change the root directory");
        return 0;
    }
    step("pivot_root");
    if (sys_pivot_root(".", ".") < 0) {
        int result = fail(errno, "cannot make the root file system the root");
        error_hint("where the host runs from an initramfs, use --no-pivot");
        return result;
    }
    step("detach the host's root");
    if (sys_umount2(".", MNT_DETACH) < 0)
        return fail(errno, "cannot detach the host's root");
    if (chdir("/") < 0)
        return fail(errno, "cannot enter the root file system");
    return 0;
}
