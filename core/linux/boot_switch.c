/* From an initramfs to a real system.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/mount.h"
#include "core/linux/path.h"
#include "core/linux/sys.h"

/* Folders deeper than this are left: they only take memory. */
#define DEPTH_MAX 64

/* Can it be executed in the new root? Links are followed there. */
static bool is_program(int root, const char *path)
{
    struct stat status;
    autoclose int fd = path_look_in_root(root, path, O_PATH);
    bool found =
        fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_mode & 0111;
    error_clear();
    return found;
}

/* Where the kernel looks, too. */
static const char *find_init(int root, const char *wanted)
{
    static const char usual[][12] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
    if (wanted)
        return is_program(root, wanted) ? wanted : NULL;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (is_program(root, usual[i]))
            return usual[i];
    return NULL;
}

/* Take along what is mounted at path, or take it away where the new root has no place for it. */
static int move(int root, const char *path)
{
    autoclose int target = path_look_in_root(root, path, O_PATH | O_DIRECTORY);
    step("move %s", path);
    if (target >= 0 && sys_move_mount(AT_FDCWD, path, target, "", MOVE_MOUNT_T_EMPTY_PATH) == 0)
        return 0;
    error_clear();
    /* EINVAL: nothing is mounted there. */
    if (sys_umount2(path, MNT_DETACH) == 0 || errno == EINVAL || errno == ENOENT)
        return 0;
    return fail(errno, "cannot move %s to the new root", path);
}

/* Delete what is in the folder and on its file system. Takes the descriptor. */
static void empty(int fd, dev_t device, int depth)
{
    struct stat status;
    const struct dirent *entry;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close_fd(&fd);
        return;
    }
    while ((entry = readdir(folder))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_dev != device)
            continue;
        if (S_ISDIR(status.st_mode)) {
            int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (below >= 0 && depth > 0)
                empty(below, device, depth - 1);
            else
                close_fd(&below);
        }
        unlinkat(fd, name, S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0);
    }
    closedir(folder);
}

/* Only what is in memory, which would be lost for good: nothing can reach it any more. */
static void free_initramfs(int root)
{
    struct statfs type;
    struct stat status;
    if (root < 0 || fstatfs(root, &type) < 0 || fstat(root, &status) < 0 ||
        (type.f_type != RAMFS_MAGIC && type.f_type != TMPFS_MAGIC))
        return;
    step("free the initramfs");
    empty(fcntl(root, F_DUPFD_CLOEXEC, 3), status.st_dev, DEPTH_MAX);
}

/* pivot_root(2) cannot replace the kernel's rootfs, so the new root covers it. */
static int change_root(int mount)
{
    static const char moved[][8] = {"/dev", "/proc", "/sys", "/run", "/tmp"};
    autoclose int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = mount_attach_path(mount, "/");
    /* It is in the new root now; /run is to go there, too. */
    for (int i = 0; result == 0 && i < 2; i++)
        sys_umount2(BOOT_DEVICE, MNT_DETACH);
    sys_umount2(BOOT_OVERLAY, MNT_DETACH);
    /* From this process's root, which is still the old one. */
    for (size_t i = 0; result == 0 && i < sizeof(moved) / sizeof(moved[0]); i++)
        result = move(mount, moved[i]);
    if (result < 0)
        return result;
    step("change root");
    if (fchdir(mount) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return fail(errno, "cannot change the root directory");
    free_initramfs(old);
    return 0;
}

int boot_switch_root(const char *path, const char *init)
{
    autoclose int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return fail(errno, "cannot open the new root %s", path);
    const char *program = find_init(root, init);
    if (!program)
        return fail(ENOENT, "cannot find %s in the new root %s", init ? init : "an init", path);
    autoclose int mount = mount_clone(root, "", true);
    close_fd(&root);
    int result = mount < 0 ? mount : change_root(mount);
    if (result < 0)
        return result;
    close_fd(&mount);
    boot_leave_console();
    char *arguments[] = {(char *)program, NULL};
    trace_flush();
    execv(program, arguments);
    return fail_exec(errno, "cannot execute %s in the new root", program);
}
