/* Values written to /proc.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/mount.h"
#include "core/linux/path.h"
#include "core/linux/sys.h"

#define PROC_ROOT_INODE 1 /* of every procfs, include/linux/proc_ns.h of the kernel */

int procfs_create(void)
{
    const struct mount_options options = {.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                                 MOUNT_ATTR_NOEXEC};
    step("make a new proc");
    int proc = mount_create("proc", "proc", &options);
    if (proc == -EPERM)
        error_hint("needs a new pid namespace (--pid --fork), and no mounts that hide parts of "
                   "the present /proc");
    return proc;
}

static int check_root(int proc)
{
    struct statfs system;
    struct stat status;
    if (fstatfs(proc, &system) < 0 || fstat(proc, &status) < 0)
        return fail(errno, "cannot examine /proc");
    if (system.f_type != PROC_SUPER_MAGIC || status.st_ino != PROC_ROOT_INODE)
        return fail(EINVAL, "what is mounted on /proc is not a proc");
    return 0;
}

/* Without openat2(2), or where a seccomp filter forbids it (EPERM): the walk follows no link in a
 * procfs; a mount shows by its number. */
static int open_by_walk(int proc, const char *path, int mode)
{
    autoclose int fd = path_walk_in_root(proc, path, mode | O_NOFOLLOW | O_NOCTTY);
    uint64_t ids[2];
    if (fd < 0)
        return fd;
    if (sys_mount_id(proc, &ids[0]) < 0 || sys_mount_id(fd, &ids[1]) < 0)
        return fail(errno, "cannot examine /proc/%s", path);
    if (ids[0] != ids[1])
        return fail(EXDEV, "cannot open /proc/%s", path);
    return take_fd(&fd);
}

static int open_file(int proc, const char *path, int mode)
{
    struct open_how how = {
        .flags = (uint64_t)mode | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    int fd = sys_openat2(proc, path, &how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_by_walk(proc, path, mode);
    return fd < 0 ? fail(errno, "cannot open /proc/%s", path) : fd;
}

static int open_checked(int proc, const char *path, int mode)
{
    int result = check_root(proc);
    if (result < 0)
        return result;
    int fd = open_file(proc, path, mode);
    if (fd == -EXDEV)
        error_hint("something is mounted on it, or above it");
    return fd;
}

int procfs_write(int proc, const char *path, const char *value)
{
    autoclose int fd = open_checked(proc, path, O_WRONLY);
    if (fd < 0)
        return fd;
    size_t length = strlen(value);
    ssize_t count;
    do {
        count = write(fd, value, length);
    } while (count < 0 && errno == EINTR);
    /* The kernel takes a value whole or not at all; the rest would be a second value. */
    if (count >= 0 && (size_t)count != length)
        return fail(EIO, "cannot write to /proc/%s", path);
    return count < 0 ? fail(errno, "cannot write to /proc/%s", path) : 0;
}

int procfs_read(int proc, const char *path, char *text, size_t size)
{
    autoclose int fd = open_checked(proc, path, O_RDONLY);
    if (fd < 0)
        return fd;
    ssize_t count;
    do {
        count = read(fd, text, size - 1);
    } while (count < 0 && errno == EINTR);
    text[count < 0 ? 0 : count] = '\0';
    return count < 0 ? fail(errno, "cannot read /proc/%s", path) : 0;
}

pid_t procfs_self(int proc)
{
    char text[16];
    int result = check_root(proc);
    if (result < 0)
        return result;
    ssize_t length = readlinkat(proc, "self", text, sizeof(text) - 1);
    if (length <= 0)
        return fail(length < 0 ? errno : ESRCH, "cannot read /proc/self");
    text[length] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

int procfs_set_oom_score(int proc, pid_t pid, int score)
{
    char path[40];
    char value[16];
    snprintf(path, sizeof(path), "%d/oom_score_adj", (int)pid);
    snprintf(value, sizeof(value), "%d", score);
    int result = procfs_write(proc, path, value);
    if (result == -EACCES) {
        error_clear();
        fail(EACCES, "cannot set the oom score adjustment to %d", score);
        error_hint("lowering it needs CAP_SYS_RESOURCE");
    }
    return result;
}
