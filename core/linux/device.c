/* Device nodes in a container's /dev.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A node is believed to be what it should be only after its inode was examined through a
 * descriptor: images have symbolic links and pipes under the names of devices.
 */
#include "core/linux/device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/mount.h"
#include "core/linux/sys.h"

static bool same_device(const struct stat *status, const struct device *device)
{
    if ((status->st_mode & S_IFMT) != device->type)
        return false;
    return device->type == S_IFIFO || status->st_rdev == makedev(device->major, device->minor);
}

/* Open the node that is called name, and refuse anything but this device. */
static int open_checked(int directory, const char *name, const char *path,
                        const struct device *device)
{
    autoclose int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(errno, "cannot open device %s", path);
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail(errno, "cannot examine device %s", path);
    if (!same_device(&status, device)) {
        return fail(EEXIST, "%s exists, and is not the device %u:%u", path, device->major,
                    device->minor);
    }
    return take_fd(&fd);
}

int device_make(int directory, const char *name, const char *path, const struct device *device)
{
    dev_t number = device->type == S_IFIFO ? 0 : makedev(device->major, device->minor);
    if (mknodat(directory, name, device->type | device->mode, number) == 0) {
        /* The umask is 0 here, so the mode is right; the owner need not be. */
        if (device->uid == 0 && device->gid == 0)
            return 0;
        /* What is given away is the device, not what somebody has put in its place. */
        autoclose int made = open_checked(directory, name, path, device);
        if (made < 0)
            return made;
        if (fchownat(made, "", device->uid, device->gid, AT_EMPTY_PATH) < 0)
            return fail(errno, "cannot change the owner of %s", path);
        return 0;
    }
    if (errno == EPERM)
        return -EPERM;
    if (errno != EEXIST)
        return fail(errno, "cannot create device %s", path);
    /* An earlier container that had to bind has left a plain file to bind on. */
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
        return -EPERM;
    autoclose int fd = open_checked(directory, name, path, device);
    return fd < 0 ? fd : 0;
}

int device_bind(int directory, const char *name, const char *path, const struct device *device)
{
    autoclose int source = mount_clone(AT_FDCWD, path, false);
    if (source < 0) {
        error_hint("this user may not create device nodes, so the host's are needed");
        return source;
    }
    struct stat status;
    if (fstat(source, &status) < 0)
        return fail(errno, "cannot examine device %s", path);
    if (!same_device(&status, device))
        return fail(ENODEV, "the host's %s is not the device %u:%u", path, device->major,
                    device->minor);
    if (mknodat(directory, name, S_IFREG | 0666, 0) < 0 && errno != EEXIST)
        return fail(errno, "cannot create %s to bind the device on", path);
    autoclose int target = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return fail(errno, "cannot open %s to bind the device on", path);
    if (fstat(target, &status) < 0)
        return fail(errno, "cannot examine %s to bind the device on", path);
    if (S_ISLNK(status.st_mode) || S_ISDIR(status.st_mode))
        return fail(EEXIST, "%s exists, and is neither file nor device", path);
    return mount_attach(source, target, path);
}

bool device_is(const struct stat *status, uint32_t major, uint32_t minor)
{
    const struct device device = {.type = S_IFCHR, .major = major, .minor = minor};
    return same_device(status, &device);
}

int device_link(int directory, const char *name, const char *target)
{
    if (symlinkat(target, directory, name) == 0)
        return 0;
    int number = errno;
    char found[64];
    ssize_t length = number == EEXIST ? readlinkat(directory, name, found, sizeof(found)) : -1;
    if (length == (ssize_t)strlen(target) && memcmp(found, target, (size_t)length) == 0)
        return 0;
    /* A node ptmx is as good as a link: the kernel looks for the directory pts beside it. */
    static const struct device ptmx = {.type = S_IFCHR, .major = 5, .minor = 2};
    struct stat status;
    if (strcmp(name, "ptmx") == 0 && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        same_device(&status, &ptmx))
        return 0;
    return fail(number, "cannot link /dev/%s to %s", name, target);
}
