/* A root for good where pivot_root(2) cannot work: on the kernel's rootfs.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A mount namespace begins with a copy of the rootfs, and nothing can take that away; everywhere
 * else it is hidden below the host's root and empty, but in an initramfs it is the host's root. So
 * the container's root is mounted on top of it, and two things make that as good as a pivot:
 * everything else of the host is unmounted first; and the container's root is locked where it is
 * (mount_namespaces(7)), so that whoever may unmount things in the container cannot take it off,
 * and find the host's files by entering its own mount namespace afresh.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/mount.h"
#include "core/linux/mountinfo.h"
#include "core/linux/process.h"
#include "core/linux/root.h"
#include "core/linux/sys.h"

static int read_mounts(int proc, struct text *mounts)
{
    return read_file(proc, "self/mountinfo", 64 << 20, mounts);
}

/* The mount that has itself for a parent is the namespace's first one. */
bool root_is_rootfs(int proc)
{
    autotext struct text mounts = {0};
    if (read_mounts(proc, &mounts) < 0) {
        error_clear();
        return false;
    }
    char *rest = mounts.data;
    struct mountinfo mount;
    for (int found; (found = mountinfo_next(&rest, &mount)) != 0;) {
        if (found > 0 && mount.id == mount.parent)
            return strcmp(mount.point, "/") == 0;
    }
    return false;
}

/* One that cannot be unmounted is locked to what it is mounted on, as in a new user namespace. It
 * cannot be reached below the container's root. But a complete proc or sysfs among them would allow
 * who makes a user namespace in the container to mount a new one, in which nothing is masked
 * (GHSA-fh74-hm69-rqjw): those are covered. */
static int hide_mount(const char *path, int fd)
{
    struct statfs system;
    if (sys_umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    if (fstatfs(fd, &system) < 0)
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

/* Newest first, for the later one of two mounts covers the other; a path that leads to another
 * mount than the line's is of the container. */
static int hide_other_mounts(int proc)
{
    autotext struct text mounts = {0};
    int result = read_mounts(proc, &mounts);
    while (result == 0 && mounts.length > 0) {
        char *line = memrchr(mounts.data, '\n', mounts.length - 1);
        line = line ? line + 1 : mounts.data;
        mounts.length = (size_t)(line - mounts.data);
        if (line > mounts.data)
            line[-1] = '\0';
        struct mountinfo mount;
        if (mountinfo_next(&line, &mount) <= 0 || strcmp(mount.point, "/") == 0)
            continue;
        autoclose int fd = open(mount.point, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            /* Where this process may not go, a proc or sysfs cannot be covered. */
            bool kernel = strcmp(mount.type, "proc") == 0 || strcmp(mount.type, "sysfs") == 0;
            if (kernel && errno != ENOENT && errno != ENOTDIR)
                result = fail(errno, "cannot examine %s, to hide it", mount.point);
            continue;
        }
        uint64_t number;
        if (sys_mount_id(fd, &number) < 0)
            result = fail(errno, "cannot tell the mount of %s, to hide it", mount.point);
        else if (number == mount.id)
            result = hide_mount(mount.point, fd);
    }
    return result;
}

/* A mount namespace like this one in which everything is locked together, for it belongs to a user
 * namespace of its own. Its maker comes to an end at once; the descriptor, which it puts into the
 * shared table in place of the one that is there, keeps it. Returns that or a negative errno. */
static int open_locked_namespace(int proc)
{
    autoclose int namespace = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (namespace < 0)
        return fail(errno, "cannot open the own mount namespace");
    autoprocess struct process maker = NO_PROCESS;
    pid_t pid = process_clone(CLONE_NEWUSER | CLONE_NEWNS | CLONE_FILES, -1, &maker);
    if (pid < 0) {
        error_hint("where there is no pivot_root(2), a container with CAP_SYS_ADMIN needs user "
                   "namespaces");
        return pid;
    }
    if (pid == 0) {
        int fd = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
        int number = fd < 0 || dup3(fd, namespace, O_CLOEXEC) < 0 ? errno : 0;
        if (fd >= 0)
            close(fd);
        _exit(number);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    maker.pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(WIFEXITED(status) ? WEXITSTATUS(status) : EINTR,
                    "cannot open a locked mount namespace");
    return take_fd(&namespace);
}

/* Whoever enters a mount namespace is put on the topmost of the mounts on its first root. */
static int enter_locked_namespace(int proc, int root)
{
    autoclose int namespace = open_locked_namespace(proc);
    struct stat expected;
    struct stat found;
    if (namespace < 0)
        return namespace;
    if (sys_setns(namespace, CLONE_NEWNS) < 0)
        return fail(errno, "cannot enter a locked mount namespace");
    if (fstat(root, &expected) < 0 || stat("/", &found) < 0)
        return fail(errno, "cannot examine the root directory");
    if (expected.st_dev != found.st_dev || expected.st_ino != found.st_ino)
        return fail(EXDEV, "cannot find the container's root in a locked mount namespace");
    return 0;
}

/* The lock is on the mount at this place: a second clone of the container's root inherits it by
 * pivot_root(2), which works here, the present root being a mount on something. The mounts below
 * the clone are not locked, and the container may unmount them as it may anywhere. */
static int lock_root(int proc, int *root)
{
    step("lock the root in its place");
    autoclose int clone = mount_clone(*root, "", true);
    int result = clone < 0 ? clone : enter_locked_namespace(proc, *root);
    if (result < 0)
        return result;
    autoclose int target = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0)
        return fail(errno, "cannot open the root directory");
    result = mount_attach(clone, target, "/");
    if (result < 0)
        return result;
    if (fchdir(clone) < 0 || sys_pivot_root(".", ".") < 0)
        return fail(errno, "cannot make the root file system the root");
    if (sys_umount2(".", MNT_DETACH) < 0)
        return fail(errno, "cannot detach the first root");
    close_fd(root);
    *root = take_fd(&clone);
    return 0;
}

int root_cover(int proc, int *root, bool lock)
{
    step("unmount what is the host's");
    int result = hide_other_mounts(proc);
    if (result < 0)
        return result;
    step("chroot");
    /* The new root covers the old one, so whoever gets out of the chroot lands in it again. */
    if (chroot(".") < 0)
        return fail(errno, "cannot change the root directory");
    if (lock)
        result = lock_root(proc, root);
    if (result < 0)
        return result;
    return chdir("/") < 0 ? fail(errno, "cannot enter the new root directory") : 0;
}
