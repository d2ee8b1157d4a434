/* What a container's root file system is seen through.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/idmap.h"
#include "core/linux/copy.h"
#include "core/linux/mount.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

/* A device in a root file system that the container owns would be at its disposal. And a clone that
 * the parent has made belongs to the peers of the host's mount: what is mounted on one is on all.
 */
static const struct mount_options of_our_own = {.set = MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE};

static int clone(const char *path)
{
    autoclose int mount = mount_clone(AT_FDCWD, path, false);
    if (mount == -EINVAL) {
        error_clear();
        int result = fail(EINVAL, "cannot leave out what is mounted below %s", path);
        error_hint("that takes CAP_SYS_ADMIN; use a directory without mounts below it");
        return result;
    }
    int result = mount < 0 ? mount : mount_change(mount, &of_our_own, -1);
    return result < 0 ? result : take_fd(&mount);
}

int layer_pin(struct container *container, const char *path)
{
    struct root_layer *layer = &container->layer;
    if (!container->privileged)
        return 0;
    container->root = clone(path);
    int result = container->root < 0 ? container->root : 0;
    if (result == 0 && layer->scratch) {
        layer->changes = clone(layer->scratch);
        result = layer->changes < 0 ? layer->changes : 0;
    }
    return result;
}

int layer_idmap(const struct container *container, const struct process *child)
{
    static const struct mount_options ids = {.idmap = true};
    if (!container->layer.idmap || container->root < 0)
        return 0;
    step("idmap the root file system");
    autoclose int userns = idmap_open_own(container, child);
    if (userns < 0)
        return userns;
    int result = mount_change(container->root, &ids, userns);
    if (result != -EINVAL && result != -EPERM && result != -EOPNOTSUPP)
        return result;
    error_clear();
    if (!*container->layer.told)
        report_warning(
            "the root file system cannot be idmapped here: its owners are nobody inside");
    *container->layer.told = true;
    return 0;
}

/* "upper" and "work" in a new tmpfs; the upper one looks like the root that it lies on. */
static int make_places(int changes, int lower)
{
    struct stat status;
    if (fstat(lower, &status) < 0)
        return fail(errno, "cannot examine the root file system");
    if (mkdirat(changes, "upper", status.st_mode & 07777) == 0 &&
        mkdirat(changes, "work", 0700) == 0)
        return 0;
    bool nobody = errno == EOVERFLOW;
    int result = fail(errno, "cannot make room for changes");
    if (nobody)
        error_hint("it takes the ids 0 in the maps");
    return result;
}

static int open_changes(struct container *container, int lower)
{
    struct root_layer *layer = &container->layer;
    const struct mount_options options = {.set = MOUNT_ATTR_NODEV,
                                          .label = container->config->mount_label};
    if (layer->changes >= 0)
        return take_fd(&layer->changes);
    if (layer->scratch)
        return clone(layer->scratch);
    step("make a tmpfs for changes");
    autoclose int changes = mount_create("tmpfs", "changes", &options);
    int result = changes < 0 ? changes : make_places(changes, lower);
    return result < 0 ? result : take_fd(&changes);
}

/* By descriptors, so that no path needs escapes. A user namespace has no right to trusted.*, so
 * what overlayfs notes there goes to user.* (Linux 5.11). Nothing of it outlives a crash, so
 * nothing is synced. */
static int overlay(const struct container *container, int lower, int changes)
{
    char lowerdir[64];
    char upperdir[64];
    char workdir[64];
    const char *words[] = {lowerdir, upperdir, workdir, "volatile", "userxattr"};
    struct mount_options options = {
        .set = MOUNT_ATTR_NODEV,
        .filesystem = {words, container->new_user ? 5 : 4},
    };
    snprintf(lowerdir, sizeof(lowerdir), "lowerdir=/proc/self/fd/%d", lower);
    snprintf(upperdir, sizeof(upperdir), "upperdir=/proc/self/fd/%d/upper", changes);
    snprintf(workdir, sizeof(workdir), "workdir=/proc/self/fd/%d/work", changes);
    return mount_create("overlay", "overlay", &options);
}

/* No overlayfs in this kernel, not for us, or not on such file systems: below Linux 5.19 not on one
 * that is idmapped. */
static bool is_lack(int result)
{
    return result == -ENODEV || result == -EPERM || result == -EINVAL || result == -EOPNOTSUPP;
}

static int copy(int lower, int changes, const char *path)
{
    step("copy the root file system");
    error_clear();
    autoclose int upper = mount_clone(changes, "upper", false);
    int result = upper < 0 ? upper : copy_tree(lower, upper, path, COPY_LENIENT);
    return result < 0 ? result : take_fd(&upper);
}

int layer_open(struct container *container, const char *path)
{
    step("open the root file system");
    autoclose int lower = container->root >= 0 ? take_fd(&container->root) : clone(path);
    autoclose int changes = lower < 0 ? lower : open_changes(container, lower);
    if (changes < 0)
        return changes;
    int result = mount_attach_path(lower, "/");
    if (result == 0)
        result = mount_attach_path(changes, "/");
    if (result < 0)
        return result;
    step("make an overlay");
    autoclose int root = overlay(container, lower, changes);
    if (is_lack(root))
        root = copy(lower, changes, path);
    if (root < 0)
        return root;
    /* One lies on the other. Left on top of the host's root they would be what is detached when the
     * root is changed, in its place; to detach them now would mean to wait twice for all readers of
     * mounts. Over the host's /proc, which by its path is not needed any more, they go with it. */
    result = mount_attach_path(lower, "/proc");
    return result < 0 ? result : take_fd(&root);
}
