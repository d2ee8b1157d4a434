/* Changing the root directory of a mount namespace.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/root.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/mount.h"
#include "core/linux/sys.h"

/* With both directories the same, pivot_root puts the old root on top of the new one, from where it
 * is taken away: no directory is needed to hold it. */
int root_enter(int proc, int *root, bool lock)
{
    if (fchdir(*root) < 0)
        return fail(errno, "cannot enter the new root directory");
    step("pivot_root");
    if (sys_pivot_root(".", ".") < 0) {
        int number = errno;
        if (number == EINVAL && proc >= 0 && root_is_rootfs(proc))
            return root_cover(proc, root, lock);
        int result = fail(number, "cannot make the new root directory the root");
        if (number == EINVAL && proc < 0)
            error_hint("in an initramfs this takes /proc");
        return result;
    }
    step("detach the host's root");
    if (sys_umount2(".", MNT_DETACH) < 0)
        return fail(errno, "cannot detach the old root");
    return chdir("/") < 0 ? fail(errno, "cannot enter the new root directory") : 0;
}

int root_change(int mount)
{
    autoclose int target = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0)
        return fail(errno, "cannot open the root directory");
    int result = mount_attach(mount, target, "/");
    if (result < 0)
        return result;
    autoclose int root = fcntl(mount, F_DUPFD_CLOEXEC, 3);
    if (root < 0)
        return fail(errno, "cannot keep the new root directory");
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root_enter(proc, &root, true);
}

int root_pivot(const char *path)
{
    autoclose int mount = mount_clone(AT_FDCWD, path, true);
    return mount < 0 ? mount : root_change(mount);
}

int root_chroot(const char *path)
{
    if (chroot(path) < 0 || chdir("/") < 0)
        return fail(errno, "cannot change the root directory to %s", path);
    return 0;
}
