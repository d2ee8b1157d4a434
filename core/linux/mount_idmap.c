/* Why a mount cannot be idmapped.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/mount_idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/linux/capability.h"
#include "core/linux/mount.h"
#include "core/linux/mountinfo.h"
#include "core/linux/sys.h"

/* Clone and map at once; -1 where that cannot be done either. */
static int clone_mapped_again(const char *path, const struct mount_options *options, int userns)
{
    bool recursive = options->idmap_recursive;
    struct mount_attr attributes = {
        .attr_set = MOUNT_ATTR_IDMAP | (recursive ? options->recursive_set : options->set),
        .attr_clr = recursive ? options->recursive_clear : options->clear,
        .propagation = options->propagation,
        .userns_fd = (uint64_t)userns,
    };
    return sys_open_tree_attr(AT_FDCWD, path,
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0),
                              &attributes, sizeof(attributes));
}

int mount_clone_idmapped(const char *path, const struct mount_options *options, int userns)
{
    autoclose int mount = mount_clone(AT_FDCWD, path, options->idmap_recursive);
    if (mount < 0)
        return mount;
    int result = mount_change(mount, options, userns);
    if (result != -EPERM)
        return result < 0 ? result : take_fd(&mount);
    int again = clone_mapped_again(path, options, userns);
    if (again < 0)
        return result;
    error_clear();
    return again;
}

/* The errno of idmapping a clone of the mount there, which goes away at once; 0 if that works. */
static int try_idmap(const char *path, int userns)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    autoclose int clone = sys_open_tree(AT_FDCWD, path, flags);
    /* What is locked to it has to come along. */
    if (clone < 0)
        clone = sys_open_tree(AT_FDCWD, path, flags | AT_RECURSIVE);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
    if (clone < 0 || sys_mount_setattr(clone, "", AT_EMPTY_PATH, &attributes) == 0)
        return 0;
    return errno;
}

static bool has_option(const char *options, const char *option)
{
    size_t length = strlen(option);
    for (; options; options = strchr(options, ',')) {
        options += *options == ',';
        if (strncmp(options, option, length) == 0 &&
            (options[length] == ',' || options[length] == '\0'))
            return true;
    }
    return false;
}

static void explain(const struct mountinfo *mount, const char *path, int number)
{
    if (number == EINVAL && strcmp(mount->type, "overlay") == 0)
        error_hint("%s is an overlay, which cannot be idmapped: idmap its layers instead", path);
    else if (number == EINVAL)
        error_hint("this kernel cannot idmap the file system type of %s, %s", path, mount->type);
    else if (number == EPERM && has_option(mount->options, "idmapped"))
        error_hint("%s is idmapped already", path);
    else if (number == EPERM)
        error_hint("the file system of %s belongs to another user namespace, whose root may do it",
                   path);
}

/* What is refused whatever the mount is. */
static bool explain_right(int userns)
{
    /* The kernel's PROC_USER_INIT_INO, the same since Linux 3.8. */
    const ino_t initial = 0xEFFFFFFD;
    struct stat status;
    if (error_get()->number != EPERM)
        return false;
    if (!capability_have(CAP_SYS_ADMIN))
        error_hint("mounting needs CAP_SYS_ADMIN; an ordinary user has it within: shimbox unshare "
                   "--map-root-user --mount");
    else if (fstat(userns, &status) == 0 && status.st_ino == initial)
        error_hint("the initial user namespace maps nothing");
    else
        return false;
    return true;
}

void mount_explain_idmap(const char *path, bool recursive, int userns)
{
    if (explain_right(userns))
        return;
    autoclose int fd = open(path, O_PATH | O_CLOEXEC);
    char link[40];
    char whole[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = fd < 0 ? -1 : readlink(link, whole, sizeof(whole) - 1);
    autotext struct text text = {0};
    if (length < 0 || read_file(AT_FDCWD, "/proc/self/mountinfo", 64 << 20, &text) < 0)
        return;
    whole[length] = '\0';
    if (length == 1)
        length = 0;   /* everything is below "/" */
    uint64_t top = 0; /* no mount has this number */
    sys_mount_id(fd, &top);
    struct mountinfo mount;
    int found;
    for (char *rest = text.data; (found = mountinfo_next(&rest, &mount)) != 0;) {
        if (found < 0)
            continue;
        bool below = strncmp(mount.point, whole, (size_t)length) == 0 && mount.point[length] == '/';
        if (mount.id != top && !(recursive && below))
            continue;
        const char *place = mount.id == top ? path : mount.point;
        int number = try_idmap(place, userns);
        if (number != 0) {
            explain(&mount, place, number);
            return;
        }
    }
}
