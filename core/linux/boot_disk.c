/* The device that a machine's bundle or system is on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/superblock.h"
#include "core/linux/sys.h"

#ifndef MS_RDONLY
#define MS_RDONLY 1
#endif

/* Open it once it is there. Devices are found while process 1 runs already. */
static int wait_for_device(const char *path, uint32_t seconds)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    step("wait for %s", path);
    for (uint32_t left = seconds * 100;; left--) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        /* ENXIO and its like: there is a node already, and no device behind it yet. */
        if (fd >= 0 || (errno != ENOENT && errno != ENXIO && errno != ENODEV))
            return fd >= 0 ? fd : fail(errno, "cannot open device %s", path);
        if (left == 0)
            break;
        nanosleep(&moment, NULL);
    }
    int result = fail(errno, "device %s did not come within %u s", path, seconds);
    error_hint("its modules: shimbox.modules=...; a longer time: shimbox.wait=SECONDS");
    return result;
}

static int find_type(int fd, const char *path, struct superblock *found)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISBLK(status.st_mode))
        return fail(ENOTBLK, "cannot mount %s", path);
    int result = superblock_read(fd, found);
    if (result < 0)
        return fail(-result, "cannot read device %s", path);
    if (!found->types[0])
        return fail(EINVAL, "there is no file system that is known on %s", path);
    if (strchr(found->types, ' '))
        return fail(EINVAL, "%s has the marks of several file systems: %s", path, found->types);
    return 0;
}

static int make_directory(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : fail(errno, "cannot make %s", path);
}

/* It is mounted on what it covers, which it holds. */
static int mount_overlay(void)
{
    static const char options[] =
        "lowerdir=" BOOT_DEVICE ",upperdir=" BOOT_OVERLAY "/upper,workdir=" BOOT_OVERLAY "/work";
    if (make_directory(BOOT_OVERLAY) < 0)
        return -EIO;
    step("mount an overlay on " BOOT_DEVICE);
    if (sys_mount("overlay", BOOT_OVERLAY, "tmpfs", 0, "mode=755") < 0)
        return fail(errno, "cannot mount a tmpfs on " BOOT_OVERLAY);
    if (make_directory(BOOT_OVERLAY "/upper") < 0 || make_directory(BOOT_OVERLAY "/work") < 0)
        return -EIO;
    if (sys_mount("overlay", BOOT_DEVICE, "overlay", 0, options) == 0)
        return 0;
    int result = fail(errno, "cannot mount an overlay on " BOOT_DEVICE);
    if (result == -ENODEV)
        error_hint("its module: shimbox.modules=overlay");
    return result;
}

int boot_mount_device(const struct boot_settings *settings)
{
    struct superblock found;
    autoclose int fd = wait_for_device(settings->device, settings->wait);
    int result = fd < 0 ? fd : find_type(fd, settings->device, &found);
    if (result == 0)
        result = make_directory(BOOT_DEVICE);
    if (result < 0)
        return result;
    /* Only a system that is handed over to may own its disk. */
    bool writable = settings->writable && settings->switch_root && !settings->overlay;
    step("mount %s, a %s", settings->device, found.types);
    if (sys_mount(settings->device, BOOT_DEVICE, found.types, writable ? 0 : MS_RDONLY, NULL) < 0) {
        result = fail(errno, "cannot mount %s, a %s", settings->device, found.types);
        if (result == -ENODEV)
            error_hint("its module: shimbox.modules=%s", found.types);
        return result;
    }
    return settings->overlay ? mount_overlay() : 0;
}
