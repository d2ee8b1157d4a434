/* Namespaces kept by a file that they are bound on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/capability.h"
#include "core/linux/mount.h"
#include "core/linux/sys.h"

int pin_namespace(int namespace, int directory, const char *name, const char *path)
{
    step("bind the namespace on %s", path);
    autoclose int file =
        openat(directory, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (file < 0)
        return fail(errno, "cannot create %s", path);
    autoclose int mount = mount_clone(namespace, "", false);
    int result = mount < 0 ? mount : mount_attach(mount, file, path);
    if (result == -EPERM && !capability_have(CAP_SYS_ADMIN))
        error_hint("mounting needs CAP_SYS_ADMIN; an ordinary user has it within: shimbox unshare "
                   "--map-root-user --mount");
    if (result < 0)
        unlinkat(directory, name, 0);
    return result;
}

bool pin_exists(int directory, const char *name, enum namespace_type type)
{
    autoclose int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && namespace_has_type(fd, type);
}

int pin_remove(const char *path, enum namespace_type type)
{
    if (!pin_exists(AT_FDCWD, path, type)) {
        if (access(path, F_OK) < 0)
            return fail(errno, "cannot find %s", path);
        return fail(EINVAL, "%s is not a %s namespace", path, namespace_name(type));
    }
    step("remove %s", path);
    if (sys_umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        return fail(errno, "cannot unmount %s", path);
    return unlink(path) < 0 ? fail(errno, "cannot remove %s", path) : 0;
}
