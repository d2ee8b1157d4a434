/* Copying a directory tree by descriptors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"

/* Each level keeps two descriptors open. */
#define DEPTH_MAX 128

/* One copying, and what is the same throughout. */
struct copying {
    const char *path; /* for messages */
    enum copy_manner manner;
    dev_t device; /* of the topmost directory: what has another one is mounted there */
};

static int copy_directory(const struct copying *copying, int from, int to, int depth);

static int fail_copy(const char *path, const char *name)
{
    return fail(errno, "cannot copy %s in %s", name, path);
}

/* Ids that have no number in this user namespace cannot be given away in it. name: "" for the open
 * file itself. Returns 0 or -1. */
static int give(const struct copying *copying, int fd, const char *name, const struct stat *status)
{
    int flags = *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
    if (fchownat(fd, name, status->st_uid, status->st_gid, flags) == 0)
        return 0;
    return copying->manner == COPY_LENIENT && (errno == EINVAL || errno == EPERM) ? 0 : -1;
}

static int copy_file(const struct copying *copying, int from, int to, const char *name,
                     const struct stat *status)
{
    autoclose int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (source < 0)
        return -1;
    autoclose int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (target < 0)
        return -1;
    ssize_t count;
    while ((count = sendfile(target, source, NULL, 1 << 30)) != 0) {
        if (count < 0 && errno != EINTR)
            return -1;
    }
    /* The mode last: a change of the owner takes the set-uid bits away. */
    struct timespec times[2] = {status->st_atim, status->st_mtim};
    if (give(copying, target, "", status) < 0 || fchmod(target, status->st_mode & 07777) < 0)
        return -1;
    return futimens(target, times);
}

static int copy_link(const struct copying *copying, int from, int to, const char *name,
                     const struct stat *status)
{
    char text[PATH_MAX];
    ssize_t length = readlinkat(from, name, text, sizeof(text) - 1);
    if (length < 0)
        return -1;
    text[length] = '\0';
    if (symlinkat(text, to, name) < 0)
        return -1;
    return give(copying, to, name, status);
}

static int copy_node(const struct copying *copying, int to, const char *name,
                     const struct stat *status)
{
    if (mknodat(to, name, status->st_mode, status->st_rdev) < 0)
        return copying->manner == COPY_LENIENT && errno == EPERM ? 0 : -1;
    return give(copying, to, name, status);
}

/* Returns 0 or a negative errno (recorded). */
static int copy_entry(const struct copying *copying, int from, int to, const char *name, int depth)
{
    struct stat status;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return fail_copy(copying->path, name);
    int result = 0;
    switch (status.st_mode & S_IFMT) {
    case S_IFSOCK:
        break;
    case S_IFREG:
        result = copy_file(copying, from, to, name, &status);
        break;
    case S_IFLNK:
        result = copy_link(copying, from, to, name, &status);
        break;
    case S_IFDIR: {
        autoclose int source = openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (source < 0 || mkdirat(to, name, 0700) < 0)
            return fail_copy(copying->path, name);
        autoclose int target = openat(to, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return target < 0 ? fail_copy(copying->path, name)
                          : copy_directory(copying, source, target, depth + 1);
    }
    default:
        result = copy_node(copying, to, name, &status);
    }
    return result < 0 ? fail_copy(copying->path, name) : 0;
}

/* Everything that is in a directory. */
static int copy_entries(const struct copying *copying, int from, int to, int depth)
{
    int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory) {
        int result = fail(errno, "cannot read %s", copying->path);
        close_fd(&fd);
        return result;
    }
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_entry(copying, fd, to, entry->d_name, depth);
    }
    if (result == 0 && errno != 0)
        result = fail(errno, "cannot read %s", copying->path);
    closedir(directory);
    return result;
}

static int copy_directory(const struct copying *copying, int from, int to, int depth)
{
    const char *path = copying->path;
    struct stat status;
    if (depth > DEPTH_MAX)
        return fail(ENAMETOOLONG, "cannot copy %s: directories are more than %d deep", path,
                    DEPTH_MAX);
    if (fstat(from, &status) < 0)
        return fail(errno, "cannot examine %s", path);
    /* Not by "..", which leads to what is mounted on the topmost directory. */
    bool mounted = depth > 0 && status.st_dev != copying->device;
    int result = mounted ? 0 : copy_entries(copying, from, to, depth);
    if (result < 0)
        return result;
    struct timespec times[2] = {status.st_atim, status.st_mtim};
    if (give(copying, to, "", &status) < 0 || fchmodat(to, ".", status.st_mode & 07777, 0) < 0 ||
        utimensat(to, ".", times, 0) < 0)
        return fail(errno, "cannot set owner, mode and times of the copy of %s", path);
    return 0;
}

int copy_tree(int from, int to, const char *path, enum copy_manner manner)
{
    struct stat status;
    if (fstat(from, &status) < 0)
        return fail(errno, "cannot examine %s", path);
    const struct copying copying = {path, manner, status.st_dev};
    return copy_directory(&copying, from, to, 0);
}
