/* Paths that the program must not see, and paths that it must not change.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/linux/device.h"
#include "core/linux/mount.h"
#include "core/linux/path.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

/* What covers files, and what covers directories. */
struct masks {
    int null;      /* the null device, O_PATH; -1 until it is needed */
    int directory; /* an attached, empty, read-only tmpfs; -1 until it is needed */
};

/* The host's null device, or the container's; in either case nothing but the device itself: it is
 * what every file that is masked will show (CVE-2025-31133). */
static int open_null(const struct container *container)
{
    autoclose int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        fd = path_open_in_root(container->root, "/dev/null", O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return fd;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail(errno, "cannot examine /dev/null");
    if (!device_is(&status, 1, 3))
        return fail_config(NULL, "/dev/null is not the null device");
    return take_fd(&fd);
}

int setup_parse_nothing(struct container *container)
{
    static const char *const words[] = {"ro",          "nosuid",      "nodev",    "noexec",
                                        "nr_blocks=1", "nr_inodes=1", "mode=755", NULL};
    if (!container->config->masked_paths[0])
        return 0;
    int result = mount_options_parse(&container->nothing, words, NULL);
    container->nothing.label = container->config->mount_label;
    return result;
}

static int mask_file(const struct container *container, struct masks *masks, int target,
                     const char *path)
{
    if (masks->null < 0)
        masks->null = open_null(container);
    if (masks->null < 0)
        return masks->null;
    autoclose int mount = mount_clone(masks->null, "", false);
    return mount < 0 ? mount : mount_attach(mount, target, path);
}

/* One empty tmpfs serves all directories: the first mount is new, the others are clones of it. A
 * clone can be had of an attached mount only, before Linux 6.15. */
static int mask_directory(const struct container *container, struct masks *masks, int target,
                          const char *path)
{
    if (masks->directory >= 0) {
        autoclose int clone = mount_clone(masks->directory, "", false);
        return clone < 0 ? clone : mount_attach(clone, target, path);
    }
    masks->directory = mount_create("tmpfs", "tmpfs", &container->nothing);
    return masks->directory < 0 ? masks->directory : mount_attach(masks->directory, target, path);
}

/* Open a listed path. What is not there needs no protection: 0 in *fd's place means absent. */
static int open_listed(const struct container *container, const char *path, int *fd)
{
    int root = container->root;
    const char *below = path;
    if (container->covered[0].fd >= 0 && strncmp(path, "/proc/", 6) == 0) {
        root = container->covered[0].fd;
        below += 6;
    } else if (container->covered[1].fd >= 0 && strncmp(path, "/sys/", 5) == 0) {
        root = container->covered[1].fd;
        below += 5;
    }
    *fd = path_look_in_root(root, *below ? below : "/", O_PATH);
    if (*fd >= 0)
        return 1;
    return *fd == -ENOENT ? 0 : *fd;
}

static int mask_path(const struct container *container, struct masks *masks, const char *path)
{
    autoclose int target = -1;
    int result = open_listed(container, path, &target);
    if (result <= 0)
        return result;
    struct stat status;
    if (fstat(target, &status) < 0)
        return fail(errno, "cannot examine %s", path);
    if (S_ISDIR(status.st_mode))
        return mask_directory(container, masks, target, path);
    return mask_file(container, masks, target, path);
}

static int fail_path(const char *list, size_t i, int result)
{
    char field[48];
    snprintf(field, sizeof(field), "/linux/%s/%zu", list, i);
    error_field(field);
    return result;
}

int setup_masked_paths(struct container *container)
{
    struct masks masks = {-1, -1};
    int result = 0;
    const char *const *paths = (const char *const *)container->config->masked_paths;
    for (size_t i = 0; result == 0 && paths[i]; i++) {
        step("mask %s", paths[i]);
        trace_field("/linux/maskedPaths/%zu", i);
        result = mask_path(container, &masks, paths[i]);
        if (result < 0)
            fail_path("maskedPaths", i, result);
    }
    close_fd(&masks.null);
    close_fd(&masks.directory);
    return result;
}

static int protect_path(const struct container *container, const char *path)
{
    autoclose int target = -1;
    int result = open_listed(container, path, &target);
    if (result <= 0)
        return result;
    autoclose int mount = mount_clone(target, "", true);
    if (mount < 0)
        return mount;
    result = mount_set_readonly(mount, true);
    return result < 0 ? result : mount_attach(mount, target, path);
}

int setup_readonly_paths(struct container *container)
{
    const char *const *paths = (const char *const *)container->config->readonly_paths;
    for (size_t i = 0; paths[i]; i++) {
        step("protect %s", paths[i]);
        trace_field("/linux/readonlyPaths/%zu", i);
        int result = protect_path(container, paths[i]);
        if (result < 0)
            return fail_path("readonlyPaths", i, result);
    }
    close_fd(&container->covered[0].fd);
    close_fd(&container->covered[1].fd);
    return 0;
}
